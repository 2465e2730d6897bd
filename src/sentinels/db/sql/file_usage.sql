-- Keep what an ended attempt used over time, and the peaks that its end did not tell.
WITH peaks AS (
    UPDATE attempts
       SET peak_memory_bytes = coalesce(peak_memory_bytes, CAST(:peak_memory_bytes AS bigint)),
           cpu_seconds = coalesce(cpu_seconds, CAST(:cpu_seconds AS double precision)),
           peak_gpu_memory_bytes =
               coalesce(peak_gpu_memory_bytes, CAST(:peak_gpu_memory_bytes AS bigint)),
           mean_gpu_percent =
               coalesce(mean_gpu_percent, CAST(:mean_gpu_percent AS double precision)),
           peak_cpu_cores = coalesce(peak_cpu_cores, CAST(:peak_cpu_cores AS double precision))
     WHERE job_id = :job_id AND attempt = :attempt AND NOT live
    RETURNING job_id, attempt)
INSERT INTO usage_series (job_id, attempt, series)
SELECT job_id, attempt, CAST(:series AS jsonb) FROM peaks WHERE CAST(:series AS jsonb) <> '{}'
ON CONFLICT (job_id, attempt) DO UPDATE SET series = excluded.series, filed_at = now()
