-- Notices that an address refused for good go to the default channel, with what was said, once.
INSERT INTO outbox (job_id, attempt, condition_id, kind, channel, recipient, body)
SELECT job_id, attempt, condition_id, kind, channel, NULL, body || :addition
  FROM outbox WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'pending' AND recipient IS NOT NULL
ON CONFLICT (job_id, attempt, condition_id, kind, channel, recipient) DO NOTHING
