-- More views for people, a word on every column of all of them, a place for what was run again; and
-- the dispatch lock as a row: an advisory lock could be taken by whoever may ask SQL.
ALTER TABLE jobs ADD COLUMN rerun_of BIGINT;

COMMENT ON COLUMN jobs.rerun_of IS 'the job whose config and image it has';

CREATE TABLE locks (
    name TEXT NOT NULL,
    CONSTRAINT locks_pkey PRIMARY KEY (name)
);

COMMENT ON COLUMN locks.name IS 'dispatch: held by a pass that admits jobs';

INSERT INTO locks (name) VALUES ('dispatch');

CREATE VIEW v_reasons AS
SELECT reason, reason_class, sentence
  FROM (VALUES
       ('exited_nonzero', 'user', 'the program ended with a non-zero exit code'),
       ('out_of_memory', 'user', 'it used more memory than it asked for'),
       ('deadline_exceeded', 'user', 'it ran into its own time limit'),
       ('killed', 'user', 'a signal ended it that Sentinels did not send'),
       ('rejected', 'user', 'the cluster refused the workload as it was described'),
       ('image_unavailable', 'user', 'there is no such image'),
       ('config_missing', 'user', 'a secret or setting that it names does not exist'),
       ('dependency_failed', 'operator', 'a job it was to start after did not succeed'),
       ('evicted', 'infrastructure', 'its node asked it to leave'),
       ('preempted', 'infrastructure', 'a more urgent job took its place'),
       ('node_lost', 'infrastructure', 'its node disappeared'),
       ('workload_lost', 'infrastructure', 'its workload disappeared before an outcome was recorded'),
       ('never_placed', 'infrastructure', 'the cluster could not place it in time'),
       ('quota_exceeded', 'infrastructure', 'the quota of its team''s namespace left no room for it'),
       ('registry_unavailable', 'infrastructure', 'the image registry did not answer'),
       ('cancelled', 'operator', 'somebody cancelled it'))
       AS r(reason, reason_class, sentence);

CREATE OR REPLACE VIEW v_jobs AS
SELECT j.id AS job, t.name AS team, u.name AS "user", j.name, j.experiment,
       j.image->>'reference' AS image, j.image->>'digest' AS digest,
       j.image->>'git_commit' AS git_commit,
       j.state, j.reason, j.priority, j.attempt, j.sweep_id AS sweep,
       s.cpu_millis / 1000.0 AS cpus, s.memory_bytes, s.gpus, nullif(s.gpu_type, '') AS gpu_type,
       CAST(j.config->'params' AS jsonb) AS params, CAST(j.config->'labels' AS jsonb) AS labels,
       j.submitted_at, j.started_at, j.finished_at, j.cancel_requested_at,
       extract(epoch FROM coalesce(j.started_at, j.finished_at, now()) - j.submitted_at)
           AS waited_seconds,
       extract(epoch FROM coalesce(j.finished_at, now()) - j.started_at) AS ran_seconds,
       r.reason_class, j.rerun_of, CAST(j.config->'after' AS jsonb) AS starts_after
  FROM jobs j
  JOIN teams t ON t.id = j.team_id
  JOIN users u ON u.id = j.user_id
  JOIN shapes s ON s.id = j.shape_id
  LEFT JOIN v_reasons r ON r.reason = CAST(j.reason AS text);

CREATE OR REPLACE VIEW v_attempts AS
SELECT a.job_id AS job, a.attempt, t.name AS team, u.name AS "user", a.node,
       s.cpu_millis / 1000.0 AS cpus, s.memory_bytes, s.gpus, nullif(s.gpu_type, '') AS gpu_type,
       a.claimed_at, a.launched_at, a.started_at, a.finished_at, a.exit_code, a.reason, a.message,
       a.peak_memory_bytes, a.cpu_seconds, a.peak_gpu_memory_bytes, a.mean_gpu_percent,
       a.outputs_complete, a.mlflow_run_id,
       extract(epoch FROM coalesce(a.finished_at, now()) - a.started_at) AS ran_seconds,
       j.name, j.experiment, a.live, r.reason_class, a.peak_cpu_cores,
       h.held_from, h.held_until, extract(epoch FROM h.held_until - h.held_from) AS held_seconds
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
  JOIN teams t ON t.id = j.team_id
  JOIN users u ON u.id = j.user_id
  JOIN shapes s ON s.id = a.shape_id
  LEFT JOIN v_reasons r ON r.reason = CAST(a.reason AS text)
 CROSS JOIN LATERAL (
       SELECT b.held_from,
              CASE WHEN b.held_from IS NOT NULL
                   THEN greatest(b.held_from, CASE WHEN a.live THEN now() ELSE a.finished_at END)
              END AS held_until
         FROM (SELECT least(a.launched_at, a.started_at) AS held_from) b) h;

