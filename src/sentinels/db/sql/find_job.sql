-- The job of this id, or the newest of this name, that the caller may see, and whose it is.
SELECT j.id, j.attempt, j.user_id, j.team_id, u.name AS user_name, t.name AS team
  FROM jobs j
  JOIN users u ON u.id = j.user_id
  JOIN teams t ON t.id = j.team_id
 WHERE (CAST(:team_id AS int) IS NULL OR j.team_id = CAST(:team_id AS int))
   AND (CAST(:job_id AS bigint) IS NULL OR j.id = CAST(:job_id AS bigint))
   AND (CAST(:name AS text) IS NULL OR j.name = CAST(:name AS text))
 ORDER BY j.id DESC LIMIT 1
