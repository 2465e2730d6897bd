"""A job's output, from a position or by its last lines, as soon as there is some.

Comes in: an ``Ask``. Goes out: text, and the cursor behind it; pieces put together are the whole,
nothing lost, nothing twice, wherever each of them was read. Before: ``routes``. Next:
``core/log_reading``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flask import Response

from sentinels.core.errors import InvalidRequest, NotFound
from sentinels.core.job import TERMINAL_STATES, JobState
from sentinels.core.log_lines import SECOND_NS, with_times
from sentinels.core.log_position import START, Position, decode, encode
from sentinels.core.log_reading import LogPiece, Printed
from sentinels.core.ports import JobRef
from sentinels.core.reading import AttemptView
from sentinels.core.workload import WorkloadRef
from sentinels.functions.http import reply
from sentinels.functions.routing import Query
from sentinels.functions.submit.door import Ask

_BEGINNINGS = ("cursor", "since", "tail")
_LONGEST_PAUSE = 1.0
"""Seconds between two looks at a log that is silent: each costs its node a look at the file."""


def read_log(ask: Ask) -> Response:
    """A piece of output; waits for some where that is asked for."""
    job = ask.job()
    reading = _Reading(ask, job)
    piece = ask.door.patience.until(
        lambda seen: bool(seen.text) or seen.ended,
        reading.look,
        ask.query.decimal("wait"),
        slowest=_LONGEST_PAUSE,
    )
    return reply(
        {
            "job": job.id,
            "attempt": reading.attempt,
            "text": with_times(piece.text, piece.marks) if reading.timed else piece.text,
            "cursor": encode(piece.position),
            "ended": piece.ended,
            "source": piece.source.value if piece.source else None,
            "unavailable": piece.unavailable,
        }
    )


def printed(job: JobRef, attempt: AttemptView) -> Printed:
    """An attempt, for whoever reads its output."""
    return Printed(
        WorkloadRef(job.id, attempt.attempt),
        live=attempt.live,
        finished_at=attempt.finished_at if attempt.started_at else None,
        run_id=attempt.mlflow_run_id,
    )


def chosen_attempt(ask: Ask, job: JobRef) -> AttemptView | None:
    """The attempt asked for, else the newest; None where the job was never launched."""
    attempts: Sequence[AttemptView] = ask.door.reading.attempts(job)
    wanted = ask.query.maybe("attempt")
    if wanted is None:
        return attempts[-1] if attempts else None
    for attempt in attempts:
        if attempt.attempt == wanted:
            return attempt
    raise NotFound(
        f"job {job.id} has no attempt {wanted}",
        remedy=f"it has had {len(attempts)}; see: sentinels status {job.id}",
    )


class _Reading:
    """One request's looks: where it begins is found out once, when there is an attempt."""

    def __init__(self, ask: Ask, job: JobRef) -> None:
        self.attempt = 0
        self.timed = ask.query.word("timestamps") == "true"
        self._ask, self._job = ask, job
        self._place = _cursor(ask.query)

    def look(self) -> LogPiece:
        attempt = chosen_attempt(self._ask, self._job)
        if attempt is None:
            place, over = self._place or START, _is_over(self._ask, self._job)
            return LogPiece("", (), place, ended=over, source=None, unavailable=None)
        self.attempt, it = attempt.attempt, printed(self._job, attempt)
        if self._place is None:
            self._place = self._beginning(it)
        limit = self._ask.query.number("limit")
        return self._ask.door.logs.read(it, self._place, limit=limit, timed=self.timed)

    def _beginning(self, it: Printed) -> Position:
        query, logs = self._ask.query, self._ask.door.logs
        tail, since = query.maybe("tail"), query.word("since")
        if tail is not None:
            return logs.before_last(it, tail)
        return logs.since(it, _nanoseconds(since)) if since is not None else START


def _cursor(query: Query) -> Position | None:
    """The position that was given. Raises ``InvalidRequest`` for two beginnings."""
    given = [name for name in _BEGINNINGS if name in query.words or name in query.numbers]
    if len(given) > 1:
        raise InvalidRequest(f"{' and '.join(given)} name two beginnings", remedy="give one")
    since, cursor = query.word("since"), query.word("cursor")
    if since is not None:
        _nanoseconds(since)
    return None if cursor is None else decode(cursor)


def _nanoseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return max(0, round(moment.timestamp() * 10**6) * (SECOND_NS // 10**6))
    except (ValueError, OverflowError):
        pass
    raise InvalidRequest(
        f"since: {text!r} is no time with a zone", remedy="as in 2026-11-28T12:00:00Z"
    )


def _is_over(ask: Ask, job: JobRef) -> bool:
    found = ask.door.reading.jobs(ask.caller, [job.id])
    state = found[0].state if found else JobState.CANCELLED
    return state in TERMINAL_STATES
