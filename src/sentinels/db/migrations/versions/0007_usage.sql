-- What attempts used, over time.
ALTER TABLE attempts ADD COLUMN peak_cpu_cores DOUBLE PRECISION;

CREATE TABLE usage_series (
    job_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    series JSONB NOT NULL,
    filed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT usage_series_pkey PRIMARY KEY (job_id, attempt)
);

COMMENT ON COLUMN usage_series.series IS 'seconds since the start and a value, by quantity';
