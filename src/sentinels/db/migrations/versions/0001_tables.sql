-- The tables of the first version. Written once; later changes are migrations of their own.
CREATE TYPE job_state AS ENUM ('queued', 'dispatched', 'running', 'succeeded', 'failed', 'cancelled');

CREATE TYPE reason AS ENUM ('exited_nonzero', 'out_of_memory', 'deadline_exceeded', 'killed', 'rejected', 'image_unavailable', 'dependency_failed', 'evicted', 'preempted', 'node_lost', 'workload_lost', 'never_placed', 'cancelled');

CREATE TABLE teams (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    name TEXT NOT NULL,
    weight DOUBLE PRECISION DEFAULT '1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT teams_pkey PRIMARY KEY (id),
    CONSTRAINT teams_weight_check CHECK (weight > 0),
    CONSTRAINT teams_name_key UNIQUE (name)
);

CREATE TABLE users (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    name TEXT NOT NULL,
    team_id INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_name_key UNIQUE (name)
);

CREATE TABLE tokens (
    digest BYTEA NOT NULL,
    user_id INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT tokens_pkey PRIMARY KEY (digest)
);

COMMENT ON COLUMN tokens.digest IS 'sha256 of the token';

CREATE TABLE shapes (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    cpu_millis BIGINT NOT NULL,
    memory_bytes BIGINT NOT NULL,
    gpus INTEGER NOT NULL,
    gpu_type TEXT DEFAULT '' NOT NULL,
    CONSTRAINT shapes_pkey PRIMARY KEY (id),
    CONSTRAINT shapes_cpu_millis_memory_bytes_gpus_gpu_type_key UNIQUE (cpu_millis, memory_bytes, gpus, gpu_type)
);

COMMENT ON COLUMN shapes.gpu_type IS 'empty: any';

CREATE TABLE lanes (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    team_id INTEGER NOT NULL,
    priority SMALLINT NOT NULL,
    shape_id INTEGER NOT NULL,
    low_job_id BIGINT DEFAULT '0' NOT NULL,
    ready BOOLEAN DEFAULT 'false' NOT NULL,
    last_push TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT lanes_pkey PRIMARY KEY (id),
    CONSTRAINT lanes_team_id_priority_shape_id_key UNIQUE (team_id, priority, shape_id)
)
 WITH (fillfactor = 50);

COMMENT ON COLUMN lanes.low_job_id IS 'no waiting row of this lane is below it';

CREATE TABLE queue (
    lane_id INTEGER NOT NULL,
    job_id BIGINT NOT NULL,
    enqueued_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT queue_pkey PRIMARY KEY (lane_id, job_id)
)
 WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE deferred (
    job_id BIGSERIAL NOT NULL,
    lane_id INTEGER NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE,
    waits_for JSONB DEFAULT '[]' NOT NULL,
    CONSTRAINT deferred_pkey PRIMARY KEY (job_id)
);

COMMENT ON COLUMN deferred.waits_for IS 'job ids';

CREATE TABLE jobs (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    team_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    experiment TEXT NOT NULL,
    image JSONB NOT NULL,
    config JSON NOT NULL,
    priority SMALLINT NOT NULL,
    shape_id INTEGER NOT NULL,
    sweep_id BIGINT,
    idem_key TEXT,
    request_digest BYTEA,
    state job_state DEFAULT 'queued' NOT NULL,
    reason reason,
    attempt INTEGER DEFAULT '0' NOT NULL,
    submitted_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    cancel_requested_at TIMESTAMP WITH TIME ZONE,
    cancel_actor TEXT,
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_finished_check CHECK ((finished_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'cancelled'))),
    CONSTRAINT jobs_success_has_no_reason_check CHECK (state <> 'succeeded' OR reason IS NULL),
    CONSTRAINT jobs_user_id_idem_key_key UNIQUE (user_id, idem_key)
)
 WITH (fillfactor = 80);

CREATE INDEX jobs_team_id_name_id_idx ON jobs (team_id, name, id);

CREATE INDEX jobs_sweep_id_idx ON jobs (sweep_id) WHERE sweep_id IS NOT NULL;

