-- Take, for :lease_seconds, the recipient who has waited longest among those who may be told now.
WITH waiting AS (
    SELECT coalesce(recipient, '') AS address, min(due_at) AS since FROM outbox
     WHERE channel = 'messenger' AND due_at <= now() GROUP BY recipient),
longest AS (
    SELECT w.address FROM waiting w LEFT JOIN recipients r ON r.address = w.address
     WHERE coalesce(r.next_at <= now(), true)
     ORDER BY w.since, w.address LIMIT 1)
INSERT INTO recipients AS r (address, next_at)
SELECT address, now() + make_interval(secs => :lease_seconds) FROM longest
ON CONFLICT (address) DO UPDATE SET next_at = excluded.next_at WHERE r.next_at <= now()
RETURNING r.address, r.failures
