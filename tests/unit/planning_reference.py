"""The planner's rules as a slow, obvious simulation, written from the design and not from the code.

One job at a time: list every lane that still has something to say, look at the first one in the
order of the design, start over. Shares are exact fractions. It shares no function
with ``sentinels.core.planning`` or ``sentinels.core.capacity``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import floor, inf

from sentinels.core.capacity import FreeNode, Resources
from sentinels.core.planning import LaneHead
from sentinels.core.policy import Policy
from sentinels.core.quota import Quota, TeamUse

_KINDS = ("cpu_millis", "memory_bytes", "gpus")


@dataclass
class Box:
    """A node: three numbers and a type; what ends when at the latest; for whom it is kept."""

    name: str
    gpu_type: str | None
    free: list[int]
    room: list[int]
    whole: list[int]
    ends: list[tuple[datetime, list[int]]] = field(default_factory=list)
    kept_for: Resources | None = None
    known_at: datetime | None = None
    free_then: list[int] = field(default_factory=list)

    def keep(self, request: Resources) -> None:
        """Keep it, and find out when the job it is kept for fits at the latest."""
        self.kept_for = request
        for moment in sorted({at for at, _ in self.ends}):
            ended = [held for at, held in self.ends if at <= moment]
            then = [sum(parts) for parts in zip(self.free, *ended, strict=True)]
            if has_room(request, then, self.gpu_type):
                self.known_at, self.free_then = moment, then
                return

    def delays_nobody(self, request: Resources, limit: int | None, now: datetime) -> bool:
        return self.is_over_by_then(limit, now) or self.leaves_room(request)

    def is_over_by_then(self, limit: int | None, now: datetime) -> bool:
        if self.known_at is None or limit is None:
            return False
        return (self.known_at - now).total_seconds() >= limit + 120

    def leaves_room(self, request: Resources) -> bool:
        if self.known_at is None or self.kept_for is None:
            return False
        both = zip(numbers(request), numbers(self.kept_for), self.free_then, strict=True)
        return all(one + other <= there for one, other, there in both)


@dataclass
class Outcome:
    """Where each lane's jobs go, and which node is kept for which lane."""

    granted: dict[int, list[str]] = field(default_factory=dict)
    kept: dict[int, str] = field(default_factory=dict)


@dataclass
class Lane:
    """A lane in the simulation."""

    head: LaneHead
    left: int
    refused: bool = False

    @property
    def is_first(self) -> bool:
        """Whether its next job is the one that something is known of."""
        return self.left == self.head.waiting


def numbers(resources: Resources) -> list[int]:
    return [resources.cpu_millis, resources.memory_bytes, resources.gpus]


def has_room(request: Resources, space: list[int], gpu_type: str | None) -> bool:
    if request.gpu_type is not None and request.gpu_type != gpu_type:
        return False
    return all(asked <= there for asked, there in zip(numbers(request), space, strict=True))


def points(head: LaneHead, policy: Policy, now: datetime, *, slower: int = 1) -> int:
    waited = max(0.0, (now - head.enqueued_at).total_seconds()) / slower
    raised = 10 * floor(waited / policy.ageing_seconds)
    return head.priority + min(raised, policy.ageing_limit)


def share(held: list[int], whole: list[int], weight: Fraction) -> Fraction:
    parts = [Fraction(used, total) for used, total in zip(held, whole, strict=True) if total]
    return max(parts, default=Fraction(0)) / weight


def covered(request: Resources, box: Box) -> Fraction | float:
    pairs = zip(numbers(request), box.free, strict=True)
    return min((Fraction(there, asked) for asked, there in pairs if asked), default=inf)


@dataclass
class Held:
    """What a team holds and held, in plain numbers."""

    now: list[int]
    before: list[int]
    running: int
    of_type: dict[str, int]
    gpu_hours: float


def held_of(use: TeamUse) -> Held:
    return Held(
        numbers(use.held),
        [int(use.average.get(kind, 0)) for kind in _KINDS],
        use.running,
        dict(use.gpus_of),
        use.gpu_hours,
    )


