-- Messages about jobs that the caller may see, to people, newest first.
SELECT o.id, o.job_id, o.attempt, o.kind, o.recipient, o.body, o.state, o.tries, o.error,
       o.created_at, o.delivered_at
  FROM outbox o JOIN jobs j ON j.id = o.job_id
 WHERE o.channel = :channel
   AND (CAST(:team_id AS int) IS NULL OR j.team_id = CAST(:team_id AS int))
   AND (CAST(:job_id AS bigint) IS NULL OR o.job_id = CAST(:job_id AS bigint))
 ORDER BY o.id DESC LIMIT :limit