COMMENT ON COLUMN jobs.image IS 'kind, reference, digest, location, commit';

COMMENT ON COLUMN jobs.config IS 'the resolved submission, its order kept';

COMMENT ON COLUMN jobs.sweep_id IS 'the first job of its sweep';

COMMENT ON COLUMN jobs.request_digest IS 'sha256 of what was pushed under idem_key';

CREATE TABLE attempts (
    job_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    lane_id INTEGER NOT NULL,
    shape_id INTEGER NOT NULL,
    live BOOLEAN DEFAULT 'true' NOT NULL,
    uid TEXT,
    node TEXT,
    claimed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    launched_at TIMESTAMP WITH TIME ZONE,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    exit_code INTEGER,
    reason reason,
    message TEXT,
    mlflow_run_id TEXT,
    mlflow_url TEXT,
    outputs_url TEXT,
    outputs_complete BOOLEAN,
    released BOOLEAN DEFAULT 'false' NOT NULL,
    peak_memory_bytes BIGINT,
    cpu_seconds DOUBLE PRECISION,
    peak_gpu_memory_bytes BIGINT,
    mean_gpu_percent DOUBLE PRECISION,
    dossier JSONB,
    CONSTRAINT attempts_pkey PRIMARY KEY (job_id, attempt)
)
 WITH (fillfactor = 80);

CREATE INDEX attempts_unreleased_idx ON attempts (job_id, attempt) WHERE NOT released;

COMMENT ON COLUMN attempts.lane_id IS 'where it was claimed from';

COMMENT ON COLUMN attempts.uid IS 'the workload''s, once launched';

CREATE TABLE job_events (
    job_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    attempt INTEGER NOT NULL,
    from_state job_state,
    to_state job_state NOT NULL,
    reason reason,
    actor TEXT NOT NULL,
    detail TEXT,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT job_events_pkey PRIMARY KEY (job_id, id)
);

CREATE TABLE decisions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    lane_id INTEGER NOT NULL,
    code TEXT NOT NULL,
    sentence TEXT NOT NULL,
    facts JSONB DEFAULT '{}' NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT decisions_pkey PRIMARY KEY (id)
);

CREATE INDEX decisions_lane_id_id_idx ON decisions (lane_id, id);

CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    job_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL,
    recipient TEXT,
    body TEXT DEFAULT '' NOT NULL,
    state TEXT DEFAULT 'pending' NOT NULL,
    tries INTEGER DEFAULT '0' NOT NULL,
    error TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT now(),
    delivered_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_state_check CHECK (state IN ('pending', 'delivered', 'kept', 'failed')),
    CONSTRAINT outbox_due_check CHECK ((state = 'pending') = (due_at IS NOT NULL)),
    CONSTRAINT outbox_job_id_attempt_kind_channel_key UNIQUE (job_id, attempt, kind, channel)
);

CREATE INDEX outbox_due_at_idx ON outbox (due_at) WHERE due_at IS NOT NULL;

COMMENT ON COLUMN outbox.channel IS 'messenger, tracker or outputs';

COMMENT ON COLUMN outbox.recipient IS 'the messenger''s channel; null: its default';

COMMENT ON COLUMN outbox.due_at IS 'null once nothing is left to do';

CREATE TABLE nodes (
    name TEXT NOT NULL,
    cpu_millis BIGINT NOT NULL,
    memory_bytes BIGINT NOT NULL,
    gpus INTEGER NOT NULL,
    gpu_type TEXT,
    ready BOOLEAN NOT NULL,
    foreign_use JSONB DEFAULT '{}' NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT nodes_pkey PRIMARY KEY (name)
);

CREATE TABLE passes (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    settled INTEGER NOT NULL,
    launched INTEGER NOT NULL,
    waiting_lanes INTEGER NOT NULL,
    milliseconds DOUBLE PRECISION NOT NULL,
    error TEXT,
    CONSTRAINT passes_pkey PRIMARY KEY (id)
);

CREATE INDEX passes_at_idx ON passes (at);
