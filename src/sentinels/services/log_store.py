"""Elasticsearch or OpenSearch as what keeps logs: ``core.log_store.LogStore``.

Plain JSON, and only what both understand alike. A store that does not answer costs a second, and
nothing for some seconds after: whoever asks meanwhile is told the same at once. Comes in: an
address. Goes out: lines. Before: ``core/log_reading``, ``functions``. Next: ``core/log_documents``.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import httpx

from sentinels.core.errors import LogStoreUnavailable
from sentinels.core.log_documents import INDICES, TEMPLATE, TEMPLATE_NAME, day_of
from sentinels.core.log_lines import SECOND_NS
from sentinels.core.log_store import LogLine
from sentinels.core.ports import Json
from sentinels.core.text import printable
from sentinels.core.workload import WorkloadRef
from sentinels.services.asking import shown

ANSWER_SECONDS = 1.0
"""How long an answer may take: people wait for it, and the rest of what they asked for is there."""
REST_SECONDS = 5.0
"""How long a store that did not answer is not asked again."""
_CONNECT_SECONDS = 0.5
_CHORE_SECONDS = 20.0
_REMEDY = "start the search store, or correct SENTINELS_SEARCH_URL; jobs go on without it"
_SEARCH = f"/{INDICES}/_search?allow_partial_search_results=false"
"""A part of the store that fails is told, else lines would be missing in silence."""
_PAGE = 1000
_ANSWER_BYTES = 16 * 2**20
_FEWER = 16
_SAID_LIMIT = 300
_UP: list[Json] = [{"at_ns": {"order": "asc", "unmapped_type": "long"}}, {"id": {"order": "asc"}}]
_DOWN: list[Json] = [
    {"at_ns": {"order": "desc", "unmapped_type": "long"}},
    {"id": {"order": "desc"}},
]

Found = Mapping[str, Json]


class SearchLogStore:
    """One store; keeps its connections, may be used by several threads."""

    def __init__(
        self,
        url: str,
        *,
        seconds: float = ANSWER_SECONDS,
        rest_seconds: float = REST_SECONDS,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ``InvalidRequest`` for a text that is no address."""
        self._shown = shown(url)
        self._http = httpx.Client(base_url=url.rstrip("/"))
        self._seconds, self._rest_seconds, self._stopwatch = seconds, rest_seconds, stopwatch
        self._lock = threading.Lock()
        self._trouble: LogStoreUnavailable | None = None
        self._known_until = 0.0

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def lines(
        self, ref: WorkloadRef, *, after_ns: int | None, before_ns: int | None, limit: int
    ) -> Sequence[LogLine]:
        """See ``LogStore.lines``."""
        asked = _asked(ref, after_ns, before_ns)
        return [_line(hit) for hit in self._hits({"query": asked, "sort": _UP}, limit)]

    def last_lines(
        self, ref: WorkloadRef, count: int, *, before_ns: int | None = None
    ) -> Sequence[LogLine]:
        """See ``LogStore.last_lines``; a line that was kept in parts is one."""
        asked: dict[str, Json] = {"query": _asked(ref, None, before_ns), "sort": _DOWN}
        found: list[Found] = []
        while len(found) < count:
            page = self._hits(asked, min(_PAGE, count - len(found)))
            found += page
            if not page:
                break
            asked["search_after"] = page[-1]["sort"]
        return list(_joined(_line(hit) for hit in reversed(found)))

    def last_output(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime]:
        """See ``LogStore.last_output``."""
        by_name = {ref.name: ref for ref in refs}
        if not by_name:
            return {}
        latest: Json = {"latest": {"max": {"field": "at_ns"}}}
        each: Json = {"terms": {"field": "workload", "size": len(by_name)}, "aggs": latest}
        asked: Json = {
            "size": 0,
            "query": {"terms": {"workload": list(by_name)}},
            "aggs": {"each": each},
        }
        answer = self._ask("POST", _SEARCH, asked)
        return {
            by_name[str(bucket["key"])]: datetime.fromtimestamp(_real(bucket, "latest"), UTC)
            for bucket in _rows(answer, "aggregations", "each", "buckets")
        }

    def check(self) -> None:
        """See ``LogStore.check``."""
        with self._lock:
            known = self._stopwatch() < self._known_until and self._trouble is None
        if not known:
            self._ask("GET", "/")

    def prepare(self) -> None:
        """See ``LogStore.prepare``. An index that was made before, in which lines have no order, is
        made anew: it would spoil every search.
        """
        self._do("PUT", f"/_index_template/{TEMPLATE_NAME}", TEMPLATE)
        found = self._do("GET", f"/{INDICES}/_mapping?filter_path=*.mappings.properties.at_ns.type")
        for index, its in (found if isinstance(found, Mapping) else {}).items():
            if _kind(its) != "long" and day_of(index) is not None:
                self._mend(index)

    def expire(self, *, days: int, today: datetime) -> int:
        """See ``LogStore.expire``; the index of a day goes as a whole."""
        listed = self._do("GET", f"/_cat/indices/{INDICES}?format=json&h=index")
        oldest = (today - timedelta(days=days)).date()
        names = [str(row["index"]) for row in _rows(listed)]
        old = [name for name in names if (day := day_of(name)) is not None and day < oldest]
        for name in old:
            self._do("DELETE", f"/{name}?ignore_unavailable=true")
        return len(old)

    def _mend(self, index: str) -> None:
        copied: Json = {"source": {"index": index}, "dest": {"index": f"{index}-mended"}}
        self._do("POST", "/_reindex?refresh=true", copied)
        self._do("DELETE", f"/{index}?ignore_unavailable=true")

    def _do(self, method: str, path: str, body: Json = None) -> Json:
        """A chore, for which there is time."""
        return self._ask(method, path, body, seconds=_CHORE_SECONDS)

    def _hits(self, asked: Mapping[str, Json], size: int) -> list[Found]:
        """What a search finds; of long lines fewer than were asked for, and at least one."""
        only: dict[str, Json] = {**asked, "_source": ["message", "ends"], "track_total_hits": False}
        while True:
            sized: Json = {**only, "size": size}
            try:
                answer = self._ask("POST", _SEARCH, sized, most=_ANSWER_BYTES if size > 1 else None)
            except _TooLong:
                size = max(1, size // _FEWER)
            else:
                return _rows(answer, "hits", "hits")

    def _ask(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        most: int | None = None,
        seconds: float | None = None,
    ) -> Json:
        """One call; its answer. Raises ``LogStoreUnavailable``, soon after trouble at once."""
        with self._lock:
            if self._trouble is not None and self._stopwatch() < self._known_until:
                raise LogStoreUnavailable(str(self._trouble), remedy=_REMEDY)
        try:
            status, content = self._exchanged(method, path, body, most, seconds or self._seconds)
        except LogStoreUnavailable as trouble:
            self._remember(trouble)
            raise
        # One that says no does so at once: it may be asked again.
        self._remember(None)
        return self._read(status, content)

    def _remember(self, trouble: LogStoreUnavailable | None) -> None:
        with self._lock:
            self._trouble = trouble
            self._known_until = self._stopwatch() + self._rest_seconds

    def _exchanged(
        self, method: str, path: str, body: Json, most: int | None, seconds: float
    ) -> tuple[int, bytes]:
        end = self._stopwatch() + seconds
        content = bytearray()
        try:
            with self._http.stream(method, path, json=body, timeout=_timeout(seconds)) as answer:
                for part in answer.iter_bytes():
                    content += part
                    if most is not None and len(content) > most:
                        raise _TooLong
                    if self._stopwatch() > end:
                        raise self._away(f"no whole answer within {seconds:g} s")
        except httpx.HTTPError as error:
            raise self._away(_why(error)) from error
        return answer.status_code, bytes(content)

    def _read(self, status: int, content: bytes) -> Json:
        try:
            found: Json = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._away(f"it answered {status}, and not as a search store") from error
        if not httpx.codes.is_success(status):
            raise self._away(f"it answered {status}: {_reason(found)}")
        return found

    def _away(self, why: str) -> LogStoreUnavailable:
        said = f"the search store at {self._shown} does not answer: {why}"
        return LogStoreUnavailable(said, remedy=_REMEDY)


class _TooLong(Exception):
    """The answer is longer than is to be held."""


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds))


