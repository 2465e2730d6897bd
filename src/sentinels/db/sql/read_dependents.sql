-- One team's jobs that wait for a job to succeed.
SELECT d.job_id
  FROM deferred d JOIN jobs j ON j.id = d.job_id
 WHERE j.team_id = :team_id AND d.waits_for @> to_jsonb(CAST(:job_id AS bigint))
 ORDER BY d.job_id
