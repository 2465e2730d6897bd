-- Reasons that only a cluster knows; nodes that an operator closes; how far launches run ahead.
ALTER TYPE reason ADD VALUE 'config_missing' AFTER 'image_unavailable';

ALTER TYPE reason ADD VALUE 'quota_exceeded' AFTER 'never_placed';

ALTER TYPE reason ADD VALUE 'registry_unavailable' AFTER 'quota_exceeded';

ALTER TABLE nodes
    ADD COLUMN slots INTEGER,
    ADD COLUMN detail TEXT DEFAULT '' NOT NULL,
    ADD COLUMN wish TEXT,
    ADD CONSTRAINT nodes_wish_check CHECK (wish IN ('close', 'open'));

COMMENT ON COLUMN nodes.slots IS 'how many more workloads it takes; null: as many as fit';

COMMENT ON COLUMN nodes.detail IS 'why it is not ready';

COMMENT ON COLUMN nodes.wish IS 'what an operator wants of it';

ALTER TABLE passes ADD COLUMN unstarted INTEGER DEFAULT 0 NOT NULL;

COMMENT ON COLUMN passes.unstarted IS 'launched before, not yet begun with';
