"""Why a job waits: who holds what it needs, what is kept for whom, and what would start it now.

Pure, and never a second opinion: what stands in its way is what the planner says, and a way out is
one that the planner was asked about: with the job as it would then be, it starts. Comes in: a
scene, a waiting job. Goes out: a ``Why``. Before: ``scene``, ``functions/submit``. Next:
``planning``, ``answer_words``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce

from sentinels.core.capacity import (
    CPU,
    GPU,
    KINDS,
    MEMORY,
    FreeNode,
    Kind,
    Resources,
    coverage,
    fits,
    suits,
)
from sentinels.core.explaining import DecisionCode
from sentinels.core.job import JobId
from sentinels.core.planning import Decision, LaneHead, Plan, admit, plan
from sentinels.core.quota import TeamUse
from sentinels.core.scene import Occupant, Scene, Waiting

LAUNCHES = 50
"""Jobs that one pass starts at most, where nothing else is said."""
_MOST_SIZES = 6
_LIMITS = (8 * 3600, 4 * 3600, 2 * 3600, 3600, 1800, 900)
"""Time limits that are tried, in seconds."""
_LEAST_PART = 4
"""Less than this part of the CPUs or the memory that it asks for is offered to nobody."""
_UNITS: Mapping[Kind, int] = {CPU: 500, MEMORY: 2**28, GPU: 1}
"""What is offered is a multiple of this."""
_FULL = frozenset({DecisionCode.NO_CPU, DecisionCode.NO_MEMORY, DecisionCode.NO_GPU})
_MOST_NODES = 3
"""Nodes that are named where none has enough of everything."""
_MANY = Resources(2, 2, 2)
_BOUNDLESS = 2**62
_LAST = JobId(2**62)


@dataclass(frozen=True, slots=True)
class Holding:
    """What a team's jobs hold of a kind, how many jobs they are, and the first that is known to
    end.
    """

    team: str
    amount: int
    jobs: tuple[Occupant, ...]
    next_end: tuple[Occupant, datetime] | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What is free of a kind on a node that is kept for a job."""

    job_id: JobId
    node: str
    amount: int


