-- One admission at a time in the whole cluster; the lock ends with the transaction.
SELECT pg_try_advisory_xact_lock(7236051) AS granted
