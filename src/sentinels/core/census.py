"""How the whole stands, counted: who waits and why, what the nodes have and who holds it.

Comes in: nothing; it is asked. Goes out: a ``Census``, in which every list is bounded: priorities
and reasons are few, teams are named up to ``TEAMS_BOUND``, GPUs up to ``GPU_TYPES_BOUND`` types.
Adapter: ``db/census``. Before: ``functions/gauges``. Next: ``capacity``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from sentinels.core.capacity import Resources, add, subtract, total
from sentinels.core.reading import NodeView

TEAMS_BOUND = 50
"""Teams that are named; those with the least are counted together as ``OTHERS``."""
GPU_TYPES_BOUND = 20
OTHERS = "(others)"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs that wait, and for how long the oldest of them has."""

    count: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class TeamCount:
    """One team's waiting jobs, its live ones, and what those hold."""

    waiting: int = 0
    live: int = 0
    held: Resources = field(default_factory=Resources)


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """Deliveries of one channel that are pending, and how long the oldest waits that was due."""

    pending: int
    lag_seconds: float


class Use(StrEnum):
    """Whose a part of the cluster is; the parts add up to the whole."""

    HELD = "held"
    """By jobs of ours."""
    FOREIGN = "foreign"
    """By others than Sentinels."""
    FREE = "free"
    """For the next job."""
    CLOSED = "closed"
    """On nodes that take no new work, as far as it is not used."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the cluster is whose: amounts, and GPUs by their type."""

    amounts: Mapping[Use, Resources]
    gpus: Mapping[tuple[str, Use], int]


@dataclass(frozen=True, slots=True)
class Census:
    """``waiting`` is by the priority's number, ``blocked`` counts waiting jobs by the code of the
    decision that was last made about their lane, ``outbox`` is by channel. ``database_bytes`` is
    the size of every database of the server that we may enter.
    """

    waiting: Mapping[int, Waiting] = field(default_factory=dict)
    blocked: Mapping[str, int] = field(default_factory=dict)
    teams: Mapping[str, TeamCount] = field(default_factory=dict)
    outbox: Mapping[str, OutboxCount] = field(default_factory=dict)
    nodes: Sequence[NodeView] = ()
    database_bytes: int = 0


class CensusTaker(Protocol):
    """Counts. Raises ``QueueUnavailable``; may be repeated."""

    def take(self) -> Census:
        """How the whole stands now."""
        ...


def parts_of(nodes: Iterable[NodeView]) -> Parts:
    """Whose each part of the nodes is."""
    amounts: dict[Use, Resources] = dict.fromkeys(Use, Resources())
    gpus: dict[tuple[str, Use], int] = defaultdict(int)
    for node in nodes:
        gpu_type = node.node.allocatable.gpu_type or "any"
        for use, amount in _parts(node).items():
            amounts[use] = add(amounts[use], amount)
            if node.node.allocatable.gpus:
                gpus[gpu_type, use] += amount.gpus
    return Parts(amounts, _bounded_types(gpus))


def bounded_teams(teams: Mapping[str, TeamCount]) -> dict[str, TeamCount]:
    """The teams with the most jobs by name, the rest together."""
    ordered = sorted(teams, key=lambda name: (-_jobs(teams[name]), name))
    found = {name: teams[name] for name in ordered[:TEAMS_BOUND]}
    rest = [teams[name] for name in ordered[TEAMS_BOUND:]]
    if rest:
        found[OTHERS] = TeamCount(
            waiting=sum(team.waiting for team in rest),
            live=sum(team.live for team in rest),
            held=total(team.held for team in rest),
        )
    return found


def _parts(view: NodeView) -> dict[Use, Resources]:
    node = view.node
    left = subtract(subtract(node.allocatable, view.used), node.foreign)
    unused = Use.FREE if view.takes_work else Use.CLOSED
    return {Use.HELD: view.used, Use.FOREIGN: node.foreign, unused: left}


def _bounded_types(gpus: Mapping[tuple[str, Use], int]) -> dict[tuple[str, Use], int]:
    known = sorted({gpu_type for gpu_type, _ in gpus})[:GPU_TYPES_BOUND]
    found: dict[tuple[str, Use], int] = defaultdict(int)
    for (gpu_type, use), count in gpus.items():
        found[gpu_type if gpu_type in known else OTHERS, use] += count
    return dict(found)


def _jobs(team: TeamCount) -> int:
    return team.waiting + team.live
