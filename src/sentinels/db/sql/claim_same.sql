-- Hold the place of a push among its user's until the transaction ends; the job that had it, within
-- so many seconds. It waits for whoever holds it, so what it sees of other tables may be older.
INSERT INTO same_pushes AS s (user_id, digest) VALUES (:user_id, :digest)
ON CONFLICT (user_id, digest) DO UPDATE SET digest = s.digest
RETURNING CASE WHEN at > now() - make_interval(secs => :seconds) THEN job_id END
