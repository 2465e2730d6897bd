-- When waiting jobs were expected to start: a row at the push, and one whenever it changed much.
CREATE TABLE predictions (
    job_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    attempt INTEGER NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    early TIMESTAMP WITH TIME ZONE NOT NULL,
    late TIMESTAMP WITH TIME ZONE,
    CONSTRAINT predictions_pkey PRIMARY KEY (job_id, id)
);

COMMENT ON COLUMN predictions.attempt IS 'the attempt that it is about';
COMMENT ON COLUMN predictions.late IS 'null: nobody could say when at the latest';

CREATE VIEW v_predictions AS
SELECT p.job_id AS job, p.attempt, t.name AS team, u.name AS "user", j.name, j.experiment,
       p.at AS predicted_at, p.early, p.late, a.claimed_at AS started_at,
       p.id = min(p.id) OVER (PARTITION BY p.job_id, p.attempt) AS is_first,
       CASE WHEN a.claimed_at IS NULL AND j.finished_at IS NULL THEN 'waits'
            WHEN a.claimed_at IS NULL THEN 'never started'
            WHEN a.claimed_at < p.early - interval '1 minute' THEN 'sooner'
            WHEN a.claimed_at > p.late + interval '1 minute' THEN 'later'
            ELSE 'held' END AS outcome
  FROM predictions p
  JOIN jobs j ON j.id = p.job_id
  JOIN users u ON u.id = j.user_id
  JOIN teams t ON t.id = j.team_id
  LEFT JOIN attempts a ON a.job_id = p.job_id AND a.attempt = p.attempt;

COMMENT ON VIEW v_predictions IS 'When waiting jobs were expected to start, and how it came; a row at the push and one a change. Version 1.';

COMMENT ON COLUMN v_predictions.job IS 'which job';
COMMENT ON COLUMN v_predictions.attempt IS 'which attempt of it was expected';
COMMENT ON COLUMN v_predictions.team IS 'its team';
COMMENT ON COLUMN v_predictions."user" IS 'who pushed the job';
COMMENT ON COLUMN v_predictions.name IS 'the job''s name';
COMMENT ON COLUMN v_predictions.experiment IS 'the job''s MLflow experiment';
COMMENT ON COLUMN v_predictions.predicted_at IS 'when this was expected';
COMMENT ON COLUMN v_predictions.early IS 'the earliest start that was expected';
COMMENT ON COLUMN v_predictions.late IS 'the latest; null: nobody could say';
COMMENT ON COLUMN v_predictions.started_at IS 'when it was given to the cluster; null: not yet';
COMMENT ON COLUMN v_predictions.is_first IS 'whether it is the first of this attempt';
COMMENT ON COLUMN v_predictions.outcome IS 'held, sooner or later, with a minute''s grace; else waits or never started';
