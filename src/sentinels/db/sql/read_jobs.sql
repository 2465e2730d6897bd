-- Jobs that the caller may see, by id, in the order asked for, each with its newest attempt and event.
SELECT j.id, j.name, j.experiment, u.name AS user_name, t.name AS team, j.image, j.config,
       j.state, j.reason, j.attempt, j.sweep_id,
       j.submitted_at, j.started_at, j.finished_at, j.cancel_requested_at, j.cancel_actor,
       s.cpu_millis, s.memory_bytes, s.gpus, s.gpu_type,
       a.exit_code, a.mlflow_url, e.id AS last_event, e.detail, a.mlflow_run_id, j.rerun_of,
       j.priority
  FROM jobs j
  JOIN users u ON u.id = j.user_id
  JOIN teams t ON t.id = j.team_id
  JOIN shapes s ON s.id = j.shape_id
  LEFT JOIN attempts a ON a.job_id = j.id AND a.attempt = j.attempt
  LEFT JOIN LATERAL (
       SELECT e.id, e.detail FROM job_events e
        WHERE e.job_id = j.id ORDER BY e.id DESC LIMIT 1) e ON true
 WHERE (CAST(:team_id AS int) IS NULL OR j.team_id = CAST(:team_id AS int))
   AND j.id = ANY(CAST(:ids AS bigint[]))
 ORDER BY array_position(CAST(:ids AS bigint[]), j.id)
