-- The public SQL surface: columns are added, never renamed or removed, within a version.

CREATE VIEW v_jobs AS
SELECT j.id AS job, t.name AS team, u.name AS "user", j.name, j.experiment,
       j.image->>'reference' AS image, j.image->>'digest' AS digest,
       j.image->>'git_commit' AS git_commit,
       j.state, j.reason, j.priority, j.attempt, j.sweep_id AS sweep,
       s.cpu_millis / 1000.0 AS cpus, s.memory_bytes, s.gpus, nullif(s.gpu_type, '') AS gpu_type,
       CAST(j.config->'params' AS jsonb) AS params, CAST(j.config->'labels' AS jsonb) AS labels,
       j.submitted_at, j.started_at, j.finished_at, j.cancel_requested_at,
       extract(epoch FROM coalesce(j.started_at, j.finished_at, now()) - j.submitted_at)
           AS waited_seconds,
       extract(epoch FROM coalesce(j.finished_at, now()) - j.started_at) AS ran_seconds
  FROM jobs j
  JOIN teams t ON t.id = j.team_id
  JOIN users u ON u.id = j.user_id
  JOIN shapes s ON s.id = j.shape_id;
COMMENT ON VIEW v_jobs IS 'One row a job: who, what, how it stands. Version 1.';

CREATE VIEW v_attempts AS
SELECT a.job_id AS job, a.attempt, t.name AS team, u.name AS "user", a.node,
       s.cpu_millis / 1000.0 AS cpus, s.memory_bytes, s.gpus, nullif(s.gpu_type, '') AS gpu_type,
       a.claimed_at, a.launched_at, a.started_at, a.finished_at, a.exit_code, a.reason, a.message,
       a.peak_memory_bytes, a.cpu_seconds, a.peak_gpu_memory_bytes, a.mean_gpu_percent,
       a.outputs_complete, a.mlflow_run_id,
       extract(epoch FROM coalesce(a.finished_at, now()) - a.started_at) AS ran_seconds
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
  JOIN teams t ON t.id = j.team_id
  JOIN users u ON u.id = j.user_id
  JOIN shapes s ON s.id = a.shape_id;
COMMENT ON VIEW v_attempts IS 'One row a launch of a job: where, how it ended, what it used. Version 1.';

CREATE VIEW v_queue AS
SELECT w.job_id AS job, t.name AS team, u.name AS "user", j.name, j.priority,
       s.cpu_millis / 1000.0 AS cpus, s.memory_bytes, s.gpus, nullif(s.gpu_type, '') AS gpu_type,
       j.submitted_at, w.enqueued_at, w.not_before, w.waits_for,
       extract(epoch FROM now() - j.submitted_at) AS waited_seconds, d.sentence AS why
  FROM (SELECT lane_id, job_id, enqueued_at, CAST(NULL AS timestamptz) AS not_before,
               CAST('[]' AS jsonb) AS waits_for
          FROM queue
         UNION ALL
        SELECT lane_id, job_id, NULL, not_before, waits_for FROM deferred) w
  JOIN jobs j ON j.id = w.job_id
  JOIN teams t ON t.id = j.team_id
  JOIN users u ON u.id = j.user_id
  JOIN shapes s ON s.id = j.shape_id
  LEFT JOIN LATERAL (
       SELECT sentence FROM decisions d WHERE d.lane_id = w.lane_id ORDER BY d.id DESC LIMIT 1) d
       ON true;
COMMENT ON VIEW v_queue IS 'One row a waiting job, with the last reason its lane was not admitted. Version 1.';

CREATE VIEW v_events AS
SELECT e.id AS event, e.job_id AS job, e.attempt, t.name AS team, u.name AS "user",
       e.from_state, e.to_state, e.reason, e.actor, e.detail, e.at
  FROM job_events e
  JOIN jobs j ON j.id = e.job_id
  JOIN teams t ON t.id = j.team_id
  JOIN users u ON u.id = j.user_id;
COMMENT ON VIEW v_events IS 'One row a move of a job: from, to, why, by whom. Version 1.';
