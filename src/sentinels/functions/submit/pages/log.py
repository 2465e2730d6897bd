"""A job's output on pages: its last lines, or all of it as plain text.

Before: ``views``, ``routes``. Next: ``submit/logs``.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response

from sentinels.core.ports import JobRef
from sentinels.core.text import printable
from sentinels.core.workload import WorkloadRef
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.kept_logs import ClusterLog
from sentinels.functions.submit.logs import chosen_attempt, tail_offset

_PIECE = 256 * 1024
_MOST = 2**20


def last_text(ask: Ask, job: JobRef, *, lines: int) -> str:
    """The last lines of its newest attempt. Raises ``ClusterUnavailable``."""
    if not job.attempt:
        return ""
    log = ClusterLog(ask.door.cluster, WorkloadRef(job.id, job.attempt))
    data = log.read(offset=tail_offset(log, lines), limit=_MOST).data
    return data.decode("utf-8", "replace")


def whole_log(ask: Ask) -> Response:
    """All of its newest attempt's output, piece by piece."""
    job = ask.job()
    chosen_attempt(ask, job)
    return Response(_pieces(ask, job), mimetype="text/plain")


def _pieces(ask: Ask, job: JobRef) -> Iterator[str]:
    """Whole lines, as far as they have an end: what steers is never cut in two."""
    log, offset, begun = ClusterLog(ask.door.cluster, WorkloadRef(job.id, job.attempt)), 0, b""
    while True:
        chunk = log.read(offset=offset, limit=_PIECE)
        whole, newline, begun = (begun + chunk.data).rpartition(b"\n")
        over = not chunk.data or chunk.ended
        if over or len(begun) > _PIECE:
            whole, newline, begun = whole + newline + begun, b"", b""
        yield printable((whole + newline).decode("utf-8", "replace"), keep_newlines=True)
        if over:
            return
        offset = chunk.next_offset