def within(quota: Quota, held: Held, request: Resources) -> bool:
    """Whether one more is allowed on some node or other."""
    bounds = (quota.cpu_millis, quota.memory_bytes, quota.gpus)
    for limit, used, asked in zip(bounds, held.now, numbers(request), strict=True):
        if limit is not None and asked and used + asked > limit:
            return False
    if quota.running is not None and held.running >= quota.running:
        return False
    if request.gpus and quota.gpu_hours is not None and held.gpu_hours >= quota.gpu_hours:
        return False
    return request.gpu_type is None or within_type(quota, held, request, request.gpu_type)


def within_type(quota: Quota, held: Held, request: Resources, gpu_type: str | None) -> bool:
    limit, used = quota.gpu_types.get(gpu_type or ""), held.of_type.get(gpu_type or "", 0)
    return not request.gpus or limit is None or used + request.gpus <= limit


@dataclass
class Pass:
    """One pass by the book."""

    policy: Policy
    now: datetime
    max_launches: int
    boxes: list[Box]
    lanes: list[Lane]
    teams: dict[str, Held]
    whole: list[int]
    outcome: Outcome = field(default_factory=Outcome)
    greedy: frozenset[str] = frozenset()

    def run(self) -> Outcome:
        self.greedy = self.teams_above_their_part()
        while sum(map(len, self.outcome.granted.values())) < self.max_launches:
            asking = [lane for lane in self.lanes if lane.left > 0 and not lane.refused]
            if not asking:
                break
            lane = min(asking, key=self.place_in_order)
            quota, held = self.policy.quota_of(lane.head.team), self.teams[lane.head.team]
            if not within(quota, held, lane.head.resources):
                lane.refused = True
            elif box := self.open_box(lane):
                self.put(lane, box)
            else:
                lane.refused = True
                self.keep_for(lane)
        return self.outcome

    def teams_above_their_part(self) -> frozenset[str]:
        """More than a tenth above the mean by weight, when the pass begins."""
        weights = {team: Fraction(self.policy.team_weights.get(team, 1)) for team in self.teams}
        shares = {team: self.share_of(team) for team in self.teams}
        whole = sum(weights.values()) or Fraction(1)
        mean = sum(shares[team] * weights[team] for team in shares) / whole
        return frozenset(team for team in shares if shares[team] > mean * Fraction(11, 10))

    def share_of(self, team: str) -> Fraction:
        held = self.teams[team]
        counted = [a + b for a, b in zip(held.now, held.before, strict=True)]
        return share(counted, self.whole, Fraction(self.policy.team_weights.get(team, 1)))

    def place_in_order(self, lane: Lane) -> tuple[bool, int, Fraction, datetime, int]:
        slower = 2 if lane.head.team in self.greedy else 1
        return (
            not lane.head.owed,
            -points(lane.head, self.policy, self.now, slower=slower),
            self.share_of(lane.head.team),
            lane.head.enqueued_at,
            lane.head.job_id,
        )

    def may_take(self, lane: Lane, box: Box) -> bool:
        if lane.is_first and box.name in lane.head.avoids and self.has_another(lane):
            return False
        quota, held = self.policy.quota_of(lane.head.team), self.teams[lane.head.team]
        return within_type(quota, held, lane.head.resources, box.gpu_type)

    def has_another(self, lane: Lane) -> bool:
        """Whether a box that it does not avoid could hold it, were it empty."""
        return any(
            has_room(lane.head.resources, box.whole, box.gpu_type)
            for box in self.boxes
            if box.name not in lane.head.avoids
        )

    def open_box(self, lane: Lane) -> Box | None:
        """The first that is kept for nobody; else of the kept ones that which was kept first."""
        request, limit = lane.head.resources, lane.head.time_limit if lane.is_first else None
        fitting = [
            box
            for box in self.boxes
            if has_room(request, box.free, box.gpu_type) and self.may_take(lane, box)
        ]
        kept_in_order = list(self.outcome.kept.values())
        beside = [
            box for box in fitting if box.kept_for and box.delays_nobody(request, limit, self.now)
        ]
        unkept = [box for box in fitting if box.kept_for is None]
        return next(
            iter(unkept + sorted(beside, key=lambda box: kept_in_order.index(box.name))), None
        )

    def put(self, lane: Lane, box: Box) -> None:
        request, held = lane.head.resources, self.teams[lane.head.team]
        taken, limit = numbers(request), lane.head.time_limit if lane.is_first else None
        if box.kept_for is not None and not box.is_over_by_then(limit, self.now):
            box.free_then = [a - b for a, b in zip(box.free_then, taken, strict=True)]
        box.free = [a - b for a, b in zip(box.free, taken, strict=True)]
        held.now = [a + b for a, b in zip(held.now, taken, strict=True)]
        held.running += 1
        if request.gpus and box.gpu_type:
            held.of_type[box.gpu_type] = held.of_type.get(box.gpu_type, 0) + request.gpus
        self.outcome.granted.setdefault(lane.head.lane_id, []).append(box.name)
        lane.left -= 1

    def keep_for(self, lane: Lane) -> None:
        waited = (self.now - lane.head.enqueued_at).total_seconds()
        overdue = waited > self.policy.reserve_after_seconds
        most = min(self.policy.reservations, self.max_launches)
        if not overdue or not lane.is_first or len(self.outcome.kept) >= most:
            return
        request = lane.head.resources
        able = [
            box
            for box in self.boxes
            if box.kept_for is None
            and has_room(request, box.room, box.gpu_type)
            and self.may_take(lane, box)
        ]
        if able:
            chosen = min(able, key=lambda box: self.until(box, request))
            chosen.keep(request)
            self.outcome.kept[lane.head.lane_id] = chosen.name

    def until(self, box: Box, request: Resources) -> tuple[bool, float, Fraction | float]:
        """What is known to become free soonest; else what lacks least."""
        tried = Box(box.name, box.gpu_type, box.free, box.room, box.whole, box.ends)
        tried.keep(request)
        seconds = (tried.known_at - self.now).total_seconds() if tried.known_at else 0.0
        return tried.known_at is None, seconds, -covered(request, box)


