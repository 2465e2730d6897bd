-- Every attempt of a job, oldest first, each with what it asked for.
SELECT a.attempt, a.live, a.uid, a.node, a.launched_at, a.started_at, a.finished_at, a.exit_code,
       a.reason, a.message, a.outputs_complete, a.mlflow_run_id, a.mlflow_url,
       a.peak_memory_bytes, a.cpu_seconds, a.peak_gpu_memory_bytes, a.mean_gpu_percent,
       a.peak_cpu_cores, a.avoids, s.cpu_millis, s.memory_bytes, s.gpus, s.gpu_type
  FROM attempts a JOIN shapes s ON s.id = a.shape_id
 WHERE a.job_id = :job_id ORDER BY a.attempt