CREATE VIEW v_waits AS
SELECT j.id AS job, t.name AS team, u.name AS "user", j.name, j.experiment, j.priority,
       s.cpu_millis / 1000.0 AS cpus, s.memory_bytes, s.gpus, nullif(s.gpu_type, '') AS gpu_type,
       j.submitted_at AS pushed_at, a.first_launched_at, a.first_started_at,
       CASE WHEN a.first_started_at IS NOT NULL THEN 'started'
            WHEN j.finished_at IS NULL THEN 'waits' ELSE 'never started' END AS outcome,
       extract(epoch FROM greatest(
           coalesce(a.first_started_at, j.finished_at, now()), j.submitted_at) - j.submitted_at)
           AS waited_seconds,
       CAST(j.config->'after' AS jsonb) AS starts_after
  FROM jobs j
  JOIN teams t ON t.id = j.team_id
  JOIN users u ON u.id = j.user_id
  JOIN shapes s ON s.id = j.shape_id
 CROSS JOIN LATERAL (
       SELECT min(a.launched_at) AS first_launched_at, min(a.started_at) AS first_started_at
         FROM attempts a WHERE a.job_id = j.id) a;

CREATE VIEW v_usage AS
SELECT a.job, a.attempt, CAST(d.day AS date) AS day, a.team, a."user", a.name, a.experiment,
       a.gpu_type, h.hours AS held_hours, h.hours * a.cpus AS cpu_hours,
       h.hours * a.memory_bytes / 1073741824 AS gib_hours, h.hours * a.gpus AS gpu_hours,
       CASE WHEN a.held_seconds > 0 THEN a.cpu_seconds * h.hours / a.held_seconds END AS used_cpu_hours
  FROM (SELECT *, held_from AT TIME ZONE 'UTC' AS begun, held_until AT TIME ZONE 'UTC' AS ended
          FROM v_attempts WHERE held_from IS NOT NULL) a
 CROSS JOIN LATERAL generate_series(date_trunc('day', a.begun), a.ended, interval '1 day') d(day)
 CROSS JOIN LATERAL (
       SELECT CAST(extract(epoch FROM least(a.ended, d.day + interval '1 day')
                                      - greatest(a.begun, d.day)) AS double precision) / 3600
              AS hours) h
 WHERE h.hours > 0 OR d.day = date_trunc('day', a.begun);

CREATE VIEW v_usage_daily AS
SELECT day, team, "user", experiment,
       CAST(sum(jobs) AS bigint) AS jobs, CAST(sum(attempts) AS bigint) AS attempts,
       sum(held_hours) AS held_hours, sum(cpu_hours) AS cpu_hours, sum(gib_hours) AS gib_hours,
       sum(gpu_hours) AS gpu_hours,
       coalesce(jsonb_object_agg(gpu_type, gpu_hours) FILTER (WHERE gpu_hours > 0), '{}')
           AS gpu_hours_by_type,
       sum(used_cpu_hours) AS used_cpu_hours
  FROM (SELECT day, team, "user", experiment, coalesce(gpu_type, 'any') AS gpu_type,
               count(DISTINCT job) AS jobs, count(*) AS attempts,
               sum(held_hours) AS held_hours, sum(cpu_hours) AS cpu_hours,
               sum(gib_hours) AS gib_hours, sum(gpu_hours) AS gpu_hours,
               sum(used_cpu_hours) AS used_cpu_hours
          FROM v_usage GROUP BY day, team, "user", experiment, coalesce(gpu_type, 'any')) by_type
 GROUP BY day, team, "user", experiment;

