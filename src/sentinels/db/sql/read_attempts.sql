-- Every attempt of a job, oldest first.
SELECT attempt, live, uid, node, launched_at, started_at, finished_at, exit_code, reason, message,
       outputs_complete, mlflow_run_id, mlflow_url,
       peak_memory_bytes, cpu_seconds, peak_gpu_memory_bytes, mean_gpu_percent, peak_cpu_cores
  FROM attempts WHERE job_id = :job_id ORDER BY attempt
