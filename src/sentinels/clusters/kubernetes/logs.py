"""A pod's output by byte offsets.

The API has no offsets: what comes before one is read and dropped. Comes in: a pod, an offset, a
limit. Goes out: a piece, or None where there is no pod to read from. Before: ``cluster``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import LIST_SECONDS, Api, Request
from sentinels.clusters.kubernetes.evidence import container_status
from sentinels.clusters.kubernetes.launch import message_of
from sentinels.clusters.kubernetes.names import MAIN, at, text_at
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.ports import Json, LogChunk

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_WHOLE = 256 * 2**20
"""Bytes of one log that are read at most."""


def read_log(api: Api, pod: Json, *, offset: int, limit: int) -> LogChunk:
    """See ``Cluster.read_log``. Raises ``ClusterUnavailable``."""
    state = at(container_status(pod, MAIN), "state")
    if at(state, "running") is None and at(state, "terminated") is None:
        return LogChunk(b"", offset, ended=not _may_start(pod))
    content = _content(api, pod, min(offset + limit + 1, _WHOLE))
    data = content[offset : offset + limit]
    over = at(state, "terminated") is not None and len(content) <= offset + limit
    return LogChunk(data, offset + len(data), ended=over)


def log_size(api: Api, pod: Json) -> int:
    """See ``Cluster.log_size``. Raises ``ClusterUnavailable``."""
    state = at(container_status(pod, MAIN), "state")
    if at(state, "running") is None and at(state, "terminated") is None:
        return 0
    return len(_content(api, pod, _WHOLE))


def last_output(api: Api, pod: Json) -> datetime | None:
    """When its program printed its last line. Raises ``ClusterUnavailable``."""
    query = {"tailLines": "1", "timestamps": "true", "limitBytes": "64"}
    moment = _asked(api, pod, query).partition(b" ")[0].decode(errors="replace")
    found = _MOMENT.match(moment)
    return datetime.fromisoformat(f"{found[1]}{found[2]}") if found else None


def _may_start(pod: Json) -> bool:
    return text_at(pod, "status", "phase") not in ("Succeeded", "Failed")


def _content(api: Api, pod: Json, most: int) -> bytes:
    return _asked(api, pod, {"limitBytes": str(most)})


def _asked(api: Api, pod: Json, query: Mapping[str, str]) -> bytes:
    namespace, name = text_at(pod, "metadata", "namespace"), text_at(pod, "metadata", "name")
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
    asked = {"container": MAIN, **query}
    answer = api.request(Request("GET", path, asked, accept="*/*", seconds=LIST_SECONDS))
    if answer.status == HTTPStatus.OK:
        return answer.body
    if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST):
        return b""  # it went away, or has not begun, since it was looked at
    raise ClusterUnavailable(message_of(answer), retry_after=answer.retry_after)
