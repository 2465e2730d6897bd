"""How the whole stands, as gauges for Prometheus.

Every label is bounded: priorities, reasons, channels and states are few, teams and types of GPUs
are counted up to the bounds of ``core.census``. Moments are told as moments and not as ages, so
that they stay true while the function that told them sleeps. ``docs/monitoring.md`` has them all.
Comes in: the pulse and the census that PostgreSQL keeps. Goes out: samples on ``/metrics`` of
submit, and of dispatch, which the ticks keep awake where functions scale to zero. Before: their
``main``. Next: ``core.reading.Pulse``, ``core.census``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sentinels.clock import utc_now
from sentinels.core.capacity import Resources
from sentinels.core.census import Census, CensusTaker, OutboxCount, Waiting, parts_of
from sentinels.core.errors import SentinelsError
from sentinels.core.explaining import DecisionCode
from sentinels.core.policy import PRIORITY_CLASSES
from sentinels.core.reading import NodeView, Pulse, Reading

_FRESH_SECONDS = 5.0

_NONE = Waiting(0, 0.0)
_UNBLOCKED = dict.fromkeys(map(str, DecisionCode), 0)

Values = Mapping[tuple[str, ...], float]
"""A gauge's values by those of its labels."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the gauges tell that no table holds: the numbers of the priority classes by name, the
    outbox's channels, how long each source may rest between two ticks, how large the database's
    volume is (0: not known). A class or a channel that has nothing is told with 0: one that would
    disappear when it is well again would be taken for what it was.
    """

    priority_classes: Callable[[], Mapping[str, int]] = lambda: PRIORITY_CLASSES
    channels: Sequence[str] = ()
    tick_seconds: Callable[[], Mapping[str, float]] = dict
    database_limit_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _State:
    """What was found, and when: seconds since 1970."""

    pulse: Pulse
    census: Census
    at: float


class PulseCollector(Collector):
    """The gauges, found out at most once in five seconds however often they are asked for."""

    def __init__(
        self,
        reading: Reading,
        registry: CollectorRegistry,
        census: CensusTaker,
        surroundings: Surroundings = Surroundings(),
    ) -> None:
        """Registers itself."""
        self._reading, self._census, self._surroundings = reading, census, surroundings
        self._lock = threading.Lock()
        self._state: _State | None = None
        self._read_at = 0.0
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering reads nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The gauges; without a database only ``sentinels_database_up`` 0."""
        state = self._fresh()
        yield _gauge("database_up", "Whether PostgreSQL answers.", float(state is not None))
        if state is None:
            return
        yield from _queue(state, self._surroundings.priority_classes())
        yield from _teams(state.census)
        yield from _cluster(state.census.nodes)
        yield from _work(state, self._surroundings.channels)
        yield from _sources(state, self._surroundings.tick_seconds())
        yield from _database(state.census, self._surroundings.database_limit_bytes)

    def _fresh(self) -> _State | None:
        with self._lock:
            if self._state is None or time.monotonic() - self._read_at > _FRESH_SECONDS:
                try:
                    pulse, census = self._reading.pulse(), self._census.take()
                    self._state = _State(pulse, census, utc_now().timestamp())
                except SentinelsError:
                    self._state = None
                self._read_at = time.monotonic()
            return self._state


def _queue(state: _State, classes: Mapping[str, int]) -> Iterator[Metric]:
    pulse, waiting = state.pulse, _by_class(state.census.waiting, classes)
    yield _labelled(
        "jobs",
        "Jobs that have not ended, by state (queued and deferred: at most 10000).",
        ("state",),
        {
            ("queued",): pulse.waiting,
            ("deferred",): pulse.deferred,
            ("dispatched",): pulse.dispatched,
            ("running",): pulse.running,
        },
    )
    yield _labelled(
        "queue_waiting",
        "Jobs that wait for room, by priority (at most 10000 of a lane).",
        ("priority",),
        {(name,): found.count for name, found in waiting.items()},
    )
    yield _labelled(
        "queue_oldest_seconds",
        "How long the oldest waiting job of a priority waits.",
        ("priority",),
        {(name,): found.oldest_seconds for name, found in waiting.items()},
    )
    yield _labelled(
        "queue_blocked",
        "Waiting jobs by why their lane was not admitted.",
        ("why",),
        {(code,): count for code, count in {**_UNBLOCKED, **state.census.blocked}.items()},
    )


