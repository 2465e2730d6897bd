"""What a workload prints, on its way from the attempt's log file to the log store.

The file is the buffer: what the store did not take is sent again from where it stopped, by the
runner while its program runs, by a later collection when that has ended. What is sent twice is kept
once: an id is made of the workload and the byte where the line begins. A long line goes in parts.
Standard library only, and most of it is imported when it is needed: the runner must start quickly.
Comes in: a folder. Goes out: documents. Before: ``runner``, ``log_pipe``, ``cluster``. Next:
``log_times``, ``core/log_documents``.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sentinels.clusters.local.folders import (
    Record,
    WorkloadFolder,
    number,
    read_record,
    write_record,
)

if TYPE_CHECKING:
    from sentinels.core.log_documents import Whose

PART_BYTES = 32 * 1024
"""A longer line goes in parts; each is a document that says that it does not end."""
_BATCH_BYTES = 512 * 1024
_BATCH_LINES = 2000
_TURN_SECONDS = 1.0
_LONGEST_PAUSE = 30.0
_SILENT_SECONDS = 5.0
_FLUSH_SECONDS = 2.0
_NEVER = 400
"""The status of a document that the store will not take, however often it is brought."""
_ONLY = "filter_path=errors,items.index.status,items.index.error"
_TO_JSON = {"Content-Type": "application/json"}
_TO_LINES = {"Content-Type": "application/x-ndjson"}


class StoreInTrouble(Exception):
    """The log store did not answer, or not sensibly: another moment may bring another answer."""


class _Batch(NamedTuple):
    """Documents as the store takes them, and the byte behind their last one."""

    body: bytes
    end: int


class Shipper:
    """Sends what comes, in a thread of its own, until it is told to end."""

    def __init__(self, folder: WorkloadFolder, spec: Record) -> None:
        """It begins when it is told to: no fork may follow a thread."""
        self._folder, self._spec = folder, spec
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ship, name="shipping", daemon=True)

    def begin(self) -> None:
        """Send from now on."""
        self._thread.start()

    def end(self) -> None:
        """Send nothing more; what was not sent is left to ``ship_rest``. Returns at once: an answer
        that is still awaited counts no more.
        """
        self._over.set()

    def _ship(self) -> None:
        pause = _TURN_SECONDS
        while not self._over.wait(pause):
            try:
                ship(self._folder, self._spec, until=self._over.is_set)
                pause = _TURN_SECONDS
            except StoreInTrouble as trouble:
                _record(self._folder, _shipped(self._folder), trouble=str(trouble))
                pause = min(2 * pause, _LONGEST_PAUSE)


def shipper_of(folder: WorkloadFolder, spec: Record) -> Shipper | None:
    """What sends this workload's log; None where there is no store."""
    return Shipper(folder, spec) if spec.get("search_url") else None


def ship_rest(folder: WorkloadFolder, spec: Record) -> None:
    """Send the rest when the program has ended, in bounded time: a store that was in trouble is
    left to a later collection.
    """
    if not spec.get("search_url") or (read_record(folder.shipped) or {}).get("trouble"):
        return
    end = time.monotonic() + _FLUSH_SECONDS
    try:
        ship(folder, spec, over=True, until=lambda: time.monotonic() > end, seconds=_FLUSH_SECONDS)
    except StoreInTrouble as trouble:
        _record(folder, _shipped(folder), trouble=str(trouble))


def ship(
    folder: WorkloadFolder,
    spec: Record,
    *,
    until: Callable[[], bool],
    over: bool = False,
    seconds: float = _SILENT_SECONDS,
) -> bool:
    """Send what the store lacks, batch by batch; True when nothing is left of a log that is
    ``over``. The store may be silent for so many ``seconds``. Raises ``StoreInTrouble``.
    """
    done, store = _shipped(folder), _Store(str(spec["search_url"]), seconds)
    while not until():
        batch = _batch(folder, spec, done, over=over)
        if batch is None:
            if over:
                _record(folder, done, complete=True)
            return over
        if done == 0:
            store.prepare()
        store.send(batch.body)
        if until() and not over:
            return False
        done = batch.end
        _record(folder, done)
    return False


