-- What is kept of what an attempt used over time.
SELECT series FROM usage_series WHERE job_id = :job_id AND attempt = :attempt