CREATE VIEW v_outcomes AS
SELECT j.id AS job, t.name AS team, u.name AS "user", j.name, j.experiment,
       j.state, j.reason, r.reason_class, a.exit_code, coalesce(e.detail, r.sentence) AS message,
       j.attempt AS attempts, a.node, j.submitted_at, j.started_at, j.finished_at,
       extract(epoch FROM j.finished_at - j.started_at) AS ran_seconds,
       coalesce(h.held_hours, 0) AS held_hours, coalesce(h.cpu_hours, 0) AS cpu_hours,
       coalesce(h.gib_hours, 0) AS gib_hours, coalesce(h.gpu_hours, 0) AS gpu_hours
  FROM jobs j
  JOIN teams t ON t.id = j.team_id
  JOIN users u ON u.id = j.user_id
  LEFT JOIN v_reasons r ON r.reason = CAST(j.reason AS text)
  LEFT JOIN attempts a ON a.job_id = j.id AND a.attempt = j.attempt
  LEFT JOIN LATERAL (
       SELECT nullif(e.detail, '') AS detail FROM job_events e
        WHERE e.job_id = j.id ORDER BY e.id DESC LIMIT 1) e ON true
 CROSS JOIN LATERAL (
       SELECT CAST(sum(v.held_seconds) AS double precision) / 3600 AS held_hours,
              CAST(sum(v.held_seconds * v.cpus) AS double precision) / 3600 AS cpu_hours,
              CAST(sum(v.held_seconds * v.memory_bytes) AS double precision) / 3600 / 1073741824
                  AS gib_hours,
              CAST(sum(v.held_seconds * v.gpus) AS double precision) / 3600 AS gpu_hours
         FROM v_attempts v WHERE v.job = j.id) h
 WHERE j.finished_at IS NOT NULL;

CREATE VIEW v_failures AS
SELECT a.job, a.attempt, a.team, a."user", a.name, a.experiment, a.reason, a.reason_class,
       a.exit_code, coalesce(nullif(a.message, ''), r.sentence) AS message, a.node, a.finished_at,
       e.to_state AS job_became, h.hours AS held_hours, h.hours * a.cpus AS cpu_hours,
       h.hours * a.memory_bytes / 1073741824 AS gib_hours, h.hours * a.gpus AS gpu_hours
  FROM v_attempts a
  JOIN v_reasons r ON r.reason = CAST(a.reason AS text)
  LEFT JOIN LATERAL (
       SELECT e.to_state FROM job_events e
        WHERE e.job_id = a.job AND e.attempt = a.attempt ORDER BY e.id DESC LIMIT 1) e ON true
 CROSS JOIN LATERAL (
       SELECT CAST(coalesce(a.held_seconds, 0) AS double precision) / 3600 AS hours) h
 WHERE NOT a.live;

CREATE VIEW v_decisions AS
SELECT d.id AS decision, t.name AS team, l.priority,
       s.cpu_millis / 1000.0 AS cpus, s.memory_bytes, s.gpus, nullif(s.gpu_type, '') AS gpu_type,
       d.code, d.sentence, d.facts, d.at,
       lead(d.at) OVER (PARTITION BY d.lane_id ORDER BY d.id) AS changed_at
  FROM decisions d
  JOIN lanes l ON l.id = d.lane_id
  JOIN teams t ON t.id = l.team_id
  JOIN shapes s ON s.id = l.shape_id;

CREATE VIEW v_nodes AS
SELECT n.name AS node, n.ready, n.detail, coalesce(n.wish = 'close', false) AS retiring,
       n.cpu_millis / 1000.0 AS cpus, n.memory_bytes, n.gpus, nullif(n.gpu_type, '') AS gpu_type,
       coalesce(h.cpu_millis, 0) / 1000.0 AS held_cpus, coalesce(h.memory_bytes, 0) AS held_memory_bytes,
       coalesce(h.gpus, 0) AS held_gpus, h.attempts, n.seen_at
  FROM nodes n
 CROSS JOIN LATERAL (
       SELECT sum(s.cpu_millis) AS cpu_millis, sum(s.memory_bytes) AS memory_bytes,
              sum(s.gpus) AS gpus, count(*) AS attempts
         FROM attempts a JOIN shapes s ON s.id = a.shape_id
        WHERE NOT a.released AND a.live AND a.node = n.name) h;

