-- One end of a sweep's jobs at a time; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(7236052, CAST(:sweep_id % 2147483647 AS int))
