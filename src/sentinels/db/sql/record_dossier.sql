-- Complete an ended attempt's dossier and what it used; lines and numbers that are there stay.
UPDATE attempts
   SET dossier = CASE WHEN jsonb_path_exists(dossier, '$.lines.texts[0]') THEN dossier
                      ELSE CAST(:dossier AS jsonb) END,
       peak_memory_bytes = coalesce(peak_memory_bytes, :peak_memory_bytes),
       cpu_seconds = coalesce(cpu_seconds, :cpu_seconds),
       peak_gpu_memory_bytes = coalesce(peak_gpu_memory_bytes, :peak_gpu_memory_bytes),
       mean_gpu_percent = coalesce(mean_gpu_percent, :mean_gpu_percent),
       peak_cpu_cores = coalesce(peak_cpu_cores, :peak_cpu_cores)
 WHERE job_id = :job_id AND attempt = :attempt AND NOT live