@dataclass(frozen=True, slots=True)
class Crowd:
    """Where all there is of a kind is, on the ready nodes that could hold the job. It is the kind
    of which no node has enough; or the first of those that are ``lacking`` on one node or another,
    where ``together`` are the nodes that come closest.

    ``total`` is what they offer, ``others`` what programs hold that are not Sentinels',
    ``starting`` what jobs ahead take that start now, ``free`` what nobody holds and ``most`` the
    most of it on one node.
    """

    kind: Kind
    total: int
    holdings: tuple[Holding, ...]
    others: int
    starting: int
    kept: tuple[Kept, ...]
    free: int
    most: int
    lacking: tuple[Kind, ...] = ()
    together: tuple[FreeNode, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What would be different about the job; None: as it is."""

    resources: Resources | None = None
    priority: int | None = None
    time_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """What stands between a job and its start.

    ``decision`` None: nothing, the next pass starts it. ``ahead`` jobs of its lane wait before it
    that do not start now either; the decision is about the first of them. ``holding`` is what its
    team holds, where a quota stands in its way. ``ways`` would each start it now.
    """

    job_id: JobId
    lane: LaneHead
    decision: Decision | None
    ahead: int = 0
    crowd: Crowd | None = None
    holding: Holding | None = None
    able_unready: tuple[str, ...] = ()
    ways: tuple[Change, ...] = ()


def why(
    scene: Scene,
    job_id: int,
    *,
    classes: Sequence[int] = (),
    max_launches: int = LAUNCHES,
) -> Why | None:
    """Why this job waits; None where the scene does not have it. ``classes`` are the numbers of the
    priority classes that its owner may use.
    """
    job = next((each for each in scene.waiting if each.job_id == job_id), None)
    lane = next((each for each in scene.lanes if job and each.lane_id == job.lane_id), None)
    if job is None or lane is None:
        return None
    line = [each.job_id for each in scene.waiting if each.lane_id == job.lane_id]
    planned = plan(
        heads=scene.lanes,
        nodes=scene.free(),
        uses=scene.uses(),
        policy=scene.policy,
        now=scene.now,
        max_launches=sum(each.waiting for each in scene.lanes),
    )
    behind = line.index(job.job_id) - _granted(planned, lane.lane_id)
    decision = next((d for d in planned.decisions if d.lane_id == lane.lane_id), None)
    if behind < 0 or decision is None:
        return Why(job.job_id, lane, None)
    trial = Trial(scene, job, lane, max_launches)
    return Why(
        job.job_id,
        lane,
        decision,
        ahead=behind,
        crowd=_crowd(scene, lane, planned, decision),
        holding=_holding_of(scene, lane, decision) if decision.code is DecisionCode.QUOTA else None,
        able_unready=_able_unready(scene, lane, decision),
        ways=tuple(trial.ways(classes)),
    )


@dataclass(slots=True)
class Trial:
    """Asks the planner what would become of a job if it were another one: its own place is given
    up, and it is pushed anew.
    """

    scene: Scene
    job: Waiting
    lane: LaneHead
    max_launches: int
    _others: list[LaneHead] = field(init=False)
    _free: list[FreeNode] = field(init=False)
    _uses: Mapping[str, TeamUse] = field(init=False)

    def __post_init__(self) -> None:
        self._others = list(_without(self.scene, self.job))
        self._free, self._uses = self.scene.free(), self.scene.uses()

    def starts(self, change: Change) -> bool:
        """Whether the job would start now with this change."""
        resources = self.lane.resources if change.resources is None else change.resources
        priority = self.lane.priority if change.priority is None else change.priority
        limit = self.job.time_limit if change.time_limit is None else change.time_limit
        lane = LaneHead(-1, self.lane.team, priority, resources, _LAST, self.scene.now, 1, limit)
        lanes, joined = _joined(self._others, lane)
        planned = self._admitted(lanes)
        return _granted(planned, joined.lane_id) == joined.waiting

    def _admitted(self, lanes: Sequence[LaneHead]) -> Plan:
        return admit(
            heads=lanes,
            nodes=self._free,
            uses=self._uses,
            policy=self.scene.policy,
            now=self.scene.now,
            max_launches=self.max_launches,
        )

    def ways(self, classes: Sequence[int]) -> Iterator[Change]:
        """The single changes that would start it now, the smallest of each sort."""
        yield from self._first_of_each_sort(self._smaller())
        for gpu_type in self._types():
            change = Change(resources=replace(self.lane.resources, gpu_type=gpu_type))
            if self.starts(change):
                yield change
                break
        yield from self._first(Change(time_limit=each) for each in self._limits())
        above = sorted(each for each in classes if each > self.lane.priority)
        yield from self._first(Change(priority=each) for each in above)

    def _first(self, changes: Iterator[Change]) -> Iterator[Change]:
        found = next((change for change in changes if self.starts(change)), None)
        if found is not None:
            yield found

    def _first_of_each_sort(self, sizes: Sequence[Resources]) -> Iterator[Change]:
        """Of sizes that lack the same kinds of resources, the largest that starts; none that gives
        up more kinds than another.
        """
        done: list[frozenset[Kind]] = []
        for size in sizes:
            less = frozenset(_reduced(size, self.lane.resources))
            if any(other <= less for other in done):
                continue
            if self.starts(Change(resources=size)):
                done.append(less)
                yield Change(resources=size)

    def _smaller(self) -> list[Resources]:
        """Sizes that are like what is free on some node, or what the team's quota leaves."""
        request = self.lane.resources
        planned = self._admitted(self._others)
        nodes = [
            node
            for node in _after(self._free, planned, self._others)
            if suits(request, node.allocatable)
        ]
        offers = [*(node.free for node in nodes), *self._left_by_quota()]
        sizes = {_cut(request, offer) for offer in offers} - {None, request}
        found = [size for size in sizes if size is not None]
        found.sort(key=lambda size: (len(_reduced(size, request)), -_part(size, request)))
        return found[: _MOST_SIZES * 2]

    def _left_by_quota(self) -> Iterator[Resources]:
        quota = self.scene.policy.quota_of(self.lane.team)
        use = self._uses.get(self.lane.team)
        held = use.held if use else Resources()
        bounds = (quota.cpu_millis, quota.memory_bytes, quota.gpus)
        cpu, memory, gpus = (
            _BOUNDLESS if bound is None else max(0, bound - kind.amount(held))
            for kind, bound in zip(KINDS, bounds, strict=True)
        )
        yield Resources(cpu, memory, gpus)

    def _types(self) -> list[str]:
        """Other types of GPUs that there are."""
        if not self.lane.resources.gpus or self.lane.resources.gpu_type is None:
            return []
        found = {node.allocatable.gpu_type for node in self._free if node.allocatable.gpus}
        return sorted(each for each in found if each and each != self.lane.resources.gpu_type)

    def _limits(self) -> Iterator[int]:
        mine = self.job.time_limit
        yield from (each for each in _LIMITS if mine is None or each < mine)


def _without(scene: Scene, job: Waiting) -> Iterator[LaneHead]:
    """The lanes as they are without this job."""
    for lane in scene.lanes:
        if lane.lane_id != job.lane_id:
            yield lane
            continue
        line = [w for w in scene.waiting if w.lane_id == lane.lane_id and w.job_id != job.job_id]
        if line:
            yield replace(
                lane,
                job_id=line[0].job_id,
                enqueued_at=line[0].enqueued_at,
                waiting=lane.waiting - 1,
                time_limit=line[0].time_limit,
                avoids=line[0].avoids,
            )


def _joined(lanes: Sequence[LaneHead], one: LaneHead) -> tuple[list[LaneHead], LaneHead]:
    """The lanes with one job more, which is the last of its lane; and that lane."""

    def key(lane: LaneHead) -> object:
        return lane.team, lane.priority, lane.resources

    there = next((lane for lane in lanes if key(lane) == key(one)), None)
    joined = one if there is None else replace(there, waiting=there.waiting + 1)
    return [*(lane for lane in lanes if lane is not there), joined], joined


def _granted(planned: Plan, lane_id: int) -> int:
    return sum(grant.count for grant in planned.grants if grant.lane_id == lane_id)


def _crowd(scene: Scene, lane: LaneHead, planned: Plan, decision: Decision) -> Crowd | None:
    if decision.code not in _FULL:
        return None
    before = [node for node in scene.free() if fits(lane.resources, node.allocatable)]
    left = list(_after(before, planned, scene.lanes))
    for_others = {name: job_id for name, job_id in planned.kept.items() if job_id != lane.job_id}
    lacking, together = _lacking(lane.resources, [n for n in left if n.name not in for_others])
    kind = lacking[0]
    open_now = [kind.amount(node.free) for node in left if node.name not in for_others]
    kept = [node for node in left if node.name in for_others and kind.amount(node.free)]
    return Crowd(
        kind,
        total=sum(kind.amount(node.allocatable) for node in before),
        holdings=_holdings(scene, before, kind),
        others=sum(kind.amount(n.allocatable) - kind.amount(n.room) for n in before),
        starting=sum(
            kind.amount(one.free) - kind.amount(then.free)
            for one, then in zip(before, left, strict=True)
        ),
        kept=tuple(Kept(for_others[n.name], n.name, kind.amount(n.free)) for n in kept),
        free=sum(open_now),
        most=max(open_now, default=0),
        lacking=lacking,
        together=together,
    )


def _lacking(
    request: Resources, nodes: Sequence[FreeNode]
) -> tuple[tuple[Kind, ...], tuple[FreeNode, ...]]:
    """The kind of which no node has enough; or, where one has enough of this and another of that,
    all that lacks somewhere, and the nodes that come closest.
    """
    kinds = [kind for kind in reversed(KINDS) if kind.amount(request)]
    nowhere = [kind for kind in kinds if all(_lacks(kind, request, node) for node in nodes)]
    if nowhere:
        return (nowhere[0],), ()
    somewhere = [kind for kind in kinds if any(_lacks(kind, request, node) for node in nodes)]
    closest = sorted(nodes, key=lambda node: -coverage(request, node.free))
    return tuple(somewhere), tuple(closest[:_MOST_NODES])


def _lacks(kind: Kind, request: Resources, node: FreeNode) -> bool:
    return kind.amount(request) > kind.amount(node.free)


def _holdings(scene: Scene, nodes: Sequence[FreeNode], kind: Kind) -> tuple[Holding, ...]:
    """Who holds something of a kind on these nodes, the one with the most of it first."""
    there = {(each.job_id, each.attempt) for node in nodes for each in node.tenants}
    teams: dict[str, list[Occupant]] = defaultdict(list)
    for each in scene.occupants:
        if (each.ref.job_id, each.ref.attempt) in there and kind.amount(each.held):
            teams[each.team].append(each)
    found = [_holding(team, jobs, kind, scene.now) for team, jobs in teams.items()]
    return tuple(sorted(found, key=lambda each: (-each.amount, each.team)))


def _holding(team: str, jobs: Sequence[Occupant], kind: Kind | None, now: datetime) -> Holding:
    ends = [(job, end) for job in jobs if (end := job.expected_end(now)) is not None]
    next_end = min(ends, key=lambda pair: (pair[1], pair[0].ref.job_id), default=None)
    amount = len(jobs) if kind is None else sum(kind.amount(job.held) for job in jobs)
    return Holding(team, amount, tuple(jobs), next_end)


def _holding_of(scene: Scene, lane: LaneHead, decision: Decision) -> Holding:
    """What the job's own team holds of that of which it may not have more."""
    noun = str(decision.facts.get("quota"))
    kind = next((kind for kind in KINDS if noun.endswith(kind.noun(_MANY))), None)
    types = {node.name: node.allocatable.gpu_type for node in scene.nodes}
    of_type = noun.removesuffix(" GPUs") if kind is GPU and noun != "GPUs" else None
    mine = [
        each
        for each in scene.occupants
        if each.team == lane.team
        and (kind is None or kind.amount(each.held))
        and of_type in (None, types.get(each.node or "") or each.held.gpu_type)
    ]
    return _holding(lane.team, mine, kind, scene.now)


def _able_unready(scene: Scene, lane: LaneHead, decision: Decision) -> tuple[str, ...]:
    """Nodes that could hold a job that no ready node could."""
    codes = (DecisionCode.IMPOSSIBLE, DecisionCode.NO_GPU_TYPE, DecisionCode.NO_NODES)
    if decision.code not in codes:
        return ()
    unready = (node for node in scene.nodes if not node.ready)
    return tuple(node.name for node in unready if fits(lane.resources, node.allocatable))


def _after(
    nodes: Sequence[FreeNode], planned: Plan, lanes: Sequence[LaneHead]
) -> Iterator[FreeNode]:
    """The nodes as they are once what was granted has started."""
    asked = {lane.lane_id: lane.resources for lane in lanes}
    taken: dict[str, list[Resources]] = defaultdict(list)
    for grant in planned.grants:
        for name in grant.nodes:
            taken[name].append(asked[grant.lane_id])
    for node in nodes:
        yield reduce(FreeNode.less, taken[node.name], node)


def _cut(request: Resources, offer: Resources) -> Resources | None:
    """The request, with no more of anything than there is; None where too little would be left."""
    amounts = {kind: _cut_kind(kind, request, offer) for kind in KINDS}
    if None in amounts.values():
        return None
    return replace(
        request,
        cpu_millis=amounts[CPU] or 0,
        memory_bytes=amounts[MEMORY] or 0,
        gpus=amounts[GPU] or 0,
    )


def _cut_kind(kind: Kind, request: Resources, offer: Resources) -> int | None:
    asked, there, unit = kind.amount(request), kind.amount(offer), _UNITS[kind]
    if asked <= there:
        return asked
    cut = there // unit * unit
    least = 1 if kind is GPU else asked / _LEAST_PART
    return cut if cut >= max(least, 1) else None


def _reduced(size: Resources, request: Resources) -> list[Kind]:
    return [kind for kind in KINDS if kind.amount(size) < kind.amount(request)]


def _part(size: Resources, request: Resources) -> float:
    """How much of the request is left, by the kind of which least is."""
    asked = [kind for kind in KINDS if kind.amount(request)]
    return min((kind.amount(size) / kind.amount(request) for kind in asked), default=1.0)
