-- The newest job of this name that the caller may see, and whose it is: one index step a team.
SELECT j.id, j.attempt, j.user_id, t.id AS team_id, u.name AS user_name, t.name AS team
  FROM teams t
 CROSS JOIN LATERAL (
       SELECT j.id, j.attempt, j.user_id FROM jobs j
        WHERE j.team_id = t.id AND j.name = :name
        ORDER BY j.id DESC LIMIT 1) j
  JOIN users u ON u.id = j.user_id
 WHERE CAST(:team_id AS int) IS NULL OR t.id = CAST(:team_id AS int)
 ORDER BY j.id DESC LIMIT 1
