"""How much a team's jobs may hold together, and how much they hold.

Comes in: a quota and a team's use. Goes out: what a further job would exceed. Before: ``policy``.
Next: ``planning``, which refuses it; ``explaining``, which words it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from sentinels.core.capacity import CPU, GPU, KINDS, MEMORY, Kind, Resources, add, subtract
from sentinels.core.errors import Fault


@dataclass(frozen=True, slots=True)
class Quota:
    """Upper bounds; None is none. ``gpu_types`` bounds the GPUs of single types beside ``gpus``.

    ``running`` counts attempts that were launched and have not ended, ``queued`` jobs that wait,
    ``gpu_hours`` what was used since the month began (UTC).
    """

    cpu_millis: int | None = None
    memory_bytes: int | None = None
    gpus: int | None = None
    gpu_types: Mapping[str, int] = field(default_factory=dict)
    running: int | None = None
    queued: int | None = None
    gpu_hours: float | None = None


@dataclass(frozen=True, slots=True)
class TeamUse:
    """What a team's live attempts hold, how many they are, and what it held before.

    ``average`` is what it held lately of each kind (``Kind.fact``), by the decaying window of the
    policy. ``gpus_of`` are the GPUs held of each type of node.
    """

    held: Resources = field(default_factory=Resources)
    running: int = 0
    gpus_of: Mapping[str, int] = field(default_factory=dict)
    average: Mapping[str, float] = field(default_factory=dict)
    gpu_hours: float = 0.0

    def more(self, request: Resources, gpu_type: str | None) -> TeamUse:
        """The same with one attempt more, on a node with GPUs of this type."""
        gpus_of = self.gpus_of
        if request.gpus and gpu_type:
            gpus_of = {**gpus_of, gpu_type: gpus_of.get(gpu_type, 0) + request.gpus}
        held = add(self.held, request)
        return replace(self, held=held, running=self.running + 1, gpus_of=gpus_of)

    def less(self, request: Resources, gpu_type: str | None) -> TeamUse:
        """The same after an attempt has ended on a node with GPUs of this type."""
        gpus_of = self.gpus_of
        if request.gpus and gpu_type:
            gpus_of = {**gpus_of, gpu_type: max(0, gpus_of.get(gpu_type, 0) - request.gpus)}
        held, running = subtract(self.held, request), max(0, self.running - 1)
        return replace(self, held=held, running=running, gpus_of=gpus_of)


@dataclass(frozen=True, slots=True)
class PastUse:
    """What a team held of each kind, as a decaying average, and its GPU-hours of this month, as of
    so many seconds ago.
    """

    average: Mapping[str, float]
    gpu_hours: float
    seconds_ago: float


def lately(use: TeamUse, *, seconds: float, half_life: float) -> TeamUse:
    """The use after so many seconds in which it held what it holds: the average follows, and half
    of what is older than ``half_life`` is forgotten. A half-life of 0 forgets at once.
    """
    kept = 0.5 ** (seconds / half_life) if half_life > 0 else 0.0
    fresh = 1.0 - kept if half_life > 0 else 0.0
    average = {
        kind.fact: use.average.get(kind.fact, 0.0) * kept + kind.amount(use.held) * fresh
        for kind in KINDS
    }
    hours = use.gpu_hours + use.held.gpus * seconds / 3600
    return replace(use, average=average, gpu_hours=hours)


@dataclass(frozen=True, slots=True)
class Excess:
    """A bound that one more job would exceed: what of, the bound, and what is held."""

    noun: str
    limit: str
    held: str


def excess(quota: Quota, use: TeamUse, request: Resources) -> Excess | None:
    """The first bound that one more attempt would exceed wherever it was placed; None: none."""
    return next(_excesses(quota, use, request), None)


def lets_on(quota: Quota, use: TeamUse, request: Resources, gpu_type: str | None) -> bool:
    """Whether the bounds on single types of GPUs let one more attempt onto a node of this type."""
    if not request.gpus or gpu_type is None or gpu_type not in quota.gpu_types:
        return True
    return use.gpus_of.get(gpu_type, 0) + request.gpus <= quota.gpu_types[gpu_type]


def never_faults(quota: Quota, team: str, request: Resources) -> list[Fault]:
    """What a job asks for that its team may never hold, however little it holds now."""
    unused = TeamUse()
    beyond = excess(replace(quota, gpu_hours=None), unused, request)
    if beyond is None:
        return []
    message = f"is more than team {team} may hold: {beyond.limit} {beyond.noun}"
    return [Fault("resources", message, remedy="ask for less, or have the team's quota raised")]


def queue_faults(limit: int, team: str, *, waiting: int, pushed: int) -> list[Fault]:
    """The fault of a push with which more of a team's jobs would wait than may."""
    if waiting + pushed <= limit:
        return []
    message = f"team {team} may have {limit} jobs waiting, and {waiting} wait already"
    return [Fault("sweep" if pushed > 1 else "push", message, remedy="push it when fewer wait")]


def overdrawn(quota: Quota, use: TeamUse) -> list[Excess]:
    """The bounds that what is held is beyond already, as after the quota was lowered."""
    found = [
        _excess_of(kind, limit, use)
        for kind, limit in _bounds(quota)
        if limit is not None and kind.amount(use.held) > limit
    ]
    if quota.running is not None and use.running > quota.running:
        found.append(_running_excess(quota.running, use))
    for gpu_type, most in quota.gpu_types.items():
        if use.gpus_of.get(gpu_type, 0) > most:
            found.append(type_excess(quota, use, gpu_type))
    return found


def type_excess(quota: Quota, use: TeamUse, gpu_type: str) -> Excess:
    """The bound on this type of GPUs, which the quota has."""
    held = str(use.gpus_of.get(gpu_type, 0))
    return Excess(f"{gpu_type} GPUs", str(quota.gpu_types[gpu_type]), held)


def _excesses(quota: Quota, use: TeamUse, request: Resources) -> Iterator[Excess]:
    for kind, limit in _bounds(quota):
        asked = kind.amount(request)
        if limit is not None and asked and kind.amount(use.held) + asked > limit:
            yield _excess_of(kind, limit, use)
    if quota.running is not None and use.running + 1 > quota.running:
        yield _running_excess(quota.running, use)
    if quota.gpu_hours is not None and request.gpus and use.gpu_hours >= quota.gpu_hours:
        yield Excess("GPU-hours a month", f"{quota.gpu_hours:g}", f"{use.gpu_hours:.1f}")
    of_type = request.gpu_type
    if of_type is not None and not lets_on(quota, use, request, of_type):
        yield type_excess(quota, use, of_type)


def _bounds(quota: Quota) -> tuple[tuple[Kind, int | None], ...]:
    return (CPU, quota.cpu_millis), (MEMORY, quota.memory_bytes), (GPU, quota.gpus)


def _excess_of(kind: Kind, limit: int, use: TeamUse) -> Excess:
    whole = Resources(limit, limit, limit)
    return Excess(kind.noun(Resources(2, 2, 2)), kind.there(whole), kind.there(use.held))


def _running_excess(limit: int, use: TeamUse) -> Excess:
    return Excess("running jobs", str(limit), str(use.running))
