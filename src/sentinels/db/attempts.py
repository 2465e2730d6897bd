"""Live attempts and their ends: ``core.queueing.SettlingQueue`` over PostgreSQL.

Before: ``core/settling``. Next: ``moves``, ``outbox``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, Engine

from sentinels.core.audience import NoticeRules
from sentinels.core.dossier import dossier_json
from sentinels.core.job import JobId, JobState, Move, Reason
from sentinels.core.notice import cancelled_for_dependency
from sentinels.core.queueing import Beginning, BrokenDependency, Ending, LiveAttempt, Requeue
from sentinels.core.retrying import PastAttempt
from sentinels.core.workload import WorkloadRef
from sentinels.db.ends import post_if_swept, post_waiting_end, subject_of
from sentinels.db.engine import statement, transaction
from sentinels.db.lanes import ensure_lane, ensure_shape
from sentinels.db.moves import Change, StaleMove, move_job
from sentinels.db.outbox import post
from sentinels.db.rows import live_attempt_of, ref_of


class PostgresAttempts:
    """Dispatch's and notify's side of attempts that were launched."""

    def __init__(self, engine: Engine, *, lease_seconds: float = 30.0) -> None:
        """``lease_seconds`` is how long a taken-over launch is left to its new driver."""
        self._engine = engine
        self._lease_seconds = lease_seconds

    def live_attempts(self, job_ids: Sequence[int] | None = None) -> Sequence[LiveAttempt]:
        """See ``SettlingQueue.live_attempts``."""
        asked = {"job_ids": None if job_ids is None else list(job_ids)}
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("live_attempts"), asked).mappings().all()
        return [live_attempt_of(row) for row in rows]

    def past_attempts(self, ref: WorkloadRef) -> Sequence[PastAttempt]:
        """See ``SettlingQueue.past_attempts``."""
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("past_attempts"), _key(ref)).all()
        return [
            PastAttempt(Reason(row.reason), row.exit_code, tuple(row.lines), row.node)
            for row in rows
        ]

    def start(self, beginning: Beginning) -> bool:
        """See ``SettlingQueue.start``."""
        change = Change(Move.START, actor=beginning.actor, started_at=beginning.started_at)
        seen = {"started_at": beginning.started_at, "node": beginning.node}
        try:
            with transaction(self._engine) as connection:
                move_job(connection, beginning.ref, change)
                connection.execute(statement("record_start"), {**_key(beginning.ref), **seen})
                post(connection, beginning.deliveries)
        except StaleMove:
            return False
        return True

    def end(self, ending: Ending) -> bool:
        """See ``SettlingQueue.end``."""
        try:
            with transaction(self._engine) as connection:
                move_job(connection, ending.ref, _change(ending))
                connection.execute(statement("end_attempt"), _end_columns(ending))
                if ending.requeue:
                    _requeue(connection, ending.ref.job_id, ending.requeue)
                post(connection, ending.deliveries)
                post_if_swept(connection, ending.sweep_id, ending.if_swept)
        except StaleMove:
            return False
        return True

    def take_over(self, ref: WorkloadRef, *, idle_seconds: float) -> bool:
        """See ``SettlingQueue.take_over``."""
        terms = {"idle_seconds": idle_seconds, "lease_seconds": self._lease_seconds}
        with transaction(self._engine) as connection:
            taken = connection.execute(statement("take_over_attempt"), {**_key(ref), **terms})
            return taken.first() is not None

    def unreleased(self) -> Sequence[WorkloadRef]:
        """See ``SettlingQueue.unreleased``."""
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("unreleased_attempts")).mappings().all()
        return [ref_of(row) for row in rows]

    def mark_released(self, ref: WorkloadRef) -> None:
        """See ``SettlingQueue.mark_released``."""
        with transaction(self._engine) as connection:
            connection.execute(statement("mark_released"), _key(ref))

    def broken_dependencies(self) -> Sequence[BrokenDependency]:
        """See ``SettlingQueue.broken_dependencies``."""
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("broken_dependencies")).all()
        return [
            BrokenDependency(
                JobId(row.job_id),
                row.attempt,
                JobId(row.dependency),
                JobState(row.dependency_state),
            )
            for row in rows
        ]

    def cancel_broken(self, broken: BrokenDependency, rules: NoticeRules) -> bool:
        """See ``SettlingQueue.cancel_broken``."""
        ref = WorkloadRef(broken.job_id, broken.attempt)
        why = f"job {broken.dependency}, which it was to start after, {_ended(broken)}"
        change = Change(
            Move.CANCEL,
            actor="dispatch",
            reason=Reason.DEPENDENCY_FAILED,
            detail=why,
            only_from=frozenset({JobState.QUEUED}),
        )
        try:
            with transaction(self._engine) as connection:
                connection.execute(statement("leave_deferred"), {"job_id": broken.job_id})
                move_job(connection, ref, change)
                subject = subject_of(connection, broken.job_id)
                told = cancelled_for_dependency(ref, subject.submission, why)
                post_waiting_end(connection, subject, told, rules, actor="dispatch")
        except StaleMove:
            return False
        return True


def _ended(broken: BrokenDependency) -> str:
    return "was cancelled" if broken.dependency_state is JobState.CANCELLED else "failed"


def _key(ref: WorkloadRef) -> dict[str, int]:
    return {"job_id": ref.job_id, "attempt": ref.attempt}


def _change(ending: Ending) -> Change:
    return Change(
        move=ending.move,
        actor=ending.actor,
        reason=ending.reason,
        detail=ending.detail,
        started_at=ending.seen.started_at,
        finished_at=ending.seen.finished_at,
    )


def _end_columns(ending: Ending) -> dict[str, object]:
    seen = ending.seen
    return {
        **_key(ending.ref),
        "uid": seen.uid or None,
        "node": seen.node,
        "started_at": seen.started_at,
        "finished_at": seen.finished_at,
        "exit_code": seen.exit_code,
        "reason": ending.reason.value if ending.reason else None,
        "message": ending.detail or None,
        "outputs_complete": seen.outputs_complete,
        **asdict(seen.usage),
        "dossier": json.dumps(dossier_json(ending.dossier)),
    }


def _requeue(connection: Connection, job_id: JobId, requeue: Requeue) -> None:
    lane_id = _reshape(connection, job_id, requeue)
    waiting = {"job_id": job_id, "lane_id": lane_id, "after_seconds": requeue.after_seconds}
    connection.execute(statement("defer_job"), waiting)


def _reshape(connection: Connection, job_id: JobId, requeue: Requeue) -> int:
    shape_id = ensure_shape(connection, requeue.resources)
    changed = {"job_id": job_id, "shape_id": shape_id, "avoids": requeue.avoids}
    row = connection.execute(statement("reshape_job"), changed).one()
    return ensure_lane(connection, team_id=row.team_id, priority=row.priority, shape_id=shape_id)
