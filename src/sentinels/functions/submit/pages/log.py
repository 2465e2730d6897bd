"""A job's output on pages: its last lines, or all of it as plain text.

Before: ``views``, ``routes``. Next: ``core/log_reading``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flask import Response

from sentinels.core.log_position import START, Position
from sentinels.core.log_reading import LogPiece, LogReader, Printed
from sentinels.core.ports import JobRef
from sentinels.core.reading import AttemptView
from sentinels.core.text import printable
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.logs import chosen_attempt, printed

_PIECE = 256 * 1024
_MOST = 2**20


def last_piece(
    ask: Ask, job: JobRef, attempts: Sequence[AttemptView], *, lines: int
) -> LogPiece | None:
    """The last lines of the newest attempt; None where there was none yet."""
    if not attempts:
        return None
    return ask.door.logs.tail(printed(job, attempts[-1]), lines, limit=_MOST)


def whole_log(ask: Ask) -> Response:
    """All of the newest attempt's output so far, piece by piece."""
    job = ask.job()
    attempt = chosen_attempt(ask, job)
    pieces = _pieces(ask.door.logs, printed(job, attempt)) if attempt else iter(())
    return Response(pieces, mimetype="text/plain")


def _pieces(logs: LogReader, it: Printed) -> Iterator[str]:
    """Whole lines, as far as they have an end: what steers is never cut in two."""
    place: Position = START
    begun = ""
    while True:
        piece = logs.read(it, place, limit=_PIECE)
        whole, newline, begun = (begun + piece.text).rpartition("\n")
        over = not piece.text or piece.ended
        if over or len(begun) > _PIECE:
            whole, newline, begun = whole + newline + begun, "", ""
        yield printable(whole + newline, keep_newlines=True)
        if over:
            return
        place = piece.position
