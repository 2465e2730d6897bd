-- An attempt that is over, with its job; its outcome is its last event's state.
SELECT a.job_id, a.attempt, j.state, j.name, j.experiment, j.image, j.config, j.sweep_id,
       u.name AS user_name, t.name AS team, u.notice_to AS owner_to, u.notice_on AS owner_on,
       t.notice_to AS team_to, t.notice_on AS team_on,
       s.cpu_millis, s.memory_bytes, s.gpus, s.gpu_type,
       a.uid, a.launched_at IS NOT NULL AS launched, false AS lease_expired,
       0 AS seconds_since_launch, j.submitted_at, j.cancel_requested_at, j.cancel_actor,
       a.mlflow_run_id, a.mlflow_url, a.outputs_url,
       e.to_state AS outcome, a.reason AS attempt_reason, a.exit_code, a.started_at, a.finished_at,
       coalesce(a.outputs_complete, true) AS outputs_complete,
       a.peak_memory_bytes, a.cpu_seconds, a.peak_gpu_memory_bytes, a.mean_gpu_percent,
       a.peak_cpu_cores, a.dossier
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
  JOIN users u ON u.id = j.user_id
  JOIN teams t ON t.id = j.team_id
  JOIN shapes s ON s.id = a.shape_id
 CROSS JOIN LATERAL (
       SELECT e.to_state FROM job_events e
        WHERE e.job_id = a.job_id AND e.attempt = a.attempt ORDER BY e.id DESC LIMIT 1) e
 WHERE a.job_id = :job_id AND a.attempt = :attempt AND NOT a.live
