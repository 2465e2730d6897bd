-- Jobs that the caller may see, were claimed and have not ended, oldest first.
SELECT a.job_id
  FROM attempts a JOIN jobs j ON j.id = a.job_id
 WHERE NOT a.released AND a.live
   AND (CAST(:team_id AS int) IS NULL OR j.team_id = CAST(:team_id AS int))
   AND (CAST(:team AS text) IS NULL
        OR j.team_id = (SELECT t.id FROM teams t WHERE t.name = CAST(:team AS text)))
 ORDER BY a.job_id LIMIT :limit
