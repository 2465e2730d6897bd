-- The job of this id, if the caller may see it, and whose it is.
SELECT j.id, j.attempt, j.user_id, j.team_id, u.name AS user_name, t.name AS team
  FROM jobs j
  JOIN users u ON u.id = j.user_id
  JOIN teams t ON t.id = j.team_id
 WHERE j.id = :job_id
   AND (CAST(:team_id AS int) IS NULL OR j.team_id = CAST(:team_id AS int))
