-- Ask for the end of a live job; its state changes when its workload is seen gone.
UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, now()),
                cancel_actor = coalesce(cancel_actor, :actor)
 WHERE id = :job_id AND state IN ('dispatched', 'running')
RETURNING id
