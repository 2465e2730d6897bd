-- What each team held lately and this month, and how many seconds ago that was written.
SELECT t.name AS team, u.cpu_millis, u.memory_bytes, u.gpus,
       CASE WHEN u.month = CAST(date_trunc('month', now() AT TIME ZONE 'UTC') AS date)
            THEN u.gpu_hours ELSE 0 END AS gpu_hours,
       extract(epoch FROM now() - u.at) AS seconds
  FROM team_uses u JOIN teams t ON t.id = u.team_id
