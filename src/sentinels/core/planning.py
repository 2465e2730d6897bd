"""Who is next, and whether there is room.

Comes in: the first job of every lane, the nodes with what is free, what each team has in use. Goes
out: a ``Plan``: how many jobs to claim from which lane, and for every other lane why not. Before:
``capacity``. Next: ``explaining``, which words the decisions; then ``db/sql/claim_jobs.sql``.

The order: effective priority (the class, raised with waiting), the highest first; then the team's
dominant share by weight, the smallest first, counted anew after each grant; then the time of
queueing, then the job id. A lane's first job speaks for its lane: those behind it pass for as old
while this pass lasts. The first job in order goes to the first node that has room, within its
team's quota. One that fits no node now is passed over, so that it holds up nobody; once it has
waited for ``Policy.reserve_after_seconds`` a node that could hold it is kept free for it, so that
nobody holds it up either, and only what certainly does not delay it is let on (``reserving``).
Where the policy lets it, a job that fits nowhere has less urgent ones asked to leave
(``preempting``), and from then on goes before all others. Every pass decides this afresh: a kept
node can only get freer until it fits.

The work grows with lanes and launches, never with the jobs that wait.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import groupby

from sentinels.core.capacity import KINDS, FreeNode, Resources, coverage, fits, kept_away, total
from sentinels.core.explaining import (
    DecisionCode,
    Explanation,
    FactValue,
    avoided,
    explain,
    over_quota,
)
from sentinels.core.job import JobId
from sentinels.core.policy import Policy
from sentinels.core.preempting import Clearance, clearance
from sentinels.core.quota import TeamUse, excess, lets_on, type_excess
from sentinels.core.reserving import Reservation, cleared, reservation

_CLEARLY = 1.1
"""How far a share is above the mean before it is more than a coincidence of sizes."""
_SLOWER = 2
"""How many times longer a job of such a team waits until it rises by a class."""


@dataclass(frozen=True, slots=True)
class LaneHead:
    """A lane as the planner sees it: its first job, and how many wait (counted up to a bound).

    ``priority`` is the class's number. All jobs of a lane have its team, priority and resources;
    ``time_limit`` (seconds; None: none) and ``avoids`` (names of nodes) are its first job's;
    ``owed``: others were asked to leave for that job.
    """

    lane_id: int
    team: str
    priority: int
    resources: Resources
    job_id: JobId
    enqueued_at: datetime
    waiting: int
    time_limit: int | None = None
    avoids: frozenset[str] = frozenset()
    owed: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """So many jobs of this lane may be launched now, the first ones first.

    ``nodes`` is where room was seen for each, in the same order.
    """

    lane_id: int
    nodes: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many."""
        return len(self.nodes)


@dataclass(frozen=True, slots=True)
class Decision:
    """Why a lane's jobs still wait: a code for programs, a sentence for people, its numbers."""

    lane_id: int
    code: DecisionCode
    sentence: str
    facts: Mapping[str, FactValue]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one pass admits, and for every lane that is left with waiting jobs why.

    ``kept`` are the nodes kept free, by name, and for which job: a grant has room elsewhere, or is
    on the node that it names without delaying that job. A cluster that chooses nodes by itself
    keeps them free only if it is told. ``clearances`` are those who are asked to leave.
    """

    grants: tuple[Grant, ...]
    decisions: tuple[Decision, ...]
    kept: Mapping[str, JobId] = field(default_factory=dict)
    clearances: tuple[Clearance, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A waiting job, as far as its place in the queue depends on it."""

    job_id: JobId
    team: str
    priority: int
    enqueued_at: datetime


def plan(
    *,
    heads: Sequence[LaneHead],
    nodes: Sequence[FreeNode],
    uses: Mapping[str, TeamUse],
    policy: Policy,
    now: datetime,
    max_launches: int,
) -> Plan:
    """Admit at most ``max_launches`` jobs, and say of every lane that is left waiting why.

    ``uses`` is what each team holds and held. Weights must be above zero.
    """
    ledger = _Ledger(list(nodes), dict(uses), policy, now, max_launches)
    waiting = _waiting(heads, nodes)
    admitted = _admitted(waiting, ledger)
    return replace(admitted, decisions=tuple(_decisions(waiting, ledger, admitted.kept)))


