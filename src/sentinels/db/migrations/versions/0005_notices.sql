-- Notices to the right person: what users and teams chose, several recipients of one event, what belongs to
-- no job; when each recipient may be told again, the threads of sweeps, and what is looked at now and then.
ALTER TABLE users
    ADD COLUMN notice_to TEXT[] DEFAULT '{}' NOT NULL,
    ADD COLUMN notice_on TEXT[];

COMMENT ON COLUMN users.notice_to IS 'addresses; none: the default channel';

COMMENT ON COLUMN users.notice_on IS 'kinds of notices; null: the usual ones';

ALTER TABLE teams
    ADD COLUMN notice_to TEXT[] DEFAULT '{}' NOT NULL,
    ADD COLUMN notice_on TEXT[];

COMMENT ON COLUMN teams.notice_to IS 'addresses; none: the team is not told';

COMMENT ON COLUMN teams.notice_on IS 'kinds of notices; null: the usual ones';

ALTER TABLE outbox
    ALTER COLUMN job_id DROP NOT NULL,
    ALTER COLUMN attempt DROP NOT NULL,
    ADD COLUMN condition_id BIGINT,
    ADD CONSTRAINT outbox_subject_check CHECK (num_nulls(job_id, attempt) IN (0, 2) AND (job_id IS NULL) <> (condition_id IS NULL)),
    DROP CONSTRAINT outbox_job_id_attempt_kind_channel_key,
    ADD CONSTRAINT outbox_job_id_attempt_condition_id_kind_channel_recipient_key
        UNIQUE NULLS NOT DISTINCT (job_id, attempt, condition_id, kind, channel, recipient);

COMMENT ON COLUMN outbox.condition_id IS 'what it is about, where that is no job';

CREATE INDEX outbox_notices_idx ON outbox (recipient, due_at) WHERE due_at IS NOT NULL AND channel = 'messenger';

CREATE INDEX outbox_deliveries_idx ON outbox (due_at, id) WHERE due_at IS NOT NULL AND channel <> 'messenger';

CREATE TABLE recipients (
    address TEXT NOT NULL,
    next_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    told_at TIMESTAMP WITH TIME ZONE,
    gap_seconds DOUBLE PRECISION DEFAULT '0' NOT NULL,
    failures INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT recipients_pkey PRIMARY KEY (address)
);

COMMENT ON COLUMN recipients.address IS 'as in outbox.recipient; empty: the default channel';

COMMENT ON COLUMN recipients.next_at IS 'not told anything before this';

COMMENT ON COLUMN recipients.gap_seconds IS 'how long it was left alone after it was last told';

COMMENT ON COLUMN recipients.failures IS 'tries since something last arrived';

CREATE TABLE threads (
    sweep_id BIGINT NOT NULL,
    address TEXT NOT NULL,
    place TEXT NOT NULL,
    ts TEXT NOT NULL,
    CONSTRAINT threads_pkey PRIMARY KEY (sweep_id, address)
);

COMMENT ON COLUMN threads.place IS 'the channel that the service said it is in';

COMMENT ON COLUMN threads.ts IS 'of its first message; empty: it was lost, and no other is begun';

CREATE TABLE rounds (
    name TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT rounds_pkey PRIMARY KEY (name)
);

COMMENT ON COLUMN rounds.name IS 'what is looked at now and then, by one process at a time';