COMMENT ON VIEW v_reasons IS 'Why attempts end without success, whose doing each is, and what it means. Version 1.';
COMMENT ON VIEW v_waits IS 'One row a job: how long it waited for its first start. Version 1.';
COMMENT ON VIEW v_usage IS 'What each attempt held on each day, cut at midnight UTC. Version 1.';
COMMENT ON VIEW v_usage_daily IS 'What was held on each day by team, user and experiment. Version 1.';
COMMENT ON VIEW v_outcomes IS 'One row a job that has ended: how, why, and what all its attempts held. Version 1.';
COMMENT ON VIEW v_failures IS 'One row an attempt that ended without success, and what it held for nothing. Version 1.';
COMMENT ON VIEW v_decisions IS 'Why waiting jobs of a team, priority and shape were not started; a row a change. Version 1.';
COMMENT ON VIEW v_nodes IS 'One row a node, as the last dispatch pass saw it. Version 1.';

COMMENT ON COLUMN v_reasons.reason IS 'the word';
COMMENT ON COLUMN v_reasons.reason_class IS 'user, infrastructure or operator: whose doing it is';
COMMENT ON COLUMN v_reasons.sentence IS 'what it means';

COMMENT ON COLUMN v_jobs.job IS 'its id';
COMMENT ON COLUMN v_jobs.team IS 'its team';
COMMENT ON COLUMN v_jobs."user" IS 'who pushed it';
COMMENT ON COLUMN v_jobs.name IS 'its name';
COMMENT ON COLUMN v_jobs.experiment IS 'its MLflow experiment';
COMMENT ON COLUMN v_jobs.image IS 'the image as it was named';
COMMENT ON COLUMN v_jobs.digest IS 'what exactly the image was';
COMMENT ON COLUMN v_jobs.git_commit IS 'the commit of a directory of code';
COMMENT ON COLUMN v_jobs.state IS 'queued, dispatched, running, succeeded, failed or cancelled';
COMMENT ON COLUMN v_jobs.reason IS 'why it did not succeed; see v_reasons';
COMMENT ON COLUMN v_jobs.priority IS 'the number of its priority class';
COMMENT ON COLUMN v_jobs.attempt IS 'its newest attempt; 0: never launched';
COMMENT ON COLUMN v_jobs.sweep IS 'the first job of its sweep';
COMMENT ON COLUMN v_jobs.cpus IS 'CPUs asked for';
COMMENT ON COLUMN v_jobs.memory_bytes IS 'memory asked for';
COMMENT ON COLUMN v_jobs.gpus IS 'GPUs asked for';
COMMENT ON COLUMN v_jobs.gpu_type IS 'the type of GPU asked for; null: any';
COMMENT ON COLUMN v_jobs.params IS 'its parameters';
COMMENT ON COLUMN v_jobs.labels IS 'its labels';
COMMENT ON COLUMN v_jobs.submitted_at IS 'when it was pushed';
COMMENT ON COLUMN v_jobs.started_at IS 'when it was last started';
COMMENT ON COLUMN v_jobs.finished_at IS 'when it ended';
COMMENT ON COLUMN v_jobs.cancel_requested_at IS 'when somebody asked for its end';
COMMENT ON COLUMN v_jobs.waited_seconds IS 'from the push to its last start; for one that never started, to its end or to now';
COMMENT ON COLUMN v_jobs.ran_seconds IS 'from its last start to its end or to now';
COMMENT ON COLUMN v_jobs.reason_class IS 'whose doing the reason is';
COMMENT ON COLUMN v_jobs.rerun_of IS 'the job that it is a rerun of';
COMMENT ON COLUMN v_jobs.starts_after IS 'the jobs that must succeed before it';

