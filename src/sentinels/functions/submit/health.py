"""Whether the whole works, check by check, each with what to do if not; and the numbers behind it.

Comes in: the pulse that PostgreSQL keeps, the tracker's and the messenger's word. Goes out: the
checks that ``sentinels doctor`` prints, and gauges for Prometheus. Before: ``routes``. Next:
``core.reading.Pulse``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from flask import Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sentinels.core.errors import QueueUnavailable, SentinelsError
from sentinels.core.ports import Json
from sentinels.core.quantity import format_duration
from sentinels.core.reading import Pulse, Reading
from sentinels.functions.http import reply
from sentinels.functions.submit.door import Ask, FrontDoor

PASS_SECONDS = 60.0
"""A dispatch that has not finished a pass for so long counts as stopped."""
OVERDUE_SECONDS = 300.0
"""A due delivery that nobody has taken for so long counts as stuck."""

_PULSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; ``remedy`` is what to do where it is not well."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None


def show_health(ask: Ask) -> Response:
    """Every check; ``ok`` if all are."""
    checks = check_all(ask.door)
    listed: list[Json] = [
        {"name": c.name, "ok": c.ok, "detail": c.detail, "remedy": c.remedy} for c in checks
    ]
    return reply({"ok": all(check.ok for check in checks), "checks": listed})


def alive(_: FrontDoor) -> Response:
    """The function serves."""
    return reply({"ok": True})


def ready(door: FrontDoor) -> Response:
    """The function could take a push now: the database answers and has this version's tables."""
    check = _migrations(door)
    status = HTTPStatus.OK if check.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return reply({"ok": check.ok, "detail": check.detail, "remedy": check.remedy}, status)


def check_all(door: FrontDoor) -> list[Check]:
    """Look at everything; what hangs on a database that is away is left out."""
    migrations, others = _migrations(door), [_tracker(door), _messenger(door)]
    if not migrations.ok:
        return [migrations, *others]
    pulse = door.reading.pulse()
    return [migrations, *(look(pulse) for look in _FROM_PULSE), *others]


def _migrations(door: FrontDoor) -> Check:
    try:
        behind = door.reading.behind()
    except QueueUnavailable as error:
        return Check("database", False, str(error), "start PostgreSQL, or correct its address")
    if behind:
        return Check("migrations", False, behind, "run: sentinels db upgrade")
    return Check("database", True, "PostgreSQL answers; its tables are of this version")


def _dispatch(pulse: Pulse) -> Check:
    seconds = pulse.last_pass_seconds
    if seconds is None:
        return Check("dispatch", False, "has never finished a pass", "start the dispatch function")
    detail = f"last pass {format_duration(int(seconds))} ago"
    if seconds > PASS_SECONDS:
        return Check("dispatch", False, detail, "start the dispatch function, and what ticks it")
    if pulse.last_pass_error:
        detail = f"{detail}, with trouble: {pulse.last_pass_error}"
        return Check("dispatch", False, detail, "see the log of dispatch; it tries again by itself")
    return Check("dispatch", True, detail)


def _queue(pulse: Pulse) -> Check:
    oldest = pulse.oldest_waiting_seconds
    since = "" if oldest is None else f", the oldest for {format_duration(int(oldest))}"
    running = f"{pulse.running} running, {pulse.dispatched} starting"
    return Check("queue", True, f"{pulse.waiting} waiting{since}; {running}")


def _lost(pulse: Pulse) -> Check:
    if not pulse.abandoned:
        return Check("launches", True, "every launch is driven")
    ids = ", ".join(map(str, pulse.abandoned[:10]))
    detail = f"nobody drives the launch of {len(pulse.abandoned)} jobs: {ids}"
    return Check("launches", False, detail, "start the dispatch function; it takes them over")


def _outbox(pulse: Pulse) -> Check:
    count = f"{pulse.outbox_pending} deliveries pending"
    if pulse.outbox_overdue_seconds > OVERDUE_SECONDS:
        overdue = format_duration(int(pulse.outbox_overdue_seconds))
        detail = f"{count}, the oldest overdue by {overdue}"
        return Check("outbox", False, detail, "start the notify function")
    if pulse.outbox_error:
        remedy = "see: sentinels notices; deliveries are tried again by themselves"
        return Check("outbox", False, f"{count}; held up by: {pulse.outbox_error}", remedy)
    return Check("outbox", True, count)


_FROM_PULSE: tuple[Callable[[Pulse], Check], ...] = (_dispatch, _queue, _lost, _outbox)


def _tracker(door: FrontDoor) -> Check:
    if door.tracker is None:
        return Check("mlflow", True, "not configured: experiments are not tracked")
    trouble = door.tracker_trouble()
    if trouble:
        return Check("mlflow", False, trouble, "start MLflow; jobs go on, records are caught up")
    return Check("mlflow", True, "answers")


def _messenger(door: FrontDoor) -> Check:
    if door.messenger:
        return Check("slack", True, f"notices go out by {door.messenger}")
    return Check("slack", True, "not configured: notices are kept; see: sentinels notices")


class PulseCollector(Collector):
    """The pulse as gauges, read at most once in five seconds however often it is asked for."""

    def __init__(self, reading: Reading, registry: CollectorRegistry) -> None:
        """Registers itself."""
        self._reading = reading
        self._lock = threading.Lock()
        self._pulse: Pulse | None = None
        self._read_at = 0.0
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering reads nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The gauges; without a database only ``sentinels_database_up`` 0."""
        pulse = self._fresh()
        up = GaugeMetricFamily("sentinels_database_up", "Whether PostgreSQL answers.")
        up.add_metric((), 0.0 if pulse is None else 1.0)
        yield up
        if pulse is None:
            return
        states = GaugeMetricFamily(
            "sentinels_jobs",
            "Jobs that have not ended, by state (queued: at most 10000).",
            None,
            ("state",),
        )
        waiting = {"queued": pulse.waiting, "deferred": pulse.deferred}
        live = {"dispatched": pulse.dispatched, "running": pulse.running}
        for state, count in (waiting | live).items():
            states.add_metric((state,), count)
        yield states
        for name, about, value in _gauges(pulse):
            yield GaugeMetricFamily(name, about, value)

    def _fresh(self) -> Pulse | None:
        with self._lock:
            if self._pulse is None or time.monotonic() - self._read_at > _PULSE_SECONDS:
                try:
                    self._pulse = self._reading.pulse()
                except SentinelsError:
                    self._pulse = None
                self._read_at = time.monotonic()
            return self._pulse


def _gauges(pulse: Pulse) -> Iterator[tuple[str, str, float]]:
    oldest = pulse.oldest_waiting_seconds or 0.0
    yield "sentinels_queue_oldest_seconds", "How long the oldest waiting job waits.", oldest
    yield "sentinels_launches_last_hour", "Workloads launched in the last hour.", pulse.launches
    yield "sentinels_passes_all", "Dispatch passes of all time.", pulse.passes
    yield "sentinels_abandoned_launches", "Launches nobody drives.", len(pulse.abandoned)
    yield "sentinels_outbox_pending", "Deliveries pending.", pulse.outbox_pending
    overdue = pulse.outbox_overdue_seconds
    yield "sentinels_outbox_overdue_seconds", "How long a due delivery was not taken.", overdue
    if pulse.last_pass_seconds is not None:
        seconds = pulse.last_pass_seconds
        yield "sentinels_last_pass_age_seconds", "Since the last dispatch pass ended.", seconds
