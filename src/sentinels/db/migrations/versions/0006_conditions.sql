-- Conditions of the whole: what is full, what is idle; since when, and what people were told.
CREATE TABLE conditions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    name TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    told_at TIMESTAMP WITH TIME ZONE,
    resolved_at TIMESTAMP WITH TIME ZONE,
    line TEXT NOT NULL,
    facts JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT conditions_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX conditions_name_idx ON conditions (name) WHERE resolved_at IS NULL;

COMMENT ON COLUMN conditions.name IS 'full:gpu:a100, full:cpu, idle:node-7 and so on';

COMMENT ON COLUMN conditions.seen_at IS 'when it last held';

COMMENT ON COLUMN conditions.line IS 'what it is, in a line that names no job';
