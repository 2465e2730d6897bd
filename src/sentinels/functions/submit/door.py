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
from sentinels.core.bumping import BumpPorts
from sentinels.core.errors import NotAllowed
from sentinels.core.forecasting import Foresight
from sentinels.core.governing import PolicyBook
from sentinels.core.identity import Voucher
from sentinels.core.log_reading import LogReader
from sentinels.core.log_store import LogStore
from sentinels.core.meter import Meter
from sentinels.core.metering import UsageFile
from sentinels.core.people import People
from sentinels.core.ports import Clock, Cluster, JobRef, Tracker
from sentinels.core.preferences import Preferences
from sentinels.core.queueing import Caller
from sentinels.core.reading import Reading
from sentinels.core.rights import Act, Holder, Role, least_role
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
    each None where there is none. ``vouchers`` know tokens that others made. ``foresight`` knows
    the whole, for answers why and when; ``max_launches`` is what one pass launches at most.
    """

    ports: SubmitPorts
    reading: Reading
    people: People
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
    policies: PolicyBook
    bumping: BumpPorts
    foresight: Foresight
    max_launches: int = 50
    prices: Mapping[str, float] | None = None
    store: LogStore | None = None
    logs_page: str = ""
    meter: Meter | None = None
    usage_file: UsageFile | None = None
    vouchers: Sequence[Voucher] = ()


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

    def job_to_change(self) -> JobRef:
        """The same; raises ``NotAllowed`` where the caller may see it and not change it."""
        job = self.job()
        if not self.caller.may(Act.CHANGE, job.holder):
            raise NotAllowed(
                f"job {job.id} is {job.user}'s: you may look at it and not change it",
                remedy=f"ask {job.user}, a lead of team {job.team} or an operator",
            )
        return job

    def need(self, act: Act, what: str, holder: Holder | None = None) -> None:
        """Raise ``NotAllowed`` unless the caller may do this to what is the holder's, or all's."""
        if not self.caller.may(act, holder):
            least = least_role(act, self.caller.holder, holder)
            raise NotAllowed(
                f"only {_ROLES[least]} may {what}; you are a {self.caller.role} of team"
                f" {self.caller.team}",
                remedy="see who may: sentinels user list",
            )


_ROLES: Mapping[Role, str] = {
    Role.MEMBER: "a member of the team",
    Role.LEAD: "a lead of the team or an operator",
    Role.OPERATOR: "an operator",
}
