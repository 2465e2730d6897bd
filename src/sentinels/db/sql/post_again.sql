-- Add notices, each due after a while; one of the same kind that still waits to be told is told
-- together with the new one, and one that was told is told anew.
INSERT INTO outbox (job_id, attempt, kind, channel, recipient, body, due_at)
SELECT r.job_id, r.attempt, r.kind, r.channel, r.recipient, r.body,
       now() + make_interval(secs => r.after_seconds)
  FROM jsonb_to_recordset(CAST(:items AS jsonb))
       AS r(job_id bigint, attempt int, kind text, channel text, recipient text, body text,
            after_seconds double precision)
ON CONFLICT (job_id, attempt, condition_id, kind, channel, recipient) DO UPDATE
   SET body = CASE WHEN outbox.state = 'pending'
                   THEN left(outbox.body || E'\n' || excluded.body, 2000) ELSE excluded.body END,
       state = 'pending', due_at = excluded.due_at, created_at = now(), delivered_at = NULL,
       tries = 0, error = NULL
