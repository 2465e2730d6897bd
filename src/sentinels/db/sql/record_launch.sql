-- The workload exists: record its uid and the tracker's run, and end the lease.
UPDATE attempts
   SET uid = :uid, launched_at = now(), lease_until = NULL,
       mlflow_run_id = coalesce(CAST(:mlflow_run_id AS text), mlflow_run_id),
       mlflow_url = coalesce(CAST(:mlflow_url AS text), mlflow_url),
       outputs_url = coalesce(CAST(:outputs_url AS text), outputs_url)
 WHERE job_id = :job_id AND attempt = :attempt AND live
RETURNING job_id
