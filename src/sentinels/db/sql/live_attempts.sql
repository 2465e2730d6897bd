-- Every attempt that may have a workload, with what settling and launching need to know of its job.
SELECT a.job_id, a.attempt, j.state, j.name, j.experiment, j.image, j.config, j.sweep_id,
       u.name AS user_name, t.name AS team, u.notice_to AS owner_to, u.notice_on AS owner_on,
       t.notice_to AS team_to, t.notice_on AS team_on,
       s.cpu_millis, s.memory_bytes, s.gpus, s.gpu_type,
       a.uid, a.launched_at IS NOT NULL AS launched,
       coalesce(a.lease_until < now(), false) AS lease_expired,
       extract(epoch FROM now() - coalesce(a.launched_at, a.claimed_at)) AS seconds_since_launch,
       j.submitted_at, j.cancel_requested_at, j.cancel_actor, a.mlflow_run_id, a.mlflow_url, a.outputs_url,
       a.leaves_for, a.avoids
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
  JOIN users u ON u.id = j.user_id
  JOIN teams t ON t.id = j.team_id
  JOIN shapes s ON s.id = a.shape_id
 WHERE NOT a.released AND a.live
   AND (CAST(:job_ids AS bigint[]) IS NULL OR a.job_id = ANY(CAST(:job_ids AS bigint[])))
 ORDER BY a.job_id, a.attempt
