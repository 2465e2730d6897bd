-- Add deliveries, each due after a while; one that is there already stays as it is.
INSERT INTO outbox (job_id, attempt, condition_id, kind, channel, recipient, body, due_at)
SELECT r.job_id, r.attempt, r.condition_id, r.kind, r.channel, r.recipient, coalesce(r.body, ''),
       now() + make_interval(secs => coalesce(r.after_seconds, 0))
  FROM jsonb_to_recordset(CAST(:items AS jsonb))
       AS r(job_id bigint, attempt int, condition_id bigint, kind text, channel text, recipient text,
            body text, after_seconds double precision)
ON CONFLICT (job_id, attempt, condition_id, kind, channel, recipient) DO NOTHING
