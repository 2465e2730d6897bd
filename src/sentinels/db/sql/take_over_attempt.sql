-- Renew the lease of an attempt that nobody drives any more. No row back: somebody else does.
UPDATE attempts SET lease_until = now() + make_interval(secs => :lease_seconds)
 WHERE job_id = :job_id AND attempt = :attempt AND live
   AND coalesce(lease_until, launched_at) < now() - make_interval(secs => :idle_seconds)
RETURNING job_id
