"""What the front door stands on, and one request as its handlers see it.

Comes in: the adapters that ``main`` built, and a request that was let in. Goes out: nothing; these
are values. Before: ``handler``. Next: ``routes``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from flask import Request

from sentinels.core.meter import Meter
from sentinels.core.metering import UsageFile
from sentinels.core.ports import Clock, Cluster, JobRef, Tracker
from sentinels.core.queueing import Caller
from sentinels.core.reading import Reading
from sentinels.core.submitting import SubmitPorts
from sentinels.functions.routing import Query
from sentinels.functions.submit.health_probes import Probe
from sentinels.functions.submit.kept_logs import KeptLogs
from sentinels.functions.telemetry import Telemetry

WAIT_LIMIT = 25
"""Seconds a request may be made to wait for news: less than any proxy's patience."""

_LOOK_SECONDS = 0.2

T = TypeVar("T")


class Patience:
    """Waits for news on behalf of requests, of at most so many at once.

    Each that waits holds one of the function's threads, so the rest must stay free: a request that
    finds no room is answered at once with what there is, as if its time were over.
    """

    def __init__(self, room: int, *, pause: Callable[[float], None] = time.sleep) -> None:
        """``room`` is how many may wait at once."""
        self._room = threading.BoundedSemaphore(max(1, room))
        self._pause = pause

    def until(self, news: Callable[[T], bool], look: Callable[[], T], seconds: float) -> T:
        """Look again and again until there is news or the time is over; the last look."""
        end = time.monotonic() + seconds
        seen = look()
        if seconds <= 0 or news(seen) or not self._room.acquire(blocking=False):
            return seen
        try:
            while not news(seen) and (left := end - time.monotonic()) > 0:
                self._pause(min(_LOOK_SECONDS, left))
                seen = look()
        finally:
            self._room.release()
        return seen


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """The verbs' ports and what is read from.

    ``probes`` are the parts that ``sentinels doctor`` asks besides the database; ``hears_jobs``:
    the cluster is one that sends Job events. ``meter`` says what workloads use and ``usage_file``
    what ended ones used; each None where there is none.
    """

    ports: SubmitPorts
    reading: Reading
    cluster: Cluster
    tracker: Tracker | None
    probes: Sequence[Probe]
    hears_jobs: bool
    clock: Clock
    patience: Patience
    telemetry: Telemetry
    kept_logs: KeptLogs = field(default_factory=KeptLogs)
    meter: Meter | None = None
    usage_file: UsageFile | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that was let in: who asks, the names in its path, its checked parameters."""

    door: FrontDoor
    request: Request
    caller: Caller
    names: Mapping[str, str]
    query: Query

    def job(self) -> JobRef:
        """The job that the path names. Raises ``NotFound`` and ``Ambiguous``."""
        return self.door.reading.find(self.caller, self.names["ref"])
