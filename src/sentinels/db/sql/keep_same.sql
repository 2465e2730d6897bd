-- Remember the first job of a push whose place is held, and forget the user's old pushes.
WITH old AS (
    SELECT digest FROM same_pushes
     WHERE user_id = :user_id AND digest <> :digest AND at < now() - make_interval(secs => :seconds)
     LIMIT 100 FOR UPDATE SKIP LOCKED),
forgotten AS (
    DELETE FROM same_pushes WHERE user_id = :user_id AND digest IN (SELECT digest FROM old))
UPDATE same_pushes SET job_id = :job_id, at = now() WHERE user_id = :user_id AND digest = :digest
