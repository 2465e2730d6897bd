"""Writes down every Job that was ever there, from its own watch, behind the product's back.

Comes in: the watch of Jobs, through the real API server and not through a fault proxy. Goes out:
what must be true of all that was seen.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType

from tests.support.direct_api import ApiError, Body, DirectApi

JOBS = "/apis/batch/v1/jobs"
OURS = "sentinels.dev/managed=true"
GONE = 410


@dataclass
class SeenJob:
    """One Job, by its uid. Times are this process's monotonic clock, None for not yet."""

    namespace: str
    name: str
    uid: str
    attempt: tuple[str, str]
    seen_at: float
    begun_at: float | None = None
    deleted_at: float | None = None
    ends: list[str] = field(default_factory=list)


@dataclass
class Auditor:
    """Use as a context; asks every namespace that begins with ``prefix``."""

    api: DirectApi
    prefix: str
    jobs: dict[str, SeenJob] = field(default_factory=dict)
    relists: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Auditor:
        self._version = self._list()
        self._thread = threading.Thread(target=self._follow, name="auditor")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(30)

    def look_again(self) -> None:
        """List everything once more, so that nothing is missing from what is judged."""
        self._list()

    def snapshot(self) -> list[SeenJob]:
        with self._lock:
            return list(self.jobs.values())

    def twins(self) -> dict[tuple[str, ...], set[str]]:
        """Attempts that ever had two Jobs, with their uids: there must be none."""
        uids: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for job in self.snapshot():
            uids[job.attempt].add(job.uid)
            uids[job.namespace, job.name].add(job.uid)
        return {key: found for key, found in uids.items() if len(found) > 1}

    def turncoats(self) -> list[SeenJob]:
        """Jobs that ended in two ways: there must be none."""
        return [job for job in self.snapshot() if len(set(job.ends)) > 1]

    def attempts(self) -> set[tuple[int, int]]:
        """(job, attempt) of every Job that was ever there."""
        return {(int(job.attempt[0]), int(job.attempt[1])) for job in self.snapshot()}

    def backlog(self, at: float) -> int:
        """How many were there and not yet begun with at a moment."""
        return sum(
            job.seen_at <= at
            and (job.begun_at is None or job.begun_at > at)
            and (job.deleted_at is None or job.deleted_at > at)
            for job in self.snapshot()
        )

    def begun_between(self, begin: float, end: float) -> int:
        return sum(
            job.begun_at is not None and begin < job.begun_at <= end for job in self.snapshot()
        )

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                for event in self._events():
                    self._take(event)
                    if self._stop.is_set():
                        return
            except ApiError as trouble:
                if trouble.status == GONE:
                    self._relist()
                self._stop.wait(0.2)

    def _events(self) -> Iterator[Body]:
        return self.api.watch(
            JOBS,
            labelSelector=OURS,
            resourceVersion=self._version,
            allowWatchBookmarks="true",
            timeoutSeconds=3,
        )

    def _relist(self) -> None:
        """The server has forgotten where the watch was: what it says now is all there is."""
        try:
            self._version = self._list()
            self.relists += 1
        except ApiError:
            self._stop.wait(0.2)

    def _list(self) -> str:
        answer = self.api.get(JOBS, labelSelector=OURS)
        for job in answer["items"]:
            self._note(job)
        return str(answer["metadata"]["resourceVersion"])

    def _take(self, event: Body) -> None:
        job = event["object"]
        if event["type"] == "ERROR":
            raise ApiError(int(job.get("code", 0)), str(job.get("message")))
        self._version = str(job["metadata"]["resourceVersion"])
        if event["type"] == "BOOKMARK":
            return
        self._note(job, deleted=event["type"] == "DELETED")

    def _note(self, job: Body, *, deleted: bool = False) -> None:
        meta, status = job["metadata"], job.get("status", {})
        if not meta["namespace"].startswith(self.prefix):
            return
        labels, now = meta.get("labels", {}), time.monotonic()
        attempt = (labels.get("sentinels.dev/job", ""), labels.get("sentinels.dev/attempt", ""))
        ends = [
            condition["type"]
            for condition in status.get("conditions", [])
            if condition["type"] in {"Complete", "Failed"} and condition["status"] == "True"
        ]
        with self._lock:
            seen = self.jobs.setdefault(
                meta["uid"], SeenJob(meta["namespace"], meta["name"], meta["uid"], attempt, now)
            )
            if status.get("startTime") and seen.begun_at is None:
                seen.begun_at = now
            seen.ends += [end for end in ends if end not in seen.ends]
            if deleted and seen.deleted_at is None:
                seen.deleted_at = now
