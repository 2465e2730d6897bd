-- The tracker's run of an attempt that was launched without one.
UPDATE attempts SET mlflow_run_id = :mlflow_run_id, mlflow_url = :mlflow_url, outputs_url = :outputs_url
 WHERE job_id = :job_id AND attempt = :attempt
