-- Attempts whose outcome is committed but whose workload the cluster has not been told to forget.
SELECT job_id, attempt FROM attempts WHERE NOT released AND NOT live ORDER BY job_id, attempt
