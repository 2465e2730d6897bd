"""When waiting jobs will start: the planner itself, run ahead over what is expected to end.

Pure. From now on nobody pushes and every job ends as expected; whenever something ends, the next
pass is planned. Run twice, with jobs that end early and late, it gives a range. Comes in: the queue
and the cluster as a pass sees them, and how long each job is expected to run. Goes out: a start for
each job that could be foreseen. Before: ``dispatching``. Next: ``planning``.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sentinels.core.capacity import FreeNode, Resources, Tenant, add
from sentinels.core.job import JobId
from sentinels.core.planning import LaneHead, plan
from sentinels.core.policy import Policy
from sentinels.core.quota import TeamUse, lately

STEPS = 2000
"""Ends that are looked at, at most: what starts after them is not foreseen."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A waiting job: in which lane, since when, how many seconds it is expected to run."""

    job_id: JobId
    lane_id: int
    enqueued_at: datetime
    seconds: float
    time_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Occupant:
    """A live attempt on a node, and when it is expected to end."""

    node: str
    team: str
    tenant: Tenant
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Scene:
    """The queue and the cluster at one moment.

    ``lanes`` say what all jobs of a lane have in common; ``waiting`` are in their order within each
    lane. ``nodes`` are as a pass sees them.
    """

    now: datetime
    lanes: Sequence[LaneHead]
    waiting: Sequence[Waiting]
    nodes: Sequence[FreeNode]
    occupants: Sequence[Occupant]
    uses: Mapping[str, TeamUse]
    policy: Policy


@dataclass(frozen=True, slots=True)
class Start:
    """When and where a job starts."""

    at: datetime
    node: str


def foresee(
    scene: Scene, *, wanted: frozenset[int] | None = None, steps: int = STEPS
) -> dict[int, Start]:
    """The starts that can be foreseen, by job id. ``wanted``: nothing is foreseen any further once
    all of these have started.
    """
    future = _Future(scene)
    left = set(wanted) if wanted is not None else None
    for _ in range(steps):
        future.plan()
        if left is not None and left <= future.starts.keys():
            break
        if not future.lines or not future.advance():
            break
    return future.starts


@dataclass(slots=True)
class _Future:
    """The cluster as it is expected to become, step by step."""

    scene: Scene
    now: datetime = field(init=False)
    starts: dict[int, Start] = field(default_factory=dict)
    lines: dict[int, deque[Waiting]] = field(init=False)
    lanes: dict[int, LaneHead] = field(init=False)
    nodes: dict[str, FreeNode] = field(init=False)
    uses: dict[str, TeamUse] = field(init=False)
    _ends: list[tuple[datetime, int, Occupant]] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        scene = self.scene
        self.now = scene.now
        self.lanes = {lane.lane_id: lane for lane in scene.lanes}
        self.lines = defaultdict(deque)
        for job in scene.waiting:
            if job.lane_id in self.lanes:
                self.lines[job.lane_id].append(job)
        self.nodes = {node.name: node for node in scene.nodes}
        self.uses = dict(scene.uses)
        for occupant in scene.occupants:
            self._await_end(occupant)

    def plan(self) -> None:
        """One pass; what it grants starts now."""
        planned = plan(
            heads=[self._head(lane_id) for lane_id, line in self.lines.items() if line],
            nodes=list(self.nodes.values()),
            uses=self.uses,
            policy=self.scene.policy,
            now=self.now,
            max_launches=len(self.lines) + sum(map(len, self.lines.values())),
        )
        for grant in planned.grants:
            for node in grant.nodes:
                self._start(self.lanes[grant.lane_id], self.lines[grant.lane_id].popleft(), node)
        self.lines = {lane_id: line for lane_id, line in self.lines.items() if line}

    def advance(self) -> bool:
        """Go to the next end, and to all that end at the same time; False where there is none."""
        if not self._ends:
            return False
        at = max(self.now, self._ends[0][0])
        self._age((at - self.now).total_seconds())
        self.now = at
        while self._ends and self._ends[0][0] <= at:
            self._end(heapq.heappop(self._ends)[2])
        return True

    def _head(self, lane_id: int) -> LaneHead:
        lane, line = self.lanes[lane_id], self.lines[lane_id]
        first = line[0]
        return replace(
            lane,
            job_id=first.job_id,
            enqueued_at=first.enqueued_at,
            waiting=len(line),
            time_limit=first.time_limit,
            owed=lane.owed and lane.job_id == first.job_id,
        )

    def _start(self, lane: LaneHead, job: Waiting, name: str) -> None:
        self.starts[job.job_id] = Start(self.now, name)
        limit = None if job.time_limit is None else timedelta(seconds=job.time_limit)
        tenant = Tenant(
            job.job_id,
            1,
            lane.resources,
            lane.priority,
            self.now,
            None if limit is None else self.now + limit,
        )
        node = self.nodes[name]
        self.nodes[name] = replace(node.less(lane.resources), tenants=(*node.tenants, tenant))
        use = self.uses.get(lane.team, TeamUse())
        self.uses[lane.team] = use.more(lane.resources, node.allocatable.gpu_type)
        ends_at = self.now + timedelta(seconds=max(1.0, job.seconds))
        self._await_end(Occupant(name, lane.team, tenant, ends_at))

    def _await_end(self, occupant: Occupant) -> None:
        self._number += 1
        heapq.heappush(self._ends, (occupant.ends_at, self._number, occupant))

    def _end(self, occupant: Occupant) -> None:
        node, held = self.nodes.get(occupant.node), occupant.tenant.held
        if node is not None:
            self.nodes[node.name] = _without(node, occupant.tenant)
        use = self.uses.get(occupant.team, TeamUse())
        gpu_type = node.allocatable.gpu_type if node is not None else None
        self.uses[occupant.team] = use.less(held, gpu_type)

    def _age(self, seconds: float) -> None:
        half_life = self.scene.policy.half_life_seconds
        self.uses = {
            team: lately(use, seconds=seconds, half_life=half_life)
            for team, use in self.uses.items()
        }


def _without(node: FreeNode, gone: Tenant) -> FreeNode:
    tenants = tuple(
        each for each in node.tenants if (each.job_id, each.attempt) != (gone.job_id, gone.attempt)
    )
    slots = None if node.slots is None else node.slots + 1
    free = add(node.free, replace(gone.held, gpu_type=node.free.gpu_type))
    return replace(node, free=_at_most(free, node.room), slots=slots, tenants=tenants)


def _at_most(amount: Resources, room: Resources) -> Resources:
    return Resources(
        min(amount.cpu_millis, room.cpu_millis),
        min(amount.memory_bytes, room.memory_bytes),
        min(amount.gpus, room.gpus),
        amount.gpu_type,
    )