def _by_class(waiting: Mapping[int, Waiting], classes: Mapping[str, int]) -> dict[str, Waiting]:
    """Every class by its name; a number that is none's any more goes by itself."""
    found = {name: waiting.get(number, _NONE) for name, number in classes.items()}
    known = set(classes.values())
    return found | {str(number): waiting[number] for number in waiting if number not in known}


def _teams(census: Census) -> Iterator[Metric]:
    yield _labelled(
        "team_jobs",
        "Jobs of a team that wait for room or are live; the 50 teams with the most.",
        ("team", "state"),
        {
            (team, state): count
            for team, found in census.teams.items()
            for state, count in (("waiting", found.waiting), ("live", found.live))
        },
    )
    for name, what, amount in _AMOUNTS:
        held: Values = {(team,): amount(found.held) for team, found in census.teams.items()}
        yield _labelled(f"team_{name}", f"{what} that a team's jobs hold.", ("team",), held)


def _cluster(nodes: Iterable[NodeView]) -> Iterator[Metric]:
    listed = list(nodes)
    parts = parts_of(listed)
    for name, what, amount in _AMOUNTS[:2]:
        whose: Values = {(use.value,): amount(found) for use, found in parts.amounts.items()}
        yield _labelled(f"cluster_{name}", f"{what} of the nodes, by whose it is.", ("use",), whose)
    yield _labelled(
        "cluster_gpus",
        "GPUs of the nodes, by type and by whose they are.",
        ("gpu_type", "use"),
        {(gpu_type, use.value): count for (gpu_type, use), count in parts.gpus.items()},
    )
    states = [_node_state(node) for node in listed]
    yield _labelled(
        "nodes",
        "Nodes, by whether they take new work.",
        ("state",),
        {(state,): states.count(state) for state in ("ready", "retiring", "not_ready")},
    )


def _work(state: _State, channels: Sequence[str]) -> Iterator[Metric]:
    pulse = state.pulse
    outbox = dict.fromkeys(channels, OutboxCount(0, 0.0)) | dict(state.census.outbox)
    yield _gauge("launches_last_hour", "Workloads launched in the last hour.", pulse.launches)
    abandoned = len(pulse.abandoned)
    yield _gauge("abandoned_launches", "Launches that nobody drives.", abandoned)
    yield _labelled(
        "outbox_pending",
        "Deliveries that are pending, by channel.",
        ("channel",),
        {(channel,): found.pending for channel, found in outbox.items()},
    )
    yield _labelled(
        "outbox_lag_seconds",
        "How long the oldest delivery of a channel waits that was due, tried or not.",
        ("channel",),
        {(channel,): found.lag_seconds for channel, found in outbox.items()},
    )
    letters = pulse.dead_letters
    yield _gauge("dead_letters_last_day", "Events that a Broker could not deliver.", letters)
    if pulse.last_pass_seconds is not None:
        ended = state.at - pulse.last_pass_seconds
        yield _gauge("last_pass_timestamp_seconds", "When the last pass ended.", ended)


def _sources(state: _State, tick_seconds: Mapping[str, float]) -> Iterator[Metric]:
    yield _labelled(
        "source_heard_timestamp_seconds",
        "When a source of events was last heard.",
        ("source",),
        {(source,): state.at - ago for source, ago in state.pulse.signs.items()},
    )
    yield _labelled(
        "tick_seconds",
        "How long a source may rest between two ticks, by its schedule.",
        ("source",),
        {(source,): seconds for source, seconds in tick_seconds.items()},
    )
    unheard = state.pulse.unheard
    about = "Moves that passes saw in the last hour while no Job event came."
    yield _gauge("unheard_moves", about, unheard)


def _database(census: Census, limit: int) -> Iterator[Metric]:
    size = census.database_bytes
    yield _gauge("database_bytes", "Size of every database of the server.", size)
    if limit:
        yield _gauge("database_limit_bytes", "How large the database's volume is.", limit)


_AMOUNTS: tuple[tuple[str, str, Callable[[Resources], float]], ...] = (
    ("cpu_cores", "CPU", lambda held: held.cpu_millis / 1000),
    ("memory_bytes", "Memory", lambda held: held.memory_bytes),
    ("gpus", "GPUs", lambda held: held.gpus),
)


def _node_state(view: NodeView) -> str:
    if view.is_retiring:
        return "retiring"
    return "ready" if view.node.ready else "not_ready"


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"sentinels_{name}", about, value)


def _labelled(name: str, about: str, labels: tuple[str, ...], values: Values) -> Metric:
    family = GaugeMetricFamily(f"sentinels_{name}", about, None, labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
