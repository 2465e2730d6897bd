-- The jobs that one push stored under an idempotency key, with the digest of what it asked for.
SELECT id, request_digest FROM jobs
 WHERE user_id = :user_id AND idem_key = ANY(CAST(:keys AS text[]))
 ORDER BY id
