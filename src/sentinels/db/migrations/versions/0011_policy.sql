-- The administrator's policy, every version of it; the newest is in force.
CREATE TABLE policies (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    document JSON NOT NULL,
    actor TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT policies_pkey PRIMARY KEY (id)
);

COMMENT ON COLUMN policies.document IS 'as it was applied, its order kept';

-- What each team held, as a decaying average: only the holder of the dispatch lock writes it.
CREATE TABLE team_uses (
    team_id INTEGER NOT NULL,
    cpu_millis DOUBLE PRECISION DEFAULT '0' NOT NULL,
    memory_bytes DOUBLE PRECISION DEFAULT '0' NOT NULL,
    gpus DOUBLE PRECISION DEFAULT '0' NOT NULL,
    gpu_hours DOUBLE PRECISION DEFAULT '0' NOT NULL,
    month DATE DEFAULT date_trunc('month', now() AT TIME ZONE 'UTC') NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT team_uses_pkey PRIMARY KEY (team_id)
) WITH (fillfactor = 50);

COMMENT ON COLUMN team_uses.gpu_hours IS 'since the month began';

ALTER TABLE attempts ADD COLUMN leaves_for BIGINT;

COMMENT ON COLUMN attempts.leaves_for IS 'the job for which it was asked to leave';

ALTER TABLE jobs ADD COLUMN avoids TEXT[] DEFAULT '{}' NOT NULL;

COMMENT ON COLUMN jobs.avoids IS 'nodes that its next attempt keeps away from';
