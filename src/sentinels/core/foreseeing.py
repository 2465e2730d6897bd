"""When waiting jobs will start: the planner itself, run ahead over what is expected to end.

Pure. From now on nobody pushes and every job ends as expected; whenever something ends, the next
pass is planned. Run twice, with jobs that end early and late, it gives a range. Comes in: a scene.
Goes out: a start for each job that could be foreseen. Before: ``scene``. Next: ``planning``.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sentinels.core.capacity import FreeNode, Resources, Tenant, add
from sentinels.core.planning import LaneHead, admit
from sentinels.core.quota import TeamUse, lately
from sentinels.core.scene import Occupant, Pace, Scene, Waiting, seconds_for

STEPS = 2000
"""Ends that are looked at, at most: what starts after them is not foreseen."""


@dataclass(frozen=True, slots=True)
class Start:
    """When and where a job starts."""

    at: datetime
    node: str


@dataclass(frozen=True, slots=True)
class Range:
    """When a job starts, at the earliest and at the latest; ``late`` None: nobody knows."""

    early: datetime
    late: datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    """How closely the future is looked at: so many ends at most, those together that are no
    further apart than ``coarse_seconds`` and, later on, a small part of the time until then; and
    as long as ``go_on`` says.
    """

    steps: int = STEPS
    coarse_seconds: float = 0.0
    go_on: Callable[[], bool] = lambda: True


CLOSELY = Look()
_COARSER = 0.05
"""Which part of the time until then makes no difference, where it is looked at coarsely."""


def foresee(
    scene: Scene,
    *,
    pace: Pace = Pace.USUAL,
    wanted: frozenset[int] | None = None,
    look: Look = CLOSELY,
) -> dict[int, Start]:
    """The starts that can be foreseen, by job id. ``wanted``: nothing is foreseen any further once
    all of these have started.
    """
    future = _Future(scene, pace, look.coarse_seconds, wanted)
    _run([future], look)
    return future.starts


def _run(futures: Sequence[_Future], look: Look) -> None:
    """Go on side by side, so that all of them are cut short at the same place if they are."""
    for _ in range(look.steps):
        going_on = [future.step() for future in futures]
        if not any(going_on) or not look.go_on():
            return


def ranges(
    scene: Scene, *, wanted: frozenset[int] | None = None, look: Look = CLOSELY
) -> dict[int, Range]:
    """The same as ranges: if all ends early, and if all ends late. One order of starts may be
    quicker than another, so the early end of a range is the lesser of the two. Where the look was
    cut short, what was not seen to start in both is left out.
    """
    futures = [
        _Future(scene, pace, look.coarse_seconds, wanted) for pace in (Pace.EARLY, Pace.LATE)
    ]
    _run(futures, look)
    early, late = (future.starts for future in futures)
    found, cut = {}, any(future.is_open for future in futures)
    for job_id, start in early.items():
        other = late.get(job_id)
        if other is None and cut:
            continue
        at = start.at if other is None else min(start.at, other.at)
        found[job_id] = Range(at, None if other is None else max(start.at, other.at))
    return found


@dataclass(frozen=True, slots=True)
class _End:
    """Whose place becomes free, and on which node; None: on none that is ready."""

    team: str
    tenant: Tenant
    node: str | None


@dataclass(slots=True)
class _Future:
    """The cluster as it is expected to become, step by step."""

    scene: Scene
    pace: Pace
    coarse: float
    wanted: frozenset[int] | None = None
    is_open: bool = True
    now: datetime = field(init=False)
    starts: dict[int, Start] = field(default_factory=dict)
    lines: dict[int, deque[Waiting]] = field(init=False)
    lanes: dict[int, LaneHead] = field(init=False)
    nodes: dict[str, FreeNode] = field(init=False)
    uses: dict[str, TeamUse] = field(init=False)
    _ends: list[tuple[datetime, int, _End]] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        scene = self.scene
        self.now = scene.now
        self.lanes = {lane.lane_id: lane for lane in scene.lanes}
        self.lines = defaultdict(deque)
        for job in scene.waiting:
            if job.lane_id in self.lanes:
                self.lines[job.lane_id].append(job)
        self.nodes = {node.name: node for node in scene.free()}
        self.uses = scene.uses()
        for occupant in scene.occupants:
            self._await(occupant)

    def step(self) -> bool:
        """One pass, then the next end; False where there is nothing more to foresee."""
        if self.is_open:
            self.plan()
            found = self.wanted is not None and self.wanted <= self.starts.keys()
            self.is_open = not found and bool(self.lines) and self.advance()
        return self.is_open

    def plan(self) -> None:
        """One pass; what it grants starts now."""
        planned = admit(
            heads=[self._head(lane_id) for lane_id, line in self.lines.items() if line],
            nodes=list(self.nodes.values()),
            uses=self.uses,
            policy=self.scene.policy,
            now=self.now,
            max_launches=sum(map(len, self.lines.values())),
        )
        for grant in planned.grants:
            for node in grant.nodes:
                self._start(self.lanes[grant.lane_id], self.lines[grant.lane_id].popleft(), node)
        self.lines = {lane_id: line for lane_id, line in self.lines.items() if line}

    def advance(self) -> bool:
        """Go to the next end, and to all that end at about the same time; False where there is
        none. What is called the same is early where all is early, else late.
        """
        if not self._ends:
            return False
        first = last = max(self.now, self._ends[0][0])
        reach = first + timedelta(seconds=self._coarse(first))
        while self._ends and self._ends[0][0] <= reach:
            at, _, end = heapq.heappop(self._ends)
            last = max(last, at)
            self._end(end)
        at = first if self.pace is Pace.EARLY else last
        self._age((at - self.now).total_seconds())
        self.now = at
        return True

    def _coarse(self, at: datetime) -> float:
        ahead = (at - self.scene.now).total_seconds()
        return max(self.coarse, ahead * _COARSER) if self.coarse else 0.0

    def _head(self, lane_id: int) -> LaneHead:
        lane, line = self.lanes[lane_id], self.lines[lane_id]
        first = line[0]
        return replace(
            lane,
            job_id=first.job_id,
            enqueued_at=first.enqueued_at,
            waiting=len(line),
            time_limit=first.time_limit,
            avoids=first.avoids,
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
        seconds = seconds_for(self.pace, job.history, job.time_limit)
        if seconds is not None:
            ends_at = self.now + timedelta(seconds=max(1.0, seconds))
            self._await_end(ends_at, _End(lane.team, tenant, name))

    def _await(self, occupant: Occupant) -> None:
        ends_at, tenant = occupant.end(self.pace, self.scene.now), occupant.tenant
        if ends_at is not None:
            where = (each.name for each in self.nodes.values() if tenant in each.tenants)
            self._await_end(ends_at, _End(occupant.team, tenant, next(where, None)))

    def _await_end(self, at: datetime, end: _End) -> None:
        self._number += 1
        heapq.heappush(self._ends, (at, self._number, end))

    def _end(self, end: _End) -> None:
        node, held = self.nodes.get(end.node or ""), end.tenant.held
        if node is not None:
            self.nodes[node.name] = _without(node, end.tenant)
        use = self.uses.get(end.team, TeamUse())
        gpu_type = node.allocatable.gpu_type if node is not None else None
        self.uses[end.team] = use.less(held, gpu_type)

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