def admit(
    *,
    heads: Sequence[LaneHead],
    nodes: Sequence[FreeNode],
    uses: Mapping[str, TeamUse],
    policy: Policy,
    now: datetime,
    max_launches: int,
) -> Plan:
    """The same plan without a word why not, which is most of the work: for who plans often."""
    ledger = _Ledger(list(nodes), dict(uses), policy, now, max_launches)
    return _admitted(_waiting(heads, nodes), ledger)


def _admitted(waiting: Sequence[LaneHead], ledger: _Ledger) -> Plan:
    for level in _levels(waiting, ledger):
        _serve(level, ledger)
    grants = tuple(Grant(lane_id, tuple(nodes)) for lane_id, nodes in ledger.granted.items())
    kept = {name: reserved.job_id for name, reserved in ledger.reserved.items()}
    return Plan(grants, (), kept, tuple(ledger.clearances))


def _waiting(heads: Sequence[LaneHead], nodes: Sequence[FreeNode]) -> list[LaneHead]:
    return [_avoiding(head, nodes) for head in heads if head.waiting > 0]


def _avoiding(head: LaneHead, nodes: Sequence[FreeNode]) -> LaneHead:
    if not head.avoids:
        return head
    wholes = ((node.name, node.allocatable) for node in nodes)
    return replace(head, avoids=kept_away(head.avoids, head.resources, wholes))


def queue_order(rows: Sequence[WaitingRow], policy: Policy, now: datetime) -> list[WaitingRow]:
    """The order in which people are shown the queue and their place in it.

    It is the planner's but for the share between teams, which changes with every launch.
    """
    return sorted(
        rows,
        key=lambda row: (
            -_effective(row.priority, row.enqueued_at, policy, now),
            row.enqueued_at,
            row.job_id,
        ),
    )


def _effective(priority: int, enqueued_at: datetime, policy: Policy, now: datetime) -> int:
    return policy.effective_priority(priority, (now - enqueued_at).total_seconds())


def _levels(heads: Sequence[LaneHead], ledger: _Ledger) -> Iterator[Sequence[LaneHead]]:
    """Lanes of one effective priority after the other. Those of a team that holds clearly more than
    its part rise slower: a flood of its jobs, grown old, would go before all others' new ones.
    Before all are those for whom others left: nobody is to have lost their work for a third.
    """
    greedy = _greedy({head.team for head in heads} | ledger.uses.keys(), ledger)

    def level(head: LaneHead) -> tuple[bool, int]:
        waited = (ledger.now - head.enqueued_at).total_seconds()
        slowed = waited / _SLOWER if head.team in greedy else waited
        return not head.owed, -ledger.policy.effective_priority(head.priority, slowed)

    ordered = sorted(heads, key=lambda head: (level(head), head.enqueued_at, head.job_id))
    for _, members in groupby(ordered, key=level):
        yield list(members)


def _greedy(teams: Set[str], ledger: _Ledger) -> frozenset[str]:
    """The teams whose share is clearly above the mean by weight, of those that wait or hold."""
    weights = {team: ledger.policy.team_weights.get(team, 1.0) for team in teams}
    shares = {team: ledger.share(team) for team in teams}
    whole = sum(weights.values())
    mean = sum(shares[team] * weights[team] for team in teams) / whole if whole else 0.0
    return frozenset(team for team in teams if shares[team] > mean * _CLEARLY)


def _serve(level: Sequence[LaneHead], ledger: _Ledger) -> None:
    """Give lanes of one effective priority their turns. A team's lanes are in order of age, and
    only a grant to the team moves it: one entry a team in the heap is enough.
    """
    lines: dict[str, deque[LaneHead]] = defaultdict(deque)
    for head in level:
        lines[head.team].append(head)

    def turn(team: str) -> tuple[float, datetime, int, str]:
        first = lines[team][0]
        return ledger.share(team), first.enqueued_at, first.job_id, team

    turns = [turn(team) for team in lines]
    heapify(turns)
    while turns and not ledger.spent:
        team = heappop(turns)[-1]
        head = lines[team][0]
        if not ledger.admit(head) or len(ledger.granted[head.lane_id]) == head.waiting:
            lines[team].popleft()
        if lines[team]:
            heappush(turns, turn(team))


