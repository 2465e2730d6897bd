-- Every live attempt with its node (null: not seen on one yet), its owner, and how long it may run.
SELECT a.job_id, a.attempt, u.name AS user_name, t.name AS team, a.node, a.started_at,
       j.config->>'time_limit' AS time_limit
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
  JOIN users u ON u.id = j.user_id
  JOIN teams t ON t.id = j.team_id
 WHERE NOT a.released AND a.live AND (a.node = :node OR a.node IS NULL)
 ORDER BY a.job_id, a.attempt