COMMENT ON COLUMN v_attempts.job IS 'its job';
COMMENT ON COLUMN v_attempts.attempt IS 'the nth launch of the job';
COMMENT ON COLUMN v_attempts.team IS 'its team';
COMMENT ON COLUMN v_attempts."user" IS 'who pushed the job';
COMMENT ON COLUMN v_attempts.node IS 'where it ran';
COMMENT ON COLUMN v_attempts.cpus IS 'CPUs asked for';
COMMENT ON COLUMN v_attempts.memory_bytes IS 'memory asked for';
COMMENT ON COLUMN v_attempts.gpus IS 'GPUs asked for';
COMMENT ON COLUMN v_attempts.gpu_type IS 'the type of GPU asked for; null: any';
COMMENT ON COLUMN v_attempts.claimed_at IS 'when dispatch took the job from the queue';
COMMENT ON COLUMN v_attempts.launched_at IS 'when the cluster was given it';
COMMENT ON COLUMN v_attempts.started_at IS 'when its program was started';
COMMENT ON COLUMN v_attempts.finished_at IS 'when it ended';
COMMENT ON COLUMN v_attempts.exit_code IS 'its program''s exit code';
COMMENT ON COLUMN v_attempts.reason IS 'why it did not succeed; see v_reasons';
COMMENT ON COLUMN v_attempts.message IS 'the same in a sentence';
COMMENT ON COLUMN v_attempts.peak_memory_bytes IS 'the most memory it used; null: not measured';
COMMENT ON COLUMN v_attempts.cpu_seconds IS 'the CPU time it used; null: not measured';
COMMENT ON COLUMN v_attempts.peak_gpu_memory_bytes IS 'the most GPU memory it used; null: not measured';
COMMENT ON COLUMN v_attempts.mean_gpu_percent IS 'how busy its GPUs were; null: not measured';
COMMENT ON COLUMN v_attempts.outputs_complete IS 'whether all that it left reached MLflow';
COMMENT ON COLUMN v_attempts.mlflow_run_id IS 'its run in MLflow';
COMMENT ON COLUMN v_attempts.ran_seconds IS 'from its start to its end or to now';
COMMENT ON COLUMN v_attempts.name IS 'the job''s name';
COMMENT ON COLUMN v_attempts.experiment IS 'the job''s MLflow experiment';
COMMENT ON COLUMN v_attempts.live IS 'whether something of it may still run';
COMMENT ON COLUMN v_attempts.reason_class IS 'whose doing the reason is';
COMMENT ON COLUMN v_attempts.peak_cpu_cores IS 'the most CPUs it kept busy; null: not measured';
COMMENT ON COLUMN v_attempts.held_from IS 'since when it held what it asked for: its launch; null: never launched';
COMMENT ON COLUMN v_attempts.held_until IS 'until when: its end, or now';
COMMENT ON COLUMN v_attempts.held_seconds IS 'how long that is';

COMMENT ON COLUMN v_queue.job IS 'its id';
COMMENT ON COLUMN v_queue.team IS 'its team';
COMMENT ON COLUMN v_queue."user" IS 'who pushed it';
COMMENT ON COLUMN v_queue.name IS 'its name';
COMMENT ON COLUMN v_queue.priority IS 'the number of its priority class';
COMMENT ON COLUMN v_queue.cpus IS 'CPUs asked for';
COMMENT ON COLUMN v_queue.memory_bytes IS 'memory asked for';
COMMENT ON COLUMN v_queue.gpus IS 'GPUs asked for';
COMMENT ON COLUMN v_queue.gpu_type IS 'the type of GPU asked for; null: any';
COMMENT ON COLUMN v_queue.submitted_at IS 'when it was pushed';
COMMENT ON COLUMN v_queue.enqueued_at IS 'since when it stands in line; null: not yet';
COMMENT ON COLUMN v_queue.not_before IS 'when it may stand in line at the earliest, after a failed attempt';
COMMENT ON COLUMN v_queue.waits_for IS 'the jobs that must succeed before it';
COMMENT ON COLUMN v_queue.waited_seconds IS 'from the push to now';
COMMENT ON COLUMN v_queue.why IS 'why it was not started, as the last pass saw it';

COMMENT ON COLUMN v_events.event IS 'its id; ids grow';
COMMENT ON COLUMN v_events.job IS 'which job';
COMMENT ON COLUMN v_events.attempt IS 'which attempt of it';
COMMENT ON COLUMN v_events.team IS 'the job''s team';
COMMENT ON COLUMN v_events."user" IS 'who pushed the job';
COMMENT ON COLUMN v_events.from_state IS 'the state before; null for the push';
COMMENT ON COLUMN v_events.to_state IS 'the state after';
COMMENT ON COLUMN v_events.reason IS 'why, where it was no success; see v_reasons';
COMMENT ON COLUMN v_events.actor IS 'who moved it: a person, dispatch or notify';
COMMENT ON COLUMN v_events.detail IS 'the same in a sentence';
COMMENT ON COLUMN v_events.at IS 'when';

