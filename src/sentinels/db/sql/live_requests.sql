-- What every live attempt holds, whose it is, where it is and until when: the reservations of a pass.
SELECT a.job_id, a.attempt, j.name, u.name AS user_name, t.name AS team, j.priority, a.node,
       a.started_at, a.leaves_for, j.config->>'time_limit' AS time_limit,
       s.cpu_millis, s.memory_bytes, s.gpus, s.gpu_type
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
  JOIN users u ON u.id = j.user_id
  JOIN teams t ON t.id = j.team_id
  JOIN shapes s ON s.id = a.shape_id
 WHERE NOT a.released AND a.live
 ORDER BY a.job_id
