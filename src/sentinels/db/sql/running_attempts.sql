-- The attempts that have run for so long, and which kinds of notices were posted about each.
SELECT a.job_id, a.attempt, j.state, j.name, j.experiment, j.image, j.config, j.sweep_id,
       u.name AS user_name, t.name AS team, u.notice_to AS owner_to, u.notice_on AS owner_on,
       t.notice_to AS team_to, t.notice_on AS team_on,
       s.cpu_millis, s.memory_bytes, s.gpus, s.gpu_type,
       a.uid, a.launched_at IS NOT NULL AS launched, false AS lease_expired,
       0 AS seconds_since_launch, j.submitted_at, j.cancel_requested_at, j.cancel_actor,
       a.mlflow_run_id, a.mlflow_url, a.outputs_url, a.started_at,
       ARRAY(SELECT DISTINCT o.kind FROM outbox o
              WHERE o.job_id = a.job_id AND o.attempt = a.attempt) AS told
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
  JOIN users u ON u.id = j.user_id
  JOIN teams t ON t.id = j.team_id
  JOIN shapes s ON s.id = a.shape_id
 WHERE NOT a.released AND a.live AND j.state = 'running'
   AND a.started_at <= now() - make_interval(secs => :for_seconds)
 ORDER BY a.job_id, a.attempt