def _asked(ref: WorkloadRef, after_ns: int | None, before_ns: int | None) -> dict[str, Json]:
    between = {"gt": after_ns, "lt": before_ns}
    bounds: Json = {name: at_ns for name, at_ns in between.items() if at_ns is not None}
    filters: list[Json] = [{"term": {"workload": ref.name}}]
    if bounds:
        filters.append({"range": {"at_ns": bounds}})
    return {"bool": {"filter": filters}}


def _kind(mapped: Json) -> Json:
    """The type of the field that orders lines, in what the store says of an index."""
    for name in ("mappings", "properties", "at_ns", "type"):
        mapped = mapped.get(name) if isinstance(mapped, Mapping) else None
    return mapped


def _line(hit: Found) -> LogLine:
    source, sort = hit.get("_source"), hit.get("sort")
    kept = source if isinstance(source, Mapping) else {}
    at_ns = int(str(sort[0])) if isinstance(sort, Sequence) and sort else 0
    # A lone surrogate, which JSON can carry, is no text.
    text = str(kept.get("message") or "").encode("utf-8", "replace").decode()
    return LogLine(at_ns, text, kept.get("ends") is not False)


def _joined(lines: Iterator[LogLine]) -> Iterator[LogLine]:
    """The lines with the parts of each put together."""
    whole: LogLine | None = None
    for line in lines:
        if whole is not None and not whole.ends:
            whole = LogLine(whole.at_ns, whole.text + line.text, line.ends)
            continue
        if whole is not None:
            yield whole
        whole = line
    if whole is not None:
        yield whole


def _real(bucket: Found, name: str) -> float:
    """The value of a bucket's own sum, in seconds."""
    found = bucket.get(name)
    value = found.get("value") if isinstance(found, Mapping) else None
    return float(str(value)) / SECOND_NS


def _rows(answer: Json, *path: str) -> list[Found]:
    for name in path:
        answer = answer.get(name) if isinstance(answer, Mapping) else None
    found = answer if isinstance(answer, Sequence) and not isinstance(answer, str) else ()
    return [row for row in found if isinstance(row, Mapping)]


def _reason(answer: Json) -> str:
    error = answer.get("error") if isinstance(answer, Mapping) else answer
    reason = error.get("reason") if isinstance(error, Mapping) else error
    return printable(str(reason))[:_SAID_LIMIT]


def _why(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it is silent"
    return str(error).partition("] ")[2] or str(error) or type(error).__name__
