-- Take up to :batch due deliveries for :lease_seconds; another taker sees them again after that.
-- Notices are taken by recipient: see claim_recipient.
WITH due AS MATERIALIZED (
    SELECT id FROM outbox WHERE due_at <= now() AND channel <> 'messenger'
     ORDER BY due_at, id LIMIT :batch
       FOR UPDATE SKIP LOCKED)
UPDATE outbox o SET due_at = now() + make_interval(secs => :lease_seconds), tries = tries + 1
  FROM due WHERE o.id = due.id
RETURNING o.id, o.job_id, o.attempt, o.kind, o.channel, o.recipient, o.body, o.tries
