-- One row a sweep: what was swept, and how many of its jobs may be live or in line at once.
CREATE TABLE sweeps (
    id BIGINT NOT NULL,
    at_once INTEGER,
    definition JSON NOT NULL,
    CONSTRAINT sweeps_pkey PRIMARY KEY (id)
);

COMMENT ON COLUMN sweeps.id IS 'its first job';

COMMENT ON COLUMN sweeps.at_once IS 'null: any number';

COMMENT ON COLUMN sweeps.definition IS 'sweep, samples and seed as they were pushed';

ALTER TABLE attempts ADD COLUMN avoids TEXT[] DEFAULT '{}' NOT NULL;

COMMENT ON COLUMN attempts.avoids IS 'nodes that it keeps away from';

CREATE INDEX attempts_leaves_for_idx ON attempts (leaves_for) WHERE leaves_for IS NOT NULL;

ALTER TABLE deferred ADD COLUMN sweep_id BIGINT;

COMMENT ON COLUMN deferred.sweep_id IS 'its sweep, where that has a limit';
