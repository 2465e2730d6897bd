-- One admission at a time in the whole cluster; the lock ends with the transaction. It is a row and no
-- advisory lock: one of those could be taken by whoever may ask SQL.
WITH held AS (SELECT name FROM locks WHERE name = 'dispatch' FOR UPDATE SKIP LOCKED)
SELECT count(*) = 1 AS granted FROM held
