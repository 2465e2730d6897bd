"""A job's output, from an offset or by its last lines, as soon as there is some.

Comes in: an ``Ask``. Goes out: text and where the next piece begins. Offsets are bytes; a piece
never ends inside a character, so pieces put together are the whole, nothing lost, nothing twice.
Before: ``routes``. Next: ``kept_logs``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response

from sentinels.core.errors import NotFound
from sentinels.core.job import TERMINAL_STATES, JobState
from sentinels.core.ports import JobRef, LogChunk
from sentinels.core.reading import AttemptView
from sentinels.core.workload import WorkloadRef
from sentinels.functions.http import reply
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.kept_logs import ClusterLog, KeptLog, Log

_BLOCK = 64 * 1024
_TAIL_BLOCKS = 64
"""The last lines are looked for in this many blocks: 4 MiB."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of output of an attempt; ``ended``: nothing follows."""

    attempt: int
    text: str
    offset: int
    next_offset: int
    ended: bool


def read_log(ask: Ask) -> Response:
    """A piece of output; waits for some where that is asked for."""
    job, tail = ask.job(), ask.query.maybe("tail")
    offset = ask.query.number("offset")
    if tail is not None:
        offset = _tail_offset(ask, job, tail)
    piece = ask.door.patience.until(
        lambda seen: bool(seen.text) or seen.ended,
        lambda: _look(ask, job, offset),
        ask.query.decimal("wait"),
    )
    return reply(
        {
            "job": job.id,
            "attempt": piece.attempt,
            "text": piece.text,
            "offset": piece.offset,
            "next_offset": piece.next_offset,
            "ended": piece.ended,
        }
    )


def _look(ask: Ask, job: JobRef, offset: int) -> Piece:
    attempt = chosen_attempt(ask, job)
    if attempt is None:
        return Piece(0, "", offset, offset, ended=_is_over(ask, job))
    chunk = _read(ask, job, attempt, offset)
    # The cluster's word that a log ended is only the last one once the attempt's end is committed:
    # before its launch there is no log either, which reads the same.
    ended = chunk.ended and not attempt.live
    data = chunk.data if ended else chunk.data[: whole_characters(chunk.data)]
    following = chunk.next_offset - (len(chunk.data) - len(data))
    return Piece(attempt.attempt, data.decode("utf-8", "replace"), offset, following, ended)


def _read(ask: Ask, job: JobRef, attempt: AttemptView, offset: int) -> LogChunk:
    live, limit = _live(ask, job, attempt), ask.query.number("limit")
    chunk = live.read(offset=offset, limit=limit)
    if chunk.data or not chunk.ended:
        return chunk
    kept = _kept(ask, attempt, live, offset)
    return kept.read(offset=offset, limit=limit) if kept else chunk


def _live(ask: Ask, job: JobRef, attempt: AttemptView) -> ClusterLog:
    return ClusterLog(ask.door.cluster, WorkloadRef(job.id, attempt.attempt))


def _kept(ask: Ask, attempt: AttemptView, live: Log, offset: int) -> KeptLog | None:
    """The tracker's copy, where the cluster has let go of the log: it has not even the byte before
    ``offset``.
    """
    tracker, run_id = ask.door.tracker, attempt.mlflow_run_id
    if ask.door.cluster.keeps_logs or attempt.live or tracker is None or run_id is None:
        return None
    if live.read(offset=max(0, offset - 1), limit=1).data:
        return None
    return ask.door.kept_logs.find(tracker, run_id)


def end_of_log(ask: Ask, job: JobRef, attempt: AttemptView, *, limit: int) -> tuple[bytes, bool]:
    """The last bytes of what an attempt printed, and whether they are all of it. Raises
    ``Unavailable``.
    """
    live = _live(ask, job, attempt)
    log: Log = _kept(ask, attempt, live, 0) or live
    begin = max(0, log.size() - limit)
    return log.read(offset=begin, limit=limit).data, begin == 0


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


def _is_over(ask: Ask, job: JobRef) -> bool:
    found = ask.door.reading.jobs(ask.caller, [job.id])
    state = found[0].state if found else JobState.CANCELLED
    return state in TERMINAL_STATES


def _tail_offset(ask: Ask, job: JobRef, lines: int) -> int:
    attempt = chosen_attempt(ask, job)
    if attempt is None:
        return 0
    live = _live(ask, job, attempt)
    return tail_offset(_kept(ask, attempt, live, 0) or live, lines)


def tail_offset(log: Log, lines: int) -> int:
    """Where the last ``lines`` lines begin, reading backwards from the end in blocks.

    A last line without a newline counts. Looks through 4 MiB at most.
    """
    end = log.size()
    if end == 0 or lines == 0:
        return end
    start, found = end, 0
    for _ in range(_TAIL_BLOCKS):
        size = min(_BLOCK, start)
        block = log.read(offset=start - size, limit=size).data[:size]
        start -= size
        at = len(block) - 1 if start + size == end and block.endswith(b"\n") else len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            found += 1
            if found == lines:
                return start + at + 1
        if start == 0:
            return 0
    return start


def whole_characters(data: bytes) -> int:
    """How many bytes of ``data`` do not belong to a UTF-8 character that is cut off at its end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0b1100_0000 == 0b1000_0000:
            continue
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return len(data) - back if byte < 0xF5 and length > back else len(data)
    return len(data)
