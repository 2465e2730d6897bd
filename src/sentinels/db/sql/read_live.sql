-- One team's jobs that were claimed and have not ended, oldest first.
SELECT a.job_id
  FROM attempts a JOIN jobs j ON j.id = a.job_id
 WHERE NOT a.released AND a.live AND j.team_id = :team_id
 ORDER BY a.job_id LIMIT :limit
