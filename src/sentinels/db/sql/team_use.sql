-- What a team's live attempts hold now, its GPUs by the type of their nodes, its GPU-hours of this month.
WITH live AS (
    SELECT s.cpu_millis, s.memory_bytes, s.gpus, coalesce(n.gpu_type, s.gpu_type) AS gpu_type
      FROM attempts a
      JOIN jobs j ON j.id = a.job_id
      JOIN shapes s ON s.id = a.shape_id
      LEFT JOIN nodes n ON n.name = a.node
     WHERE a.live AND NOT a.released AND j.team_id = :team_id),
typed AS (
    SELECT gpu_type, sum(gpus) AS gpus FROM live WHERE gpus > 0 AND gpu_type <> '' GROUP BY gpu_type)
SELECT CAST(coalesce(sum(cpu_millis), 0) AS bigint) AS cpu_millis,
       CAST(coalesce(sum(memory_bytes), 0) AS bigint) AS memory_bytes,
       CAST(coalesce(sum(gpus), 0) AS int) AS gpus, count(*) AS running,
       (SELECT coalesce(json_object_agg(gpu_type, gpus), '{}') FROM typed) AS gpus_of,
       coalesce((SELECT gpu_hours FROM team_uses WHERE team_id = :team_id
                    AND month = CAST(date_trunc('month', now() AT TIME ZONE 'UTC') AS date)), 0)
           AS gpu_hours
  FROM live
