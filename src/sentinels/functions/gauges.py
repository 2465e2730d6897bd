"""The pulse as gauges for Prometheus.

Comes in: the pulse that PostgreSQL keeps. Goes out: samples on ``/metrics`` of submit, and of
dispatch, which the ticks keep awake where functions scale to zero. Before: their ``main``. Next:
``core.reading.Pulse``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sentinels.core.errors import SentinelsError
from sentinels.core.reading import Pulse, Reading

_PULSE_SECONDS = 5.0


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
        signs = GaugeMetricFamily(
            "sentinels_source_silent_seconds",
            "Since a source of events was last heard.",
            None,
            ("source",),
        )
        for source, seconds in pulse.signs.items():
            signs.add_metric((source,), seconds)
        yield signs
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
    letters = pulse.dead_letters
    yield "sentinels_dead_letters_last_day", "Events that a Broker could not deliver.", letters
    if pulse.last_pass_seconds is not None:
        seconds = pulse.last_pass_seconds
        yield "sentinels_last_pass_age_seconds", "Since the last dispatch pass ended.", seconds
