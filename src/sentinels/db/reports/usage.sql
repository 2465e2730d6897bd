-- What attempts held between two moments, the most first. One that began before or ended after counts
-- with the part between. A GPU whose type has no price costs what "gpu" says.
WITH asked AS (
    SELECT CAST(:since AS timestamptz) AS since, CAST(:until AS timestamptz) AS until,
           CAST(:by AS text) AS by, CAST(:team AS text) AS team, CAST(:prices AS jsonb) AS prices),
held AS (
    SELECT CASE q.by WHEN 'team' THEN a.team WHEN 'user' THEN a."user" ELSE a.experiment END AS who,
           a.job, coalesce(a.gpu_type, 'any') AS gpu_type, a.cpus, a.memory_bytes, a.gpus,
           extract(epoch FROM least(a.held_until, q.until) - greatest(a.held_from, q.since)) / 3600
               AS hours
      FROM asked q
      JOIN v_attempts a ON a.held_from < q.until AND a.held_until >= q.since
     WHERE q.team IS NULL OR a.team = q.team),
by_type AS (
    SELECT who, gpu_type, count(DISTINCT job) AS jobs, count(*) AS attempts,
           sum(hours * cpus) AS cpu_hours, sum(hours * memory_bytes) / 1073741824 AS gib_hours,
           sum(hours * gpus) AS gpu_hours
      FROM held GROUP BY who, gpu_type),
priced AS (
    SELECT b.*, b.cpu_hours * coalesce(CAST(q.prices->>'cpu' AS numeric), 0)
              + b.gib_hours * coalesce(CAST(q.prices->>'memory' AS numeric), 0)
              + b.gpu_hours * coalesce(CAST(q.prices->>b.gpu_type AS numeric),
                                       CAST(q.prices->>'gpu' AS numeric), 0) AS cost,
           q.prices
      FROM by_type b CROSS JOIN asked q)
SELECT who, CAST(sum(jobs) AS bigint) AS jobs, CAST(sum(attempts) AS bigint) AS attempts,
       round(sum(cpu_hours), 3) AS cpu_hours, round(sum(gib_hours), 3) AS gib_hours,
       round(sum(gpu_hours), 3) AS gpu_hours,
       coalesce(jsonb_object_agg(gpu_type, round(gpu_hours, 3)) FILTER (WHERE gpu_hours > 0), '{}')
           AS gpu_hours_by_type,
       CASE WHEN prices IS NOT NULL THEN round(sum(cost), 2) END AS cost
  FROM priced
 GROUP BY who, prices
 ORDER BY cost DESC NULLS LAST, gpu_hours DESC, cpu_hours DESC, who