def simulate(
    heads: Sequence[LaneHead],
    nodes: Sequence[FreeNode],
    uses: Mapping[str, TeamUse],
    policy: Policy,
    now: datetime,
    max_launches: int,
) -> Outcome:
    """Run the pass by the book."""
    boxes = [
        Box(
            node.name,
            node.allocatable.gpu_type,
            numbers(node.free),
            numbers(node.room),
            numbers(node.allocatable),
            [(each.ends_by, numbers(each.held)) for each in node.tenants if each.ends_by],
        )
        for node in nodes
    ]
    whole = [sum(numbers(node.allocatable)[kind] for node in nodes) for kind in range(3)]
    teams = {
        team: held_of(uses.get(team, TeamUse()))
        for team in sorted({head.team for head in heads if head.waiting} | uses.keys())
    }
    lanes = [Lane(head, head.waiting) for head in heads]
    return Pass(policy, now, max_launches, boxes, lanes, teams, whole).run()


def packable(requests: Sequence[Resources], nodes: Sequence[Resources]) -> bool:
    """Whether all requests fit on the nodes together, by trying every arrangement."""
    if not requests:
        return True
    first, rest = requests[0], requests[1:]
    tried = set()
    for index, node in enumerate(nodes):
        if node in tried or not has_room(first, numbers(node), node.gpu_type):
            continue
        tried.add(node)
        cpu, memory, gpus = (a - b for a, b in zip(numbers(node), numbers(first), strict=True))
        left = Resources(cpu, memory, gpus, node.gpu_type)
        after = [*nodes[:index], left, *nodes[index + 1 :]]
        if packable(rest, after):
            return True
    return False
