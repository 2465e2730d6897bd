-- Ask for the end of a live job that the caller may change; its state changes when its workload is seen gone.
UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, now()),
                cancel_actor = coalesce(cancel_actor, :actor)
 WHERE id = :job_id AND state IN ('dispatched', 'running')
   AND (CAST(:team_id AS int) IS NULL OR team_id = CAST(:team_id AS int))
   AND (CAST(:user_id AS int) IS NULL OR user_id = CAST(:user_id AS int))
RETURNING id
