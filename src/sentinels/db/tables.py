"""The tables, as SQLAlchemy Core metadata; ``migrations/`` brings a database to this.

``jobs`` is the truth, one row a job. ``queue`` holds only the narrow rows of waiting jobs; a job
that may not be considered yet waits in ``deferred`` instead. Storage settings have measured
reasons: the queue's rows live for seconds, so it is vacuumed eagerly; no index names a column that
a state change touches, so state changes stay heap-only updates. Next:
``columns``, ``notice_tables``, ``sql/``.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from sentinels.core.job import TERMINAL_STATES, JobState
from sentinels.core.rights import Role
from sentinels.db import columns, notice_tables  # noqa: F401  # they share the metadata
from sentinels.db.columns import big_identity, job_state, moment, now, reason, texts

metadata = columns.metadata
_TERMINAL = ", ".join(f"'{state.value}'" for state in JobState if state in TERMINAL_STATES)
_ROLES = ", ".join(f"'{role.value}'" for role in Role)
_NOTICES_DUE = "due_at IS NOT NULL AND channel = 'messenger'"
_DELIVERIES_DUE = "due_at IS NOT NULL AND channel <> 'messenger'"

teams = Table(
    "teams",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("weight", Double, nullable=False, server_default="1"),
    now("created_at"),
    texts("notice_to", comment="addresses; none: the team is not told"),
    Column("notice_on", ARRAY(Text), comment="kinds of notices; null: the usual ones"),
    CheckConstraint("weight > 0", name="weight"),
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("team_id", Integer, nullable=False),
    now("created_at"),
    texts("notice_to", comment="addresses; none: the default channel"),
    Column("notice_on", ARRAY(Text), comment="kinds of notices; null: the usual ones"),
    Column("role", Text, nullable=False, server_default=Role.MEMBER.value),
    CheckConstraint(f"role IN ({_ROLES})", name="role"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="sha256 of the token"),
    Column("user_id", Integer, nullable=False),
    now("created_at"),
    moment("expires_at"),
    Column("kind", Text, nullable=False, server_default="token"),
    Column("id", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("name", Text, nullable=False, server_default="", comment="what its user calls it"),
    moment("last_used_at"),
    moment("revoked_at"),
    CheckConstraint("kind IN ('token', 'code', 'session')", name="kind"),
)

audit = Table(
    "audit",
    metadata,
    big_identity(),
    now("at"),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("team_id", Integer, comment="whose leads may read it; null: no team's"),
    Column("job_id", BigInteger),
    Column("subject", Text, nullable=False, server_default="", comment="what it was done to"),
    Column("detail", JSONB, nullable=False, server_default="{}"),
    Index("audit_job_id_idx", "job_id", postgresql_where=text("job_id IS NOT NULL")),
)

shapes = Table(
    "shapes",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("cpu_millis", BigInteger, nullable=False),
    Column("memory_bytes", BigInteger, nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("gpu_type", Text, nullable=False, server_default="", comment="empty: any"),
    UniqueConstraint("cpu_millis", "memory_bytes", "gpus", "gpu_type"),
)

lanes = Table(
    "lanes",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("team_id", Integer, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("shape_id", Integer, nullable=False),
    Column(
        "low_job_id",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="no waiting row of this lane is below it",
    ),
    Column("ready", Boolean, nullable=False, server_default="false"),
    now("last_push"),
    UniqueConstraint("team_id", "priority", "shape_id"),
    postgresql_with={"fillfactor": "50"},
)

queue = Table(
    "queue",
    metadata,
    Column("lane_id", Integer, nullable=False),
    Column("job_id", BigInteger, nullable=False),
    now("enqueued_at"),
    PrimaryKeyConstraint("lane_id", "job_id"),
    postgresql_with={
        "autovacuum_vacuum_scale_factor": "0",
        "autovacuum_vacuum_threshold": "2000",
        "autovacuum_vacuum_cost_delay": "0",
    },
)

deferred = Table(
    "deferred",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("lane_id", Integer, nullable=False),
    moment("not_before"),
    Column("waits_for", JSONB, nullable=False, server_default="[]", comment="job ids"),
    Column("sweep_id", BigInteger, comment="its sweep, where that has a limit"),
)

sweeps = Table(
    "sweeps",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False, comment="its first job"),
    Column("at_once", Integer, comment="null: any number"),
    Column(
        "definition", JSON, nullable=False, comment="sweep, samples and seed as they were pushed"
    ),
)

jobs = Table(
    "jobs",
    metadata,
    big_identity(),
    Column("team_id", Integer, nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("experiment", Text, nullable=False),
    Column("image", JSONB, nullable=False, comment="kind, reference, digest, location, commit"),
    Column("config", JSON, nullable=False, comment="the resolved submission, its order kept"),
    Column("priority", SmallInteger, nullable=False),
    Column("shape_id", Integer, nullable=False),
    Column("sweep_id", BigInteger, comment="the first job of its sweep"),
    Column("idem_key", Text),
    Column("request_digest", LargeBinary, comment="sha256 of what was pushed under idem_key"),
    Column("state", job_state, nullable=False, server_default=JobState.QUEUED.value),
    Column("reason", reason),
    Column("attempt", Integer, nullable=False, server_default="0"),
    now("submitted_at"),
    moment("started_at"),
    moment("finished_at"),
    moment("cancel_requested_at"),
    Column("cancel_actor", Text),
    Column(
        "avoids",
        ARRAY(Text),
        nullable=False,
        server_default="{}",
        comment="nodes that its next attempt keeps away from",
    ),
    Column("rerun_of", BigInteger, comment="the job whose config and image it has"),
    CheckConstraint(f"(finished_at IS NOT NULL) = (state IN ({_TERMINAL}))", name="finished"),
    CheckConstraint("state <> 'succeeded' OR reason IS NULL", name="success_has_no_reason"),
    UniqueConstraint("user_id", "idem_key"),
    Index("jobs_team_id_name_id_idx", "team_id", "name", "id"),
    Index("jobs_sweep_id_idx", "sweep_id", postgresql_where=text("sweep_id IS NOT NULL")),
    postgresql_with={"fillfactor": "80"},
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lane_id", Integer, nullable=False, comment="where it was claimed from"),
    Column("shape_id", Integer, nullable=False),
    Column("live", Boolean, nullable=False, server_default="true"),
    Column("uid", Text, comment="the workload's, once launched"),
    Column("node", Text),
    now("claimed_at"),
    moment("lease_until"),
    moment("launched_at"),
    moment("started_at"),
    moment("finished_at"),
    Column("exit_code", Integer),
    Column("reason", reason),
    Column("message", Text),
    Column("mlflow_run_id", Text),
    Column("mlflow_url", Text),
    Column("outputs_url", Text),
    Column("outputs_complete", Boolean),
    Column("released", Boolean, nullable=False, server_default="false"),
    Column("peak_memory_bytes", BigInteger),
    Column("cpu_seconds", Double),
    Column("peak_gpu_memory_bytes", BigInteger),
    Column("mean_gpu_percent", Double),
    Column("peak_cpu_cores", Double),
    Column("dossier", JSONB),
    Column("leaves_for", BigInteger, comment="the job for which it was asked to leave"),
    texts("avoids", comment="nodes that it keeps away from"),
    PrimaryKeyConstraint("job_id", "attempt"),
    Index("attempts_leaves_for_idx", "leaves_for", postgresql_where=text("leaves_for IS NOT NULL")),
    Index("attempts_unreleased_idx", "job_id", "attempt", postgresql_where=text("NOT released")),
    postgresql_with={"fillfactor": "80"},
)

job_events = Table(
    "job_events",
    metadata,
    Column("job_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("from_state", job_state),
    Column("to_state", job_state, nullable=False),
    Column("reason", reason),
    Column("actor", Text, nullable=False),
    Column("detail", Text),
    now("at"),
    PrimaryKeyConstraint("job_id", "id"),
)

decisions = Table(
    "decisions",
    metadata,
    big_identity(),
    Column("lane_id", Integer, nullable=False),
    Column("code", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("facts", JSONB, nullable=False, server_default="{}"),
    now("at"),
    Index("decisions_lane_id_id_idx", "lane_id", "id"),
)

outbox = Table(
    "outbox",
    metadata,
    big_identity(),
    Column("job_id", BigInteger),
    Column("attempt", Integer),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False, comment="messenger, tracker or outputs"),
    Column("recipient", Text, comment="the messenger's channel; null: its default"),
    Column("body", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    now("created_at"),
    Column(
        "due_at",
        DateTime(timezone=True),
        server_default=func.now(),
        comment="null once nothing is left to do",
    ),
    moment("delivered_at"),
    Column("condition_id", BigInteger, comment="what it is about, where that is no job"),
    CheckConstraint("state IN ('pending', 'delivered', 'kept', 'failed')", name="state"),
    CheckConstraint("(state = 'pending') = (due_at IS NOT NULL)", name="due"),
    CheckConstraint(
        "num_nulls(job_id, attempt) IN (0, 2) AND (job_id IS NULL) <> (condition_id IS NULL)",
        name="subject",
    ),
    UniqueConstraint(
        *("job_id", "attempt", "condition_id", "kind", "channel", "recipient"),
        postgresql_nulls_not_distinct=True,
    ),
    Index("outbox_due_at_idx", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("outbox_notices_idx", "recipient", "due_at", postgresql_where=text(_NOTICES_DUE)),
    Index("outbox_deliveries_idx", "due_at", "id", postgresql_where=text(_DELIVERIES_DUE)),
)

nodes = Table(
    "nodes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("cpu_millis", BigInteger, nullable=False),
    Column("memory_bytes", BigInteger, nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("gpu_type", Text),
    Column("ready", Boolean, nullable=False),
    Column("foreign_use", JSONB, nullable=False, server_default="{}"),
    now("seen_at"),
    Column("slots", Integer, comment="how many more workloads it takes; null: as many as fit"),
    Column("detail", Text, nullable=False, server_default="", comment="why it is not ready"),
    Column("wish", Text, comment="what an operator wants of it"),
    Column("architecture", Text, nullable=False, server_default="", comment="its processors'"),
    CheckConstraint("wish IN ('close', 'open')", name="wish"),
)

same_pushes = Table(
    "same_pushes",
    metadata,
    Column("user_id", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, primary_key=True, comment="sha256 of the image and the config"),
    Column("job_id", BigInteger, comment="the first job of the newest such push"),
    now("at"),
)

policies = Table(
    "policies",
    metadata,
    big_identity(),
    Column("document", JSON, nullable=False, comment="as it was applied, its order kept"),
    Column("actor", Text, nullable=False),
    now("at"),
)

team_uses = Table(
    "team_uses",
    metadata,
    Column("team_id", Integer, primary_key=True, autoincrement=False),
    Column("cpu_millis", Double, nullable=False, server_default="0"),
    Column("memory_bytes", Double, nullable=False, server_default="0"),
    Column("gpus", Double, nullable=False, server_default="0"),
    Column(
        "gpu_hours",
        Double,
        nullable=False,
        server_default="0",
        comment="since the month began",
    ),
    Column(
        "month",
        Date,
        nullable=False,
        server_default=text("date_trunc('month', now() AT TIME ZONE 'UTC')"),
    ),
    now("at"),
    postgresql_with={"fillfactor": "50"},
)

predictions = Table(
    "predictions",
    metadata,
    Column("job_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("attempt", Integer, nullable=False, comment="the attempt that it is about"),
    now("at"),
    Column("early", DateTime(timezone=True), nullable=False),
    Column("late", DateTime(timezone=True), comment="null: nobody could say when at the latest"),
    PrimaryKeyConstraint("job_id", "id"),
)

passes = Table(
    "passes",
    metadata,
    big_identity(),
    now("at"),
    Column("settled", Integer, nullable=False),
    Column("launched", Integer, nullable=False),
    Column("waiting_lanes", Integer, nullable=False),
    Column("milliseconds", Double, nullable=False),
    Column("error", Text),
    Column(
        "unstarted",
        Integer,
        nullable=False,
        server_default="0",
        comment="launched before, not yet begun with",
    ),
    Index("passes_at_idx", "at"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    big_identity(),
    now("at"),
    Column("type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("subject", Text),
    Column("code", Text, comment="the HTTP status of the last try; null: not told"),
    Column("destination", Text, comment="who did not take it"),
    Column("detail", Text, comment="what was answered to the last try"),
    Column("data_excerpt", Text, nullable=False, server_default=""),
)

signs = Table(
    "signs",
    metadata,
    Column("name", Text, primary_key=True, comment="tick:dispatch, tick:notify or events:jobs"),
    now("since", comment="first heard"),
    now("at", comment="last heard"),
)

locks = Table(
    "locks",
    metadata,
    Column("name", Text, primary_key=True, comment="dispatch: held by a pass that admits jobs"),
)

usage_series = Table(
    "usage_series",
    metadata,
    Column("job_id", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column(
        "series", JSONB, nullable=False, comment="seconds since the start and a value, by quantity"
    ),
    now("filed_at"),
    PrimaryKeyConstraint("job_id", "attempt"),
)
