"""What the front door stands on, and one request as its handlers see it.

Comes in: the adapters that ``main`` built, and a request that was let in. Goes out: nothing; these
are values. Before: ``handler``. Next: ``routes``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flask import Request

from sentinels.core.asking import Asking
from sentinels.core.audience import NoticeRules
from sentinels.core.forecasting import Foresight
from sentinels.core.log_reading import LogReader
from sentinels.core.log_store import LogStore
from sentinels.core.meter import Meter
from sentinels.core.metering import UsageFile
from sentinels.core.ports import Clock, Cluster, JobRef, Tracker
from sentinels.core.preferences import Preferences
from sentinels.core.queueing import Caller
from sentinels.core.reading import Reading
from sentinels.core.sessions import Sessions
from sentinels.core.submitting import SubmitPorts
from sentinels.core.telling import TellPorts
from sentinels.functions.routing import Query
from sentinels.functions.submit.health_probes import Probe
from sentinels.functions.telemetry import Telemetry

WAIT_LIMIT = 25
"""Seconds a request may be made to wait for news: less than any proxy's patience."""

_LOOK_SECONDS = 0.2
_GROWTH = 1.2

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

    def until(
        self,
        news: Callable[[T], bool],
        look: Callable[[], T],
        seconds: float,
        *,
        slowest: float = _LOOK_SECONDS,
    ) -> T:
        """Look again and again until there is news or the time is over; the last look. Pauses grow
        up to ``slowest``.
        """
        end, pause = time.monotonic() + seconds, _LOOK_SECONDS
        seen = look()
        if seconds <= 0 or news(seen) or not self._room.acquire(blocking=False):
            return seen
        try:
            while not news(seen) and (left := end - time.monotonic()) > 0:
                self._pause(min(pause, left))
                pause = min(slowest, pause * _GROWTH)
                seen = look()
        finally:
            self._room.release()
        return seen


@dataclass(frozen=True, slots=True)
class NoticeDesk:
    """What people choose about notices, and what a test message is sent with."""

    preferences: Preferences
    telling: TellPorts
    rules: NoticeRules
    webhooks: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """The verbs' ports and what is read from.

    ``probes`` are the parts that ``sentinels doctor`` asks besides the database; ``hears_jobs``:
    the cluster is one that sends Job events. ``logs`` reads what jobs printed, ``store`` keeps it
    (None: nothing does), ``logs_page`` is where people look at a job's lines in a browser, with
    ``{job}`` for its id. ``meter`` says what workloads use and ``usage_file`` what ended ones used;
    each None where there is none. ``foresight`` knows the whole, for
    answers why and when; ``max_launches`` is what one pass launches at most.
    """

    ports: SubmitPorts
    reading: Reading
    sessions: Sessions
    cluster: Cluster
    tracker: Tracker | None
    probes: Sequence[Probe]
    hears_jobs: bool
    clock: Clock
    patience: Patience
    telemetry: Telemetry
    asking: Asking
    logs: LogReader
    notices: NoticeDesk
    foresight: Foresight
    max_launches: int = 50
    prices: Mapping[str, float] | None = None
    store: LogStore | None = None
    logs_page: str = ""
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
