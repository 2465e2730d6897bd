-- These notices did not arrive, and why.
UPDATE outbox SET tries = tries + 1, error = :error
 WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'pending'
