-- The jobs that wait for a job to succeed, of those that the caller may see.
SELECT d.job_id
  FROM deferred d JOIN jobs j ON j.id = d.job_id
 WHERE (CAST(:team_id AS int) IS NULL OR j.team_id = CAST(:team_id AS int))
   AND d.waits_for @> to_jsonb(CAST(:job_id AS bigint))
 ORDER BY d.job_id
