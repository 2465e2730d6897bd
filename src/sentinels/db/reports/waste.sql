-- What attempts that ended between two moments asked for and did not use, as far as it was measured:
-- idle hours of CPUs, GiB and GPUs. Rows are jobs of one name and size. The largest first: by cost
-- where there are prices; else a GPU counts as 16 CPUs and 4 GiB as one.
-- What would have sufficed: the peak of memory and a fifth more, in steps of 256 MiB, unless one ran
-- out of it; the CPUs kept busy, in steps of a half.
WITH asked AS (
    SELECT CAST(:since AS timestamptz) AS since, CAST(:until AS timestamptz) AS until,
           CAST(:by AS text) AS by, CAST(:team AS text) AS team, CAST(:prices AS jsonb) AS prices),
ended AS (
    SELECT CASE q.by WHEN 'team' THEN a.team WHEN 'user' THEN a."user" ELSE a.experiment END AS who,
           a.*, a.held_seconds / 3600 AS hours, CAST(a.cpu_seconds AS numeric) / 3600 AS used_hours,
           CAST(a.mean_gpu_percent AS numeric) AS gpu_percent,
           coalesce(a.peak_cpu_cores, a.cpu_seconds / nullif(CAST(a.ran_seconds AS double precision), 0))
               AS busy_cpus
      FROM asked q
      JOIN v_attempts a ON a.finished_at >= q.since AND a.finished_at < q.until
     WHERE NOT a.live AND a.held_seconds > 0 AND (q.team IS NULL OR a.team = q.team)
       AND num_nonnulls(a.peak_memory_bytes, a.cpu_seconds, a.mean_gpu_percent) > 0),
sized AS (
    SELECT who, name, cpus, memory_bytes, gpus, coalesce(gpu_type, 'any') AS gpu_type,
           count(*) AS attempts, max(job) AS last_job, max(busy_cpus) AS busy_cpus,
           max(peak_memory_bytes) AS peak_memory_bytes, bool_or(reason = 'out_of_memory') AS ran_out,
           sum(hours * gpu_percent) / nullif(sum(hours) FILTER (WHERE gpu_percent IS NOT NULL), 0)
               AS gpu_percent,
           coalesce(sum(greatest(hours * cpus - used_hours, 0))
                        FILTER (WHERE used_hours IS NOT NULL), 0) AS idle_cpu_hours,
           coalesce(sum(hours * greatest(memory_bytes - peak_memory_bytes, 0)), 0) / 1073741824
               AS idle_gib_hours,
           coalesce(sum(hours * gpus * (100 - gpu_percent)) / 100, 0) AS idle_gpu_hours
      FROM ended
     GROUP BY who, name, cpus, memory_bytes, gpus, gpu_type)
SELECT s.who, s.name, s.attempts, s.last_job, s.cpus, round(CAST(s.busy_cpus AS numeric), 2) AS busy_cpus,
       least(s.cpus, greatest(0.5, ceil(CAST(s.busy_cpus AS numeric) * 2) / 2)) AS enough_cpus,
       s.memory_bytes, s.peak_memory_bytes,
       CASE WHEN NOT coalesce(s.ran_out, false) AND s.peak_memory_bytes IS NOT NULL
            THEN least(s.memory_bytes, CAST(ceil(s.peak_memory_bytes * 1.2 / 268435456) AS bigint)
                                           * 268435456) END AS enough_memory_bytes,
       s.gpus, round(s.gpu_percent, 1) AS gpu_percent,
       round(s.idle_cpu_hours, 3) AS idle_cpu_hours, round(s.idle_gib_hours, 3) AS idle_gib_hours,
       round(s.idle_gpu_hours, 3) AS idle_gpu_hours,
       CASE WHEN q.prices IS NOT NULL THEN round(
            s.idle_cpu_hours * coalesce(CAST(q.prices->>'cpu' AS numeric), 0)
          + s.idle_gib_hours * coalesce(CAST(q.prices->>'memory' AS numeric), 0)
          + s.idle_gpu_hours * coalesce(CAST(q.prices->>s.gpu_type AS numeric),
                                        CAST(q.prices->>'gpu' AS numeric), 0), 2) END AS cost
  FROM sized s CROSS JOIN asked q
 ORDER BY cost DESC NULLS LAST, s.idle_gpu_hours * 16 + s.idle_cpu_hours + s.idle_gib_hours / 4 DESC,
          s.who, s.name
