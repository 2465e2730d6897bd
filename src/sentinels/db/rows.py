"""Rows as values of the core, and back. Before: ``engine``. Next: the repositories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields

from sqlalchemy import RowMapping

from sentinels.core.audience import Audience, Choice
from sentinels.core.capacity import KINDS, Node, Resources
from sentinels.core.job import JobId, JobState
from sentinels.core.observation import Usage
from sentinels.core.planning import LaneHead
from sentinels.core.ports import TrackerRun
from sentinels.core.quantity import parse_duration
from sentinels.core.queueing import LiveAttempt
from sentinels.core.quota import PastUse
from sentinels.core.scene import Occupant
from sentinels.core.submission import Submission
from sentinels.core.submission_reading import read_submission
from sentinels.core.workload import Image, ImageKind, WorkloadRef


def resources_of(row: RowMapping) -> Resources:
    """A shape's columns as a request."""
    return Resources(
        cpu_millis=row["cpu_millis"],
        memory_bytes=row["memory_bytes"],
        gpus=row["gpus"],
        gpu_type=row["gpu_type"] or None,
    )


def shape_columns(resources: Resources) -> dict[str, int | str]:
    """A request as a shape's columns."""
    return {**asdict(resources), "gpu_type": resources.gpu_type or ""}


def image_of(stored: dict[str, str | bool | None]) -> Image:
    """The image column as a value."""
    fields = {name: value for name, value in stored.items() if name != "kind"}
    return Image(kind=ImageKind(str(stored["kind"])), **fields)  # type: ignore[arg-type]  # written by image_column


def image_column(image: Image) -> dict[str, str | bool | None]:
    """An image as its column."""
    return {**asdict(image), "kind": image.kind.value}


def usage_of(row: RowMapping) -> Usage:
    """The columns of what an attempt used."""
    return Usage(**{each.name: row[each.name] for each in fields(Usage)})


def submission_of(row: RowMapping) -> Submission:
    """The config column as the submission it was stored from."""
    return read_submission(row["image"]["reference"], row["config"])


def ref_of(row: RowMapping) -> WorkloadRef:
    """Which attempt a row is about."""
    return WorkloadRef(JobId(row["job_id"]), row["attempt"])


def node_of(row: RowMapping) -> Node:
    """A row of ``nodes`` as a node; what is on it is not known here."""
    return Node(
        name=row["name"],
        allocatable=resources_of(row),
        foreign=Resources(**row["foreign_use"]),
        ready=row["ready"],
        detail=row["detail"],
        slots=row["slots"],
        architecture=row["architecture"],
    )


def lane_head_of(row: RowMapping) -> LaneHead:
    """A row of ``lane_heads.sql``."""
    return LaneHead(
        lane_id=row["lane_id"],
        team=row["team"],
        priority=row["priority"],
        resources=resources_of(row),
        job_id=JobId(row["job_id"]),
        enqueued_at=row["enqueued_at"],
        waiting=row["waiting"],
        time_limit=seconds_of(row["time_limit"]),
        avoids=frozenset(row["avoids"]),
        owed=row["owed"],
    )


def occupant_of(row: RowMapping) -> Occupant:
    """A row of ``live_requests.sql``."""
    return Occupant(
        ref=ref_of(row),
        team=row["team"],
        held=resources_of(row),
        priority=row["priority"],
        node=row["node"],
        started_at=row["started_at"],
        time_limit=seconds_of(row["time_limit"]),
        leaves_for=row["leaves_for"],
        name=row["name"],
        user=row["user_name"],
    )


def past_use_of(row: RowMapping) -> PastUse:
    """A row of ``team_uses.sql``."""
    average = {kind.fact: row[kind.fact] for kind in KINDS}
    return PastUse(average, row["gpu_hours"], max(0.0, float(row["seconds"])))


def seconds_of(time_limit: str | None) -> int | None:
    """A config's time limit."""
    return parse_duration(time_limit) if time_limit else None


def live_attempt_of(row: RowMapping) -> LiveAttempt:
    """A row of ``live_attempts.sql`` or ``ended_attempt.sql``."""
    return LiveAttempt(
        ref=ref_of(row),
        state=JobState(row["state"]),
        user=row["user_name"],
        team=row["team"],
        image=image_of(row["image"]),
        submission=submission_of(row),
        sweep_id=row["sweep_id"],
        resources=resources_of(row),
        launched=row["launched"],
        lease_expired=row["lease_expired"],
        seconds_since_launch=float(row["seconds_since_launch"]),
        submitted_at=row["submitted_at"],
        cancel_actor=row["cancel_actor"] if row["cancel_requested_at"] else None,
        run=_run_of(row),
        leaves_for=row.get("leaves_for"),
        avoids=frozenset(row.get("avoids", ())),
        audience=audience_of(row),
    )


def audience_of(row: RowMapping) -> Audience:
    """What a job's owner and their team chose about notices."""
    return Audience(
        owner=choice_of(row["owner_to"], row["owner_on"]),
        team=choice_of(row["team_to"], row["team_on"]),
    )


def choice_of(to: Sequence[str], on: Sequence[str] | None) -> Choice:
    """The columns ``notice_to`` and ``notice_on`` of a user or a team."""
    return Choice(tuple(to), None if on is None else frozenset(on))


def _run_of(row: RowMapping) -> TrackerRun | None:
    if not row["mlflow_run_id"]:
        return None
    return TrackerRun(
        run_id=row["mlflow_run_id"],
        experiment_id="",
        page_url=row["mlflow_url"] or "",
        outputs_url=row["outputs_url"] or "",
    )
