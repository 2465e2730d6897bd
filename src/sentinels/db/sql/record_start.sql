-- The workload was seen running.
UPDATE attempts SET started_at = coalesce(started_at, :started_at), node = coalesce(:node, node)
 WHERE job_id = :job_id AND attempt = :attempt AND live
