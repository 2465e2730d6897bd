-- People whom the caller may see, by team and name, and when they were last seen.
SELECT u.name, t.name AS team, u.role, u.created_at,
       (SELECT max(k.last_used_at) FROM tokens k WHERE k.user_id = u.id) AS last_seen_at
  FROM users u JOIN teams t ON t.id = u.team_id
 WHERE (CAST(:team_id AS int) IS NULL OR u.team_id = CAST(:team_id AS int))
   AND (CAST(:name AS text) IS NULL OR u.name = CAST(:name AS text))
 ORDER BY t.name, u.name LIMIT 10000
