"""Reading jobs, the queue and the state of the whole: ``core.reading.Reading`` over PostgreSQL.

Before: ``functions/submit``. Next: ``sql/read_*.sql``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Engine, RowMapping, func, select

from sentinels.core.capacity import Resources, add
from sentinels.core.errors import Ambiguous, NotFound
from sentinels.core.job import JobEvent, JobId, JobState, Reason
from sentinels.core.notice import MESSENGER
from sentinels.core.observation import Usage
from sentinels.core.policy import CLASS_STEP, Policy
from sentinels.core.ports import JobRef
from sentinels.core.queueing import Caller
from sentinels.core.reading import (
    WAITING_BOUND,
    Answer,
    AttemptView,
    EventView,
    Held,
    JobFilter,
    JobView,
    NodeView,
    NoticeView,
    Places,
    Pulse,
)
from sentinels.db import migrate
from sentinels.db.engine import statement, transaction
from sentinels.db.people import caller_of
from sentinels.db.rows import image_of, node_of, resources_of
from sentinels.db.tables import job_events, jobs

CANDIDATES = 10
EVENTS_BOUND = 1000
_LARGEST_ID = 2**63 - 1


class PostgresReading:
    """The front door's questions."""

    def __init__(self, engine: Engine, *, policy: Policy) -> None:
        """``policy`` says how waiting jobs age."""
        self._engine = engine
        self._ageing = {
            "ageing_step": CLASS_STEP,
            "ageing_limit": policy.ageing_limit,
            "ageing_seconds": policy.ageing_seconds,
            "bound": WAITING_BOUND,
        }

    def caller_of(self, token: str) -> Caller | None:
        """See ``Reading.caller_of``."""
        return caller_of(self._engine, token)

    def find(self, caller: Caller, ref: str) -> JobRef:
        """See ``Reading.find``."""
        found = self._by_id(caller, ref) or self._by_name(caller, ref)
        if found is not None:
            return found
        names = self._names(caller, ref)
        if len(names) > 1:
            raise Ambiguous(
                f"several jobs' names begin with {ref!r}",
                remedy="type more of the name, or the id",
                candidates=names[:CANDIDATES],
            )
        found = self._by_name(caller, names[0]) if names else None
        if found is None:
            raise NotFound(f"there is no job {ref!r}", remedy="see: sentinels jobs")
        return found

    def jobs(self, caller: Caller, ids: Sequence[int]) -> Sequence[JobView]:
        """See ``Reading.jobs``."""
        if not ids:
            return []
        rows = self._rows("read_jobs", team_id=caller.team_id, ids=list(ids))
        return [_job_of(row) for row in rows]

    def list_ids(
        self, caller: Caller, wanted: JobFilter, *, before: int | None, limit: int
    ) -> Sequence[JobId]:
        """See ``Reading.list_ids``."""
        rows = self._rows(
            "read_job_list",
            team_id=caller.team_id,
            before=before,
            states=[state.value for state in wanted.states] or None,
            name=wanted.name,
            experiment=wanted.experiment,
            user_name=wanted.user,
            labels=json.dumps(dict(wanted.labels)) if wanted.labels else None,
            sweep=wanted.sweep,
            limit=limit,
        )
        return [row["id"] for row in rows]

    def attempts(self, job: JobRef) -> Sequence[AttemptView]:
        """See ``Reading.attempts``."""
        return [_attempt_of(row) for row in self._rows("read_attempts", job_id=job.id)]

    def events(self, job: JobRef) -> Sequence[EventView]:
        """See ``Reading.events``; the newest thousand."""
        rows = self._rows("read_events", job_id=job.id, limit=EVENTS_BOUND)
        return [_event_of(row, job.id) for row in rows]

    def last_event(self, job: JobRef) -> int:
        """See ``Reading.last_event``."""
        newest = select(func.max(job_events.c.id)).where(job_events.c.job_id == job.id)
        with transaction(self._engine) as connection:
            return connection.execute(newest).scalar() or 0

    def places(self, ids: Sequence[int]) -> Places:
        """See ``Reading.places``."""
        rows = self._rows("read_places", ids=list(ids), **self._ageing)
        position = {row["job_id"]: row["position"] for row in rows if row["job_id"] is not None}
        return Places(rows[0]["waiting"], position)

    def next_ids(self, caller: Caller, *, limit: int) -> Sequence[JobId]:
        """See ``Reading.next_ids``."""
        rows = self._rows("read_next", team_id=caller.team_id, limit=limit, **self._ageing)
        return [row["job_id"] for row in rows]

    def live_ids(self, caller: Caller, *, limit: int) -> Sequence[JobId]:
        """See ``Reading.live_ids``."""
        rows = self._rows("read_live", team_id=caller.team_id, limit=limit)
        return [row["job_id"] for row in rows]

    def answers(self, ids: Sequence[int]) -> Mapping[int, Answer]:
        """See ``Reading.answers``."""
        rows = self._rows("read_answers", ids=list(ids))
        return {row["job_id"]: Answer(row["sentence"], row["considered"]) for row in rows}

    def held(self, ids: Sequence[int]) -> Mapping[int, Held]:
        """See ``Reading.held``."""
        rows = self._rows("read_deferred", ids=list(ids))
        return {row["job_id"]: Held(row["not_before"], row["waits_for"]) for row in rows}

    def nodes(self, caller: Caller) -> Sequence[NodeView]:
        """See ``Reading.nodes``."""
        used: dict[str, Resources] = defaultdict(Resources)
        mine: dict[str, list[int]] = defaultdict(list)
        for row in self._rows("read_node_use", team_id=caller.team_id):
            used[row["node"]] = add(used[row["node"]], resources_of(row))
            if row["mine"]:
                mine[row["node"]].append(row["job_id"])
        nodes = [node_of(row) for row in self._rows("list_nodes")]
        return [NodeView(node, used[node.name], mine[node.name]) for node in nodes]

    def notices(self, caller: Caller, *, job: int | None, limit: int) -> Sequence[NoticeView]:
        """See ``Reading.notices``."""
        rows = self._rows(
            "read_notices", team_id=caller.team_id, channel=MESSENGER, job_id=job, limit=limit
        )
        return [_notice_of(row) for row in rows]

    def pulse(self) -> Pulse:
        """See ``Reading.pulse``."""
        return _pulse_of(self._rows("read_pulse", bound=WAITING_BOUND)[0])

    def behind(self) -> str | None:
        """See ``Reading.behind``."""
        status = migrate.status(self._engine.url.render_as_string(hide_password=False))
        if status.up_to_date:
            return None
        return f"the database is at {status.current or 'nothing'}, this version is {status.head}"

    def _rows(self, name: str, /, **values: object) -> Sequence[RowMapping]:
        with transaction(self._engine) as connection:
            return connection.execute(statement(name), values).mappings().all()

    def _by_id(self, caller: Caller, ref: str) -> JobRef | None:
        if not (ref.isascii() and ref.isdigit() and int(ref) <= _LARGEST_ID):
            return None
        wanted = select(jobs.c.id, jobs.c.attempt).where(
            jobs.c.id == int(ref), jobs.c.team_id == caller.team_id
        )
        with transaction(self._engine) as connection:
            row = connection.execute(wanted).first()
        return JobRef(JobId(row.id), row.attempt) if row else None

    def _by_name(self, caller: Caller, name: str) -> JobRef | None:
        wanted = (
            select(jobs.c.id, jobs.c.attempt)
            .where(jobs.c.team_id == caller.team_id, jobs.c.name == name)
            .order_by(jobs.c.id.desc())
            .limit(1)
        )
        with transaction(self._engine) as connection:
            row = connection.execute(wanted).first()
        return JobRef(JobId(row.id), row.attempt) if row else None

    def _names(self, caller: Caller, beginning: str) -> Sequence[str]:
        rows = self._rows(
            "read_names", team_id=caller.team_id, beginning=beginning, limit=CANDIDATES + 1
        )
        return [row["name"] for row in rows]