COMMENT ON COLUMN v_waits.job IS 'its id';
COMMENT ON COLUMN v_waits.team IS 'its team';
COMMENT ON COLUMN v_waits."user" IS 'who pushed it';
COMMENT ON COLUMN v_waits.name IS 'its name';
COMMENT ON COLUMN v_waits.experiment IS 'its MLflow experiment';
COMMENT ON COLUMN v_waits.priority IS 'the number of its priority class';
COMMENT ON COLUMN v_waits.cpus IS 'CPUs asked for';
COMMENT ON COLUMN v_waits.memory_bytes IS 'memory asked for';
COMMENT ON COLUMN v_waits.gpus IS 'GPUs asked for';
COMMENT ON COLUMN v_waits.gpu_type IS 'the type of GPU asked for; null: any';
COMMENT ON COLUMN v_waits.pushed_at IS 'when it was pushed';
COMMENT ON COLUMN v_waits.first_launched_at IS 'when the cluster was first given it';
COMMENT ON COLUMN v_waits.first_started_at IS 'when its program was first started';
COMMENT ON COLUMN v_waits.outcome IS 'started, waits or never started';
COMMENT ON COLUMN v_waits.waited_seconds IS 'from the push to the first start; else to its end, or to now';
COMMENT ON COLUMN v_waits.starts_after IS 'the jobs that must succeed before it, for which it waits too';

COMMENT ON COLUMN v_usage.job IS 'which job';
COMMENT ON COLUMN v_usage.attempt IS 'which attempt of it';
COMMENT ON COLUMN v_usage.day IS 'the day, in UTC';
COMMENT ON COLUMN v_usage.team IS 'its team';
COMMENT ON COLUMN v_usage."user" IS 'who pushed the job';
COMMENT ON COLUMN v_usage.name IS 'the job''s name';
COMMENT ON COLUMN v_usage.experiment IS 'the job''s MLflow experiment';
COMMENT ON COLUMN v_usage.gpu_type IS 'the type of GPU asked for; null: any';
COMMENT ON COLUMN v_usage.held_hours IS 'how long it held what it asked for on that day';
COMMENT ON COLUMN v_usage.cpu_hours IS 'that, times the CPUs asked for';
COMMENT ON COLUMN v_usage.gib_hours IS 'that, times the GiB of memory asked for';
COMMENT ON COLUMN v_usage.gpu_hours IS 'that, times the GPUs asked for';
COMMENT ON COLUMN v_usage.used_cpu_hours IS 'the CPU time it used, spread evenly over its days; null: not measured';

COMMENT ON COLUMN v_usage_daily.day IS 'the day, in UTC';
COMMENT ON COLUMN v_usage_daily.team IS 'the team';
COMMENT ON COLUMN v_usage_daily."user" IS 'the user';
COMMENT ON COLUMN v_usage_daily.experiment IS 'the MLflow experiment';
COMMENT ON COLUMN v_usage_daily.jobs IS 'jobs that held something on that day';
COMMENT ON COLUMN v_usage_daily.attempts IS 'attempts that did';
COMMENT ON COLUMN v_usage_daily.held_hours IS 'how long all of them together held what they asked for';
COMMENT ON COLUMN v_usage_daily.cpu_hours IS 'CPU-hours asked for';
COMMENT ON COLUMN v_usage_daily.gib_hours IS 'GiB-hours of memory asked for';
COMMENT ON COLUMN v_usage_daily.gpu_hours IS 'GPU-hours asked for';
COMMENT ON COLUMN v_usage_daily.gpu_hours_by_type IS 'the same by type of GPU; any: no type was asked for';
COMMENT ON COLUMN v_usage_daily.used_cpu_hours IS 'CPU-hours used, as far as measured';

COMMENT ON COLUMN v_outcomes.job IS 'its id';
COMMENT ON COLUMN v_outcomes.team IS 'its team';
COMMENT ON COLUMN v_outcomes."user" IS 'who pushed it';
COMMENT ON COLUMN v_outcomes.name IS 'its name';
COMMENT ON COLUMN v_outcomes.experiment IS 'its MLflow experiment';
COMMENT ON COLUMN v_outcomes.state IS 'succeeded, failed or cancelled';
COMMENT ON COLUMN v_outcomes.reason IS 'why it did not succeed; see v_reasons';
COMMENT ON COLUMN v_outcomes.reason_class IS 'whose doing the reason is';
COMMENT ON COLUMN v_outcomes.exit_code IS 'its last attempt''s exit code';
COMMENT ON COLUMN v_outcomes.message IS 'why, in a sentence';
COMMENT ON COLUMN v_outcomes.attempts IS 'how often it was launched';
COMMENT ON COLUMN v_outcomes.node IS 'where its last attempt ran';
COMMENT ON COLUMN v_outcomes.submitted_at IS 'when it was pushed';
COMMENT ON COLUMN v_outcomes.started_at IS 'when it was last started';
COMMENT ON COLUMN v_outcomes.finished_at IS 'when it ended';
COMMENT ON COLUMN v_outcomes.ran_seconds IS 'from its last start to its end';
COMMENT ON COLUMN v_outcomes.held_hours IS 'how long all its attempts held what they asked for';
COMMENT ON COLUMN v_outcomes.cpu_hours IS 'that, times the CPUs';
COMMENT ON COLUMN v_outcomes.gib_hours IS 'that, times the GiB of memory';
COMMENT ON COLUMN v_outcomes.gpu_hours IS 'that, times the GPUs';

