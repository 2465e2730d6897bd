-- A user's pushes of the last minutes: the primary key makes one of two that are the same at once.
CREATE TABLE same_pushes (
    user_id INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    job_id BIGINT,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT same_pushes_pkey PRIMARY KEY (user_id, digest)
);

COMMENT ON COLUMN same_pushes.digest IS 'sha256 of the image and the config';
COMMENT ON COLUMN same_pushes.job_id IS 'the first job of the newest such push';

ALTER TABLE nodes ADD COLUMN architecture TEXT DEFAULT '' NOT NULL;

COMMENT ON COLUMN nodes.architecture IS 'its processors''';
