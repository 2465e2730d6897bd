"""The one way a job's state changes after its submit and claim. Before: ``core/job``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from sentinels.core.job import MOVES, TERMINAL_STATES, JobState, Move, Reason
from sentinels.core.workload import WorkloadRef
from sentinels.db.engine import statement


class StaleMove(Exception):
    """Somebody else moved the job first; leaving the transaction by this undoes all of it."""


@dataclass(frozen=True, slots=True)
class Change:
    """A move with everything that is written beside it.

    ``only_from`` narrows the states from which ``MOVES`` allows it. ``started_at`` and
    ``finished_at`` are the attempt's, as far as the move knows.
    """

    move: Move
    actor: str
    reason: Reason | None = None
    detail: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    only_from: frozenset[JobState] | None = None


def move_job(connection: Connection, ref: WorkloadRef, change: Change) -> None:
    """Move the job. Raises ``StaleMove`` where it is elsewhere or on another attempt by now."""
    edge = MOVES[change.move]
    allowed = edge.allowed if change.only_from is None else edge.allowed & change.only_from
    written = connection.execute(
        statement("move_job"),
        {
            "job_id": ref.job_id,
            "attempt": ref.attempt,
            "allowed": [state.value for state in allowed],
            "target": edge.target.value,
            "terminal": edge.target in TERMINAL_STATES,
            "reason": change.reason.value if change.reason else None,
            "actor": change.actor,
            "detail": change.detail or None,
            "started_at": change.started_at,
            "finished_at": change.finished_at,
        },
    )
    if written.first() is None:
        raise StaleMove