COMMENT ON COLUMN v_failures.job IS 'which job';
COMMENT ON COLUMN v_failures.attempt IS 'which attempt of it';
COMMENT ON COLUMN v_failures.team IS 'its team';
COMMENT ON COLUMN v_failures."user" IS 'who pushed the job';
COMMENT ON COLUMN v_failures.name IS 'the job''s name';
COMMENT ON COLUMN v_failures.experiment IS 'the job''s MLflow experiment';
COMMENT ON COLUMN v_failures.reason IS 'why; see v_reasons';
COMMENT ON COLUMN v_failures.reason_class IS 'whose doing it was';
COMMENT ON COLUMN v_failures.exit_code IS 'its program''s exit code';
COMMENT ON COLUMN v_failures.message IS 'why, in a sentence';
COMMENT ON COLUMN v_failures.node IS 'where it ran';
COMMENT ON COLUMN v_failures.finished_at IS 'when it ended';
COMMENT ON COLUMN v_failures.job_became IS 'what became of the job: queued again, failed or cancelled';
COMMENT ON COLUMN v_failures.held_hours IS 'how long it held what it asked for';
COMMENT ON COLUMN v_failures.cpu_hours IS 'that, times the CPUs';
COMMENT ON COLUMN v_failures.gib_hours IS 'that, times the GiB of memory';
COMMENT ON COLUMN v_failures.gpu_hours IS 'that, times the GPUs';

COMMENT ON COLUMN v_decisions.decision IS 'its id; ids grow';
COMMENT ON COLUMN v_decisions.team IS 'whose jobs';
COMMENT ON COLUMN v_decisions.priority IS 'the number of their priority class';
COMMENT ON COLUMN v_decisions.cpus IS 'CPUs that each asks for';
COMMENT ON COLUMN v_decisions.memory_bytes IS 'memory that each asks for';
COMMENT ON COLUMN v_decisions.gpus IS 'GPUs that each asks for';
COMMENT ON COLUMN v_decisions.gpu_type IS 'the type of GPU asked for; null: any';
COMMENT ON COLUMN v_decisions.code IS 'why, in a word';
COMMENT ON COLUMN v_decisions.sentence IS 'why, in a sentence';
COMMENT ON COLUMN v_decisions.facts IS 'the numbers behind it';
COMMENT ON COLUMN v_decisions.at IS 'since when';
COMMENT ON COLUMN v_decisions.changed_at IS 'when another answer took its place; null: it is the newest';

COMMENT ON COLUMN v_nodes.node IS 'its name';
COMMENT ON COLUMN v_nodes.ready IS 'whether it takes work';
COMMENT ON COLUMN v_nodes.detail IS 'why it does not';
COMMENT ON COLUMN v_nodes.retiring IS 'whether an operator wants it empty';
COMMENT ON COLUMN v_nodes.cpus IS 'CPUs it offers';
COMMENT ON COLUMN v_nodes.memory_bytes IS 'memory it offers';
COMMENT ON COLUMN v_nodes.gpus IS 'GPUs it offers';
COMMENT ON COLUMN v_nodes.gpu_type IS 'their type';
COMMENT ON COLUMN v_nodes.held_cpus IS 'CPUs that our attempts hold';
COMMENT ON COLUMN v_nodes.held_memory_bytes IS 'memory that they hold';
COMMENT ON COLUMN v_nodes.held_gpus IS 'GPUs that they hold';
COMMENT ON COLUMN v_nodes.attempts IS 'how many they are';
COMMENT ON COLUMN v_nodes.seen_at IS 'when it was last seen';