@dataclass(slots=True)
class _Ledger:
    """What a pass has given away so far.

    What is free only shrinks while a pass lasts: a shape that was refused once stays refused.
    """

    nodes: list[FreeNode]
    uses: dict[str, TeamUse]
    policy: Policy
    now: datetime
    max_launches: int
    granted: dict[int, list[str]] = field(default_factory=dict)
    reserved: dict[str, Reservation] = field(default_factory=dict)
    keeper: dict[int, str] = field(default_factory=dict)
    barred: dict[int, Explanation] = field(default_factory=dict)
    clearances: list[Clearance] = field(default_factory=list)
    _refused: set[Resources] = field(default_factory=set)
    _unkeepable: set[Resources] = field(default_factory=set)
    _totals: Resources = field(init=False)
    _places: dict[str, int] = field(init=False)
    _launches: int = 0

    def __post_init__(self) -> None:
        self._totals = total(node.allocatable for node in self.nodes)
        self._places = {node.name: place for place, node in enumerate(self.nodes)}

    @property
    def spent(self) -> bool:
        """Whether the pass has launched its fill."""
        return self._launches >= self.max_launches

    def share(self, team: str) -> float:
        """The largest part that the team has, and had lately, of any kind of resource, by weight:
        what it holds and the decaying average of what it held, added up.
        """
        use = self._use(team)
        weight = self.policy.team_weights.get(team, 1.0)
        # One division, so that equal shares of teams with different weights are equal floats.
        return max(
            (
                (kind.amount(use.held) + use.average.get(kind.fact, 0.0))
                / (kind.amount(self._totals) * weight)
                for kind in KINDS
                if kind.amount(self._totals)
            ),
            default=0.0,
        )

    def admit(self, head: LaneHead) -> bool:
        """Grant the lane one more job, or see to it that its first starts in time."""
        use = self._use(head.team)
        beyond = excess(self.policy.quota_of(head.team), use, head.resources)
        if beyond is not None:
            self.barred[head.lane_id] = over_quota(head.team, beyond)
            return False
        index = self._place(head)
        if index is None:
            self._keep(head)
            return False
        node = self.nodes[index]
        self._let_on(node, head)
        self.nodes[index] = node.less(head.resources)
        self.uses[head.team] = use.more(head.resources, node.allocatable.gpu_type)
        self.granted.setdefault(head.lane_id, []).append(node.name)
        self._launches += 1
        return True

    def _use(self, team: str) -> TeamUse:
        return self.uses.get(team, _NOTHING)

    def _place(self, head: LaneHead) -> int | None:
        request = head.resources
        if request in self._refused:
            return self._beside_the_kept(head)
        barred: FreeNode | None = None
        for index, node in enumerate(self.nodes):
            if not node.takes(request) or node.name in self.reserved:
                continue
            if self._may_go_to(head, node):
                return index
            barred = barred or node
        if barred is None:
            self._refused.add(request)
        else:
            self.barred[head.lane_id] = self._why_barred(head, barred)
        return self._beside_the_kept(head)

    def _why_barred(self, head: LaneHead, node: FreeNode) -> Explanation:
        if node.name in head.avoids and head.lane_id not in self.granted:
            return avoided(node.name)
        quota, gpu_type = self.policy.quota_of(head.team), node.allocatable.gpu_type or ""
        return over_quota(head.team, type_excess(quota, self._use(head.team), gpu_type))

    def _beside_the_kept(self, head: LaneHead) -> int | None:
        """A kept node on which the lane's next job delays nobody: nothing is known of the limits of
        those behind the first.
        """
        limit = None if head.lane_id in self.granted else head.time_limit
        for name, reserved in self.reserved.items():
            node = self.nodes[self._places[name]]
            if not node.takes(head.resources) or not self._may_go_to(head, node):
                continue
            if reserved.lets_on(head.resources, limit, self.now):
                return self._places[name]
        return None

    def _may_go_to(self, head: LaneHead, node: FreeNode) -> bool:
        if node.name in head.avoids and head.lane_id not in self.granted:
            return False
        quota, gpu_type = self.policy.quota_of(head.team), node.allocatable.gpu_type
        return lets_on(quota, self._use(head.team), head.resources, gpu_type)

    def _let_on(self, node: FreeNode, head: LaneHead) -> None:
        reserved = self.reserved.get(node.name)
        if reserved is not None:
            limit = None if head.lane_id in self.granted else head.time_limit
            self.reserved[node.name] = reserved.with_guest(head.resources, limit, self.now)

    def _keep(self, head: LaneHead) -> None:
        """Have the least urgent leave for it where it may ask, else keep the node that lacks least
        of what it needs, once it has waited long enough. A lane that was granted a job does not
        starve, and how long the next one has waited is not known: none is kept for it. No more
        nodes are kept than jobs may be launched.
        """
        most = min(self.policy.reservations, self.max_launches)
        if head.lane_id in self.granted or len(self.reserved) >= most:
            return
        if not self._clear(head) and self._is_overdue(head):
            self._reserve(head)

    def _clear(self, head: LaneHead) -> bool:
        nodes = [node for node in self._unreserved() if self._may_go_to(head, node)]
        found = clearance(nodes, head.job_id, head.resources, head.priority, self.policy, self.now)
        if found is None:
            return False
        if found.asked:
            self.clearances.append(found)
        node = next(node for node in nodes if node.name == found.node)
        self._keep_node(
            head, node, cleared(node, head.job_id, head.resources, found.asked, self.now)
        )
        # It is as good as held: nobody of its team is to use up the quota meanwhile.
        use = self._use(head.team)
        self.uses[head.team] = use.more(head.resources, node.allocatable.gpu_type)
        return True

    def _is_overdue(self, head: LaneHead) -> bool:
        waited = (self.now - head.enqueued_at).total_seconds()
        return waited > self.policy.reserve_after_seconds

    def _reserve(self, head: LaneHead) -> None:
        request = head.resources
        if request in self._unkeepable:
            return
        able = [node for node in self._unreserved() if fits(request, node.room)]
        if not able:
            self._unkeepable.add(request)
            return
        allowed = [node for node in able if self._may_go_to(head, node)]
        if allowed:
            node = min(allowed, key=lambda node: self._until(node, head))
            self._keep_node(head, node, reservation(node, head.job_id, head.resources))

    def _until(self, node: FreeNode, head: LaneHead) -> tuple[bool, float, float]:
        """The sooner a node is known to have room the better; else the less it lacks."""
        known = reservation(node, head.job_id, head.resources).starts_by
        seconds = (known - self.now).total_seconds() if known else 0.0
        return known is None, seconds, -coverage(head.resources, node.free)

    def _keep_node(self, head: LaneHead, node: FreeNode, reserved: Reservation) -> None:
        self.reserved[node.name] = reserved
        self.keeper[head.lane_id] = node.name

    def _unreserved(self) -> Iterator[FreeNode]:
        return (node for node in self.nodes if node.name not in self.reserved)


_NOTHING = TeamUse()


def _decisions(
    heads: Sequence[LaneHead], ledger: _Ledger, kept: Mapping[str, JobId]
) -> Iterator[Decision]:
    answers: dict[Resources, Explanation] = {}
    for head in heads:
        if len(ledger.granted.get(head.lane_id, ())) >= head.waiting:
            continue
        if head.lane_id in ledger.barred:
            barred, keeper = ledger.barred[head.lane_id], ledger.keeper.get(head.lane_id)
            yield _decision(head, barred, keeper)
            continue
        shape = head.resources
        if shape not in answers:
            answers[shape] = explain(
                shape, ledger.nodes, kept=kept, max_launches=ledger.max_launches
            )
        yield _decision(head, answers[shape], ledger.keeper.get(head.lane_id))


def _decision(head: LaneHead, answer: Explanation, kept_node: str | None) -> Decision:
    if kept_node is None:
        return Decision(head.lane_id, answer.code, answer.sentence, answer.facts)
    sentence = f"{answer.sentence}; {kept_node} is kept free for it"
    return Decision(head.lane_id, answer.code, sentence, {**answer.facts, "kept_node": kept_node})
