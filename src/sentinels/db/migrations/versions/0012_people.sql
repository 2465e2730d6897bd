-- What a user may do. Nobody is an operator but whom an administrator makes one.
ALTER TABLE users ADD COLUMN role TEXT DEFAULT 'member' NOT NULL;
ALTER TABLE users ADD CONSTRAINT users_role_check CHECK (role IN ('member', 'lead', 'operator'));

-- A token is listed and revoked by its id: what is kept of the token itself opens nothing.
ALTER TABLE tokens ADD COLUMN id BIGINT GENERATED ALWAYS AS IDENTITY;
ALTER TABLE tokens ADD CONSTRAINT tokens_id_key UNIQUE (id);
ALTER TABLE tokens ADD COLUMN name TEXT DEFAULT '' NOT NULL;
ALTER TABLE tokens ADD COLUMN last_used_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE tokens ADD COLUMN revoked_at TIMESTAMP WITH TIME ZONE;

COMMENT ON COLUMN tokens.name IS 'what its user calls it';

-- Every change by a person, written in the change's own transaction; nothing changes a row.
CREATE TABLE audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    team_id INTEGER,
    job_id BIGINT,
    subject TEXT DEFAULT '' NOT NULL,
    detail JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (id)
);

COMMENT ON COLUMN audit.team_id IS 'whose leads may read it; null: no team''s';
COMMENT ON COLUMN audit.subject IS 'what it was done to';

CREATE INDEX audit_job_id_idx ON audit (job_id) WHERE job_id IS NOT NULL;
