"""The queue and the cluster at one moment, and how long what is in them is expected to last.

Pure values. Comes in: the lanes, the jobs that wait, the nodes as the last pass saw them, the live
attempts. Goes out: what the planner is asked with. Before: ``db/foresight``. Next: ``foreseeing``,
``simulating``, ``answering``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sentinels.core.capacity import FreeNode, Node, Resources, Snapshot, Tenant, free_nodes
from sentinels.core.job import JobId
from sentinels.core.planning import LaneHead
from sentinels.core.policy import Policy
from sentinels.core.quota import PastUse, TeamUse, lately
from sentinels.core.workload import WorkloadRef

_UNKNOWN_EARLY, _UNKNOWN = 600.0, 3600.0
"""How long a job runs, in seconds, of which nothing at all is known."""
_SOONER = 0.25
"""The part of its time limit that a job needs at the least of which nothing else is known."""


class Pace(StrEnum):
    """Whether things end as early as they may, as usual, or as late as they may."""

    EARLY = "early"
    USUAL = "usual"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class History:
    """How many seconds such jobs took before: one in ten less than ``low``, half of them less than
    ``usual``, one in ten more than ``high``.
    """

    low: float
    usual: float
    high: float

    def at(self, pace: Pace) -> float:
        """The one of them."""
        return {Pace.EARLY: self.low, Pace.USUAL: self.usual, Pace.LATE: self.high}[pace]


def seconds_for(pace: Pace, history: History | None, time_limit: float | None) -> float | None:
    """How long a job is expected to run that starts now: as such jobs did, at its time limit at the
    latest. None: without limit and history, nobody knows how long at the most.
    """
    if history is not None:
        return history.at(pace) if time_limit is None else min(history.at(pace), time_limit)
    if time_limit is not None:
        return time_limit * _SOONER if pace is Pace.EARLY else time_limit
    return {Pace.EARLY: _UNKNOWN_EARLY, Pace.USUAL: _UNKNOWN, Pace.LATE: None}[pace]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A waiting job: its lane, since when, its time limit in seconds, how long such jobs took."""

    job_id: JobId
    lane_id: int
    enqueued_at: datetime
    time_limit: int | None = None
    history: History | None = None
    user: str = ""
    avoids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Occupant:
    """A live attempt: what it holds, on which node (None: not seen on one yet), for how long.

    ``priority`` is its class's number, ``time_limit`` in seconds, ``history`` how long such jobs
    took before; None where there is none.
    """

    ref: WorkloadRef
    team: str
    held: Resources
    priority: int = 0
    node: str | None = None
    started_at: datetime | None = None
    time_limit: int | None = None
    leaves_for: JobId | None = None
    name: str = ""
    user: str = ""
    history: History | None = None

    @property
    def tenant(self) -> Tenant:
        """As the planner sees it."""
        limit = None if self.time_limit is None else timedelta(seconds=self.time_limit)
        ends_by = self.started_at + limit if self.started_at and limit else None
        return Tenant(
            self.ref.job_id,
            self.ref.attempt,
            self.held,
            self.priority,
            self.started_at,
            ends_by,
            self.leaves_for,
        )

    def expected_end(self, now: datetime) -> datetime | None:
        """When it should be over, as far as that is known: as long as such jobs took, at its time
        limit at the latest.
        """
        if self.started_at is None:
            return None
        usual = None if self.history is None else self.history.usual
        lengths = sorted(each for each in (usual, self.time_limit) if each is not None)
        ends = (self.started_at + timedelta(seconds=length) for length in lengths)
        return next((end for end in ends if end > now), None)

    def end(self, pace: Pace, now: datetime) -> datetime | None:
        """When it ends at this pace. One that has outlasted such jobs may end any moment, usually
        runs once more as long as it has, and ends at its time limit at the latest. None: nobody
        knows when at the latest.
        """
        start = self.started_at or now
        seconds = seconds_for(pace, self.history, self.time_limit)
        if seconds is None or start + timedelta(seconds=seconds) > now:
            return None if seconds is None else start + timedelta(seconds=seconds)
        if pace is Pace.EARLY:
            return now
        limit = None if self.time_limit is None else start + timedelta(seconds=self.time_limit)
        if limit is not None:
            return max(now, limit)
        return now + (now - start) if pace is Pace.USUAL else None


@dataclass(frozen=True, slots=True)
class Scene:
    """The whole at one moment.

    ``lanes`` say how many wait in each, and what they have in common; ``waiting`` are the first of
    them, in their order within each lane. ``nodes`` need no workloads: the occupants say where they
    are. ``past`` is what teams held before.
    """

    now: datetime
    lanes: Sequence[LaneHead]
    nodes: Sequence[Node]
    occupants: Sequence[Occupant]
    policy: Policy
    waiting: Sequence[Waiting] = ()
    past: Mapping[str, PastUse] = field(default_factory=dict)

    def free(self) -> list[FreeNode]:
        """The ready nodes, with what is free on each."""
        held: dict[str | None, dict[str, Resources]] = defaultdict(dict)
        for each in self.occupants:
            held[each.node][each.ref.name] = each.held
        nodes = [replace(node, workloads=held.get(node.name, {})) for node in self.nodes]
        live = {each.ref.name: each.held for each in self.occupants}
        tenants = {each.ref.name: each.tenant for each in self.occupants}
        return free_nodes(Snapshot(nodes), in_flight=live, tenants=tenants)

    def uses(self) -> dict[str, TeamUse]:
        """What each team holds and held."""
        return uses_of(self.occupants, self.nodes, self.past, self.policy.half_life_seconds)


def uses_of(
    occupants: Iterable[Occupant],
    nodes: Iterable[Node],
    past: Mapping[str, PastUse],
    half_life: float,
) -> dict[str, TeamUse]:
    """What each team holds and held; GPUs count by the type of the node that they are on."""
    types = {node.name: node.allocatable.gpu_type for node in nodes}
    uses: dict[str, TeamUse] = defaultdict(TeamUse)
    for each in occupants:
        gpu_type = types.get(each.node or "") or each.held.gpu_type
        uses[each.team] = uses[each.team].more(each.held, gpu_type)
    for team, before in past.items():
        held = replace(uses[team], average=before.average, gpu_hours=before.gpu_hours)
        uses[team] = lately(held, seconds=before.seconds_ago, half_life=half_life)
    return dict(uses)
