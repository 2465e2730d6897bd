"""Rows as the views of ``core.reading``. Before: ``engine``. Next: ``reading``."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping

from sentinels.core.job import JobEvent, JobId, JobState, Reason
from sentinels.core.policy import Policy
from sentinels.core.ports import JobRef
from sentinels.core.reading import (
    AttemptView,
    EventView,
    Held,
    JobView,
    NodeJob,
    NoticeView,
    Pulse,
    SweepLimit,
)
from sentinels.core.retrying import difference
from sentinels.core.rights import Holder
from sentinels.db.rows import image_of, ref_of, resources_of, seconds_of, usage_of


def job_ref_of(row: RowMapping) -> JobRef:
    """A row of ``find_job.sql`` or ``find_named_job.sql``."""
    holder = Holder(row["user_id"], row["team_id"])
    return JobRef(JobId(row["id"]), row["attempt"], holder, row["user_name"], row["team"])


def job_of(row: RowMapping, policy: Policy) -> JobView:
    """A row of ``read_jobs.sql``; ``policy`` names its class."""
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
        last_run_id=row["mlflow_run_id"],
        rerun_of=row["rerun_of"],
        priority=policy.class_name(row["priority"]),
    )


def attempts_of(rows: Sequence[RowMapping]) -> list[AttemptView]:
    """The rows of ``read_attempts.sql``, each with how it differs from the one before it."""
    before = (None, *rows)
    return [_attempt_of(row, last) for row, last in zip(rows, before, strict=False)]


def _attempt_of(row: RowMapping, before: RowMapping | None) -> AttemptView:
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
        usage=usage_of(row),
        resources=resources_of(row),
        different=None if before is None else _difference(row, before),
    )


def held_of(row: RowMapping) -> Held:
    """A row of ``read_deferred.sql``."""
    waits_for = {int(job_id): JobState(state) for job_id, state in row["waits_for"].items()}
    limit = None
    if row["sweep_id"] is not None:
        limit = SweepLimit(
            JobId(row["sweep_id"]), row["at_once"], row["live"] or 0, row["open"] or 0
        )
    return Held(row["not_before"], dict(sorted(waits_for.items())), limit)


def _difference(row: RowMapping, before: RowMapping) -> str:
    known = (*before["avoids"], row["node"])  # it went there again where no other could hold it
    avoids = [node for node in row["avoids"] if node not in known]
    return difference(resources_of(before), resources_of(row), avoids, _reason_of(before))


def event_of(row: RowMapping, job_id: JobId) -> EventView:
    """A row of ``read_events.sql``."""
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


def node_job_of(row: RowMapping) -> NodeJob:
    """A row of ``read_node_jobs.sql``."""
    return NodeJob(
        ref=ref_of(row),
        user=row["user_name"],
        team=row["team"],
        node=row["node"],
        started_at=row["started_at"],
        time_limit=seconds_of(row["time_limit"]),
    )


def notice_of(row: RowMapping) -> NoticeView:
    """A row of ``read_notices.sql``."""
    same = ("id", "attempt", "kind", "recipient", "state", "tries", "error")
    return NoticeView(
        **{name: row[name] for name in same},
        job_id=JobId(row["job_id"]),
        text=row["body"],
        created_at=row["created_at"],
        delivered_at=row["delivered_at"],
    )


def pulse_of(row: RowMapping) -> Pulse:
    """The row of ``read_pulse.sql``."""
    values = dict(row)
    for name in ("oldest_waiting_seconds", "last_pass_seconds", "outbox_overdue_seconds"):
        values[name] = None if values[name] is None else float(values[name])
    values["signs"] = {name: float(seconds) for name, seconds in row["signs"].items()}
    return Pulse(**values)


def _reason_of(row: RowMapping) -> Reason | None:
    return Reason(row["reason"]) if row["reason"] else None
