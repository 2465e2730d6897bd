-- What attempts used, over time.
ALTER TABLE attempts ADD COLUMN peak_cpu_cores DOUBLE PRECISION;