def _batch(folder: WorkloadFolder, spec: Record, begin: int, *, over: bool) -> _Batch | None:
    """Documents of the lines from a byte on; of one that may go on only where the log is over."""
    from sentinels.clusters.local.log_times import LogTimes
    from sentinels.core.log_documents import document, index_of
    from sentinels.core.log_store import LogLine

    whose, uid, body = _whose(folder, spec), str(spec["uid"]), bytearray()
    data = _read(folder, begin)
    with LogTimes(folder.log_times) as times:  # it has those of all that was read before
        for content in islice(_parts(data, over=over), _BATCH_LINES):
            text = content.removesuffix(b"\n").decode("utf-8", "replace")
            line = LogLine(times.at(begin), text, content.endswith(b"\n"))
            known = f"{uid}-{begin}"
            action = {"index": {"_index": index_of(line.at_ns), "_id": known}}
            body += _json(action) + _json(document(line, whose, known))
            begin += len(content)
    return _Batch(bytes(body), begin) if body else None


def _json(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _read(folder: WorkloadFolder, begin: int) -> bytes:
    try:
        with folder.log.open("rb") as log:
            log.seek(begin)
            return log.read(_BATCH_BYTES)
    except FileNotFoundError:
        return b""


def _parts(data: bytes, *, over: bool) -> Iterator[bytes]:
    """Each line with its newline, or a part of a long one.

    Where a line is cut follows from where it begins: it is cut alike each time.
    """
    from sentinels.core.text import whole_characters

    place = 0
    while place < len(data):
        longest = data[place : place + PART_BYTES + 1]
        length = longest.find(b"\n") + 1
        if not length and len(longest) > PART_BYTES:
            length = whole_characters(longest[:PART_BYTES])
        if not length and not over:
            return
        part = longest[:length] if length else longest
        yield part
        place += len(part)


def _whose(folder: WorkloadFolder, spec: Record) -> Whose:
    from sentinels.core.log_documents import Whose

    return Whose(
        job=number(spec, "job_id"),
        attempt=number(spec, "attempt"),
        workload=folder.name,
        team=str(spec["team"]),
        user=str(spec["user"]),
        experiment=str(spec["experiment"]),
        node=str(spec["node"]),
    )


class _Store:
    """The search store, as far as it is brought lines. Raises ``StoreInTrouble``."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url, self._seconds = url.rstrip("/"), seconds

    def prepare(self) -> None:
        """See to it that it knows what the fields are, before the first line comes."""
        from sentinels.core.log_documents import TEMPLATE, TEMPLATE_NAME

        path = f"/_index_template/{TEMPLATE_NAME}"
        if self._ask("HEAD", path, b"")[0] >= 300:
            self._good("PUT", path, json.dumps(TEMPLATE).encode())

    def send(self, body: bytes) -> None:
        """Bring documents. One that it will never take is told of and left out."""
        said = self._good("POST", f"/_bulk?{_ONLY}", body, _TO_LINES)
        try:
            answer = json.loads(said)
            items = [each["index"] for each in answer["items"]] if answer["errors"] else []
        except (ValueError, KeyError, TypeError) as error:
            raise StoreInTrouble(f"what answers is no search store: {said[:80]!r}") from error
        for item in items:
            if item.get("status") == _NEVER:
                sys.stderr.write(f"the search store does not take a line: {item.get('error')}\n")
            elif item.get("error"):
                raise StoreInTrouble(f"the search store did not take a line: {item['error']}")

    def _good(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str] = _TO_JSON
    ) -> bytes:
        status, said = self._ask(method, path, body, headers)
        if status >= 300:
            raise StoreInTrouble(f"the search store answered {status}: {said[:200]!r}")
        return said

    def _ask(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str] = _TO_JSON
    ) -> tuple[int, bytes]:
        import http.client

        from sentinels.clusters.outputs import exchange

        url, seconds = self._url + path, self._seconds
        try:
            return exchange(method, url, headers, body, silent_seconds=seconds)
        except (OSError, http.client.HTTPException) as error:
            why = error.strerror if isinstance(error, OSError) else None
            raise StoreInTrouble(
                f"the search store does not answer: {why or str(error) or type(error).__name__}"
            ) from error


def _shipped(folder: WorkloadFolder) -> int:
    return int(str((read_record(folder.shipped) or {}).get("bytes", 0)))


def _record(
    folder: WorkloadFolder, done: int, *, complete: bool = False, trouble: str | None = None
) -> None:
    write_record(folder.shipped, {"bytes": done, "complete": complete, "trouble": trouble})
