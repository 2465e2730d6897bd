-- What every live attempt holds of the node it is on, and whether it is one that the caller may see.
SELECT a.job_id, a.node, (CAST(:team_id AS int) IS NULL OR j.team_id = CAST(:team_id AS int)) AS mine,
       s.cpu_millis, s.memory_bytes, s.gpus, s.gpu_type
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
  JOIN shapes s ON s.id = a.shape_id
 WHERE NOT a.released AND a.live AND a.node IS NOT NULL
 ORDER BY a.job_id