def _job_of(row: RowMapping) -> JobView:
    return JobView(
        id=JobId(row["id"]),
        name=row["name"],
        experiment=row["experiment"],
        user=row["user_name"],
        team=row["team"],
        image=image_of(row["image"]),
        config=row["config"],
        state=JobState(row["state"]),
        reason=_reason_of(row),
        attempt=row["attempt"],
        resources=resources_of(row),
        sweep_id=row["sweep_id"],
        submitted_at=row["submitted_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        cancel_requested_at=row["cancel_requested_at"],
        cancel_actor=row["cancel_actor"],
        last_exit_code=row["exit_code"],
        last_mlflow_url=row["mlflow_url"],
        last_event=row["last_event"] or 0,
        last_detail=row["detail"] or None,
    )


def _attempt_of(row: RowMapping) -> AttemptView:
    return AttemptView(
        attempt=row["attempt"],
        live=row["live"],
        uid=row["uid"],
        node=row["node"],
        launched_at=row["launched_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        exit_code=row["exit_code"],
        reason=_reason_of(row),
        message=row["message"] or None,
        outputs_complete=row["outputs_complete"],
        mlflow_run_id=row["mlflow_run_id"],
        mlflow_url=row["mlflow_url"],
        usage=Usage(
            peak_memory_bytes=row["peak_memory_bytes"],
            cpu_seconds=row["cpu_seconds"],
            peak_gpu_memory_bytes=row["peak_gpu_memory_bytes"],
            mean_gpu_percent=row["mean_gpu_percent"],
        ),
    )


def _event_of(row: RowMapping, job_id: JobId) -> EventView:
    event = JobEvent(
        job_id=job_id,
        attempt=row["attempt"],
        from_state=JobState(row["from_state"]) if row["from_state"] else None,
        to_state=JobState(row["to_state"]),
        reason=_reason_of(row),
        actor=row["actor"],
        at=row["at"],
        detail=row["detail"] or None,
    )
    return EventView(row["id"], event)


def _notice_of(row: RowMapping) -> NoticeView:
    same = ("id", "attempt", "kind", "recipient", "state", "tries", "error")
    return NoticeView(
        **{name: row[name] for name in same},
        job_id=JobId(row["job_id"]),
        text=row["body"],
        created_at=row["created_at"],
        delivered_at=row["delivered_at"],
    )


def _pulse_of(row: RowMapping) -> Pulse:
    values = dict(row)
    for name in ("oldest_waiting_seconds", "last_pass_seconds", "outbox_overdue_seconds"):
        values[name] = None if values[name] is None else float(values[name])
    return Pulse(**values)


def _reason_of(row: RowMapping) -> Reason | None:
    return Reason(row["reason"]) if row["reason"] else None
