"""What a pod's program printed, line by line with its times, from a position on.

The API begins at a second or counts lines from the end; the line of the position is looked for in
what it answers. It knows the newest file of a container alone: a kubelet begins another one every
10 MiB. Comes in: a pod, a position, a limit. Goes out: a piece, which says whether it follows what
was read before, or None where there is no log. Before: ``cluster``. Next: ``core/log_lines``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import Api, Refusal, Request
from sentinels.clusters.kubernetes.evidence import container_status
from sentinels.clusters.kubernetes.launch import message_of
from sentinels.clusters.kubernetes.names import MAIN, at, text_at
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.log_lines import SECOND_NS, SLACK_NS, take, timed_lines
from sentinels.core.log_position import START, Begun, Moment, before
from sentinels.core.log_store import LogLine
from sentinels.core.ports import Json, LogChunk, LogTail

SILENT_SECONDS = 4.0
"""How long a node may be silent: what it does not tell is told by the log store."""
_SECONDS = 20.0
_FURTHER = 16


def read_log(api: Api, pod: Json, *, after: Moment, limit: int) -> LogChunk | None:
    """See ``Cluster.read_log``. Raises ``ClusterUnavailable``."""
    state = at(container_status(pod, MAIN), "state")
    if at(state, "running") is None and at(state, "terminated") is None:
        return LogChunk("", after, ended=not _may_start(pod))
    try:
        with closing(_lines(api, pod, _since(after))) as lines:
            taken = take(lines, after, limit=limit, grows=True)
    except _NoLogError:
        return None
    nothing_yet = after.is_start and taken.first_ns is None
    return LogChunk(
        taken.text,
        taken.position,
        ended=at(state, "terminated") is not None and taken.whole,
        marks=taken.marks,
        joined=taken.joined or nothing_yet,
        first_ns=taken.first_ns,
    )


def tail(api: Api, pod: Json, count: int) -> LogTail | None:
    """See ``Cluster.log_tail``. Raises ``ClusterUnavailable``."""
    try:
        return _tail(api, pod, count) if count else _end(api, pod)
    except _NoLogError:
        return None


class _NoLogError(Exception):
    """It went away, or has not begun, since the pod was looked at."""


def last_output(api: Api, pod: Json) -> datetime | None:
    """When its program printed its last line. Raises ``ClusterUnavailable``."""
    try:
        last = _last(api, pod)
    except _NoLogError:
        return None
    return None if last is None else datetime.fromtimestamp(last.at_ns / SECOND_NS, UTC)


def _may_start(pod: Json) -> bool:
    return text_at(pod, "status", "phase") not in ("Succeeded", "Failed")


def _since(after: Moment) -> dict[str, str]:
    """Whole seconds are asked for, and the line that was read last has to be among them."""
    if after.is_start:
        return {}
    earliest = after.earliest if after.last is None else min(after.earliest, after.last)
    moment = datetime.fromtimestamp(max(0, earliest - SLACK_NS) // SECOND_NS, UTC)
    return {"sinceTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}


def _tail(api: Api, pod: Json, count: int) -> LogTail:
    """A long line counts as many in the API's eyes, and may come without its beginning: one more
    line is asked for than is wanted, and many more where too few are whole.
    """
    asked, known = count + 1, -1
    while True:
        times: deque[int] = deque(maxlen=count)
        found = 0
        with closing(_lines(api, pod, {"tailLines": str(asked)})) as lines:
            for line in lines:
                times.append(line.at_ns)
                found += 1
        if found > count or found == known or not times:
            break
        asked, known = asked * _FURTHER, found
    return LogTail(before(times[0]), len(times), times[0]) if times else LogTail(START, 0)


def _end(api: Api, pod: Json) -> LogTail:
    last = _last(api, pod)
    if last is None:
        return LogTail(START, 0)
    if last.ends:
        return LogTail(START.after([last.at_ns]), 0)
    return LogTail(Moment(last.at_ns - 1, begun=Begun(last.at_ns, len(last.text))), 0)


def _last(api: Api, pod: Json) -> LogLine | None:
    with closing(_lines(api, pod, {"tailLines": "1"})) as lines:
        return next(iter(deque(lines, maxlen=1)), None)


def _lines(api: Api, pod: Json, query: Mapping[str, str]) -> Generator[LogLine, None, None]:
    namespace, name = text_at(pod, "metadata", "namespace"), text_at(pod, "metadata", "name")
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
    request = Request(
        "GET",
        path,
        {"container": MAIN, "timestamps": "true", **query},
        accept="*/*",
        seconds=_SECONDS,
        silent_seconds=SILENT_SECONDS,
    )
    try:
        with closing(api.parts(request)) as parts:
            yield from timed_lines(parts)
    except Refusal as refusal:
        if refusal.answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST):
            raise _NoLogError from refusal
        raise ClusterUnavailable(
            message_of(refusal.answer), retry_after=refusal.retry_after
        ) from refusal
