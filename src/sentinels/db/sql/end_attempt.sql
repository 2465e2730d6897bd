-- Close an attempt with all that is known of its end.
UPDATE attempts
   SET live = false, lease_until = NULL, uid = coalesce(uid, :uid), node = coalesce(:node, node),
       started_at = coalesce(:started_at, started_at),
       finished_at = coalesce(:finished_at, now()),
       exit_code = :exit_code, reason = CAST(:reason AS reason), message = :message,
       outputs_complete = :outputs_complete,
       peak_memory_bytes = :peak_memory_bytes, cpu_seconds = :cpu_seconds,
       peak_gpu_memory_bytes = :peak_gpu_memory_bytes, mean_gpu_percent = :mean_gpu_percent,
       peak_cpu_cores = :peak_cpu_cores,
       dossier = CAST(:dossier AS jsonb)
 WHERE job_id = :job_id AND attempt = :attempt AND live
