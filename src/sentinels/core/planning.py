"""Who is next, and whether there is room.

Comes in: the first job of every lane, the nodes with what is free, what each team has in use. Goes
out: a ``Plan``: how many jobs to claim from which lane, and for every other lane why not. Before:
``capacity``. Next: ``explaining``, which words the decisions; then ``db/sql/claim_jobs.sql``.

The order: effective priority (the class, raised with waiting), the highest first; then the team's
dominant share by weight, the smallest first, counted anew after each grant; then the time of
queueing, then the job id. A lane's first job speaks for its lane: those behind it pass for as old
while this pass lasts. The first job in order goes to the first node that has room. One that fits
no node now is passed over, so that it holds up nobody; once it has waited for
``Policy.reserve_after_seconds`` a node that could hold it is kept free for it, so that nobody holds
it up either. Every pass decides this afresh: a kept node can only get freer until it fits.

The work grows with lanes and launches, never with the jobs that wait.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import groupby

from sentinels.core.capacity import KINDS, FreeNode, Resources, add, coverage, fits, total
from sentinels.core.explaining import DecisionCode, Explanation, FactValue, explain
from sentinels.core.job import JobId
from sentinels.core.policy import Policy


@dataclass(frozen=True, slots=True)
class LaneHead:
    """A lane as the planner sees it: its first job, and how many wait (counted up to a bound).

    ``priority`` is the class's number. All jobs of a lane have its team, priority and resources.
    """

    lane_id: int
    team: str
    priority: int
    resources: Resources
    job_id: JobId
    enqueued_at: datetime
    waiting: int


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

    ``kept`` are the nodes kept free, by name, and for which job: every grant has room elsewhere. A
    cluster that chooses nodes by itself keeps them free only if it is told.
    """

    grants: tuple[Grant, ...]
    decisions: tuple[Decision, ...]
    kept: Mapping[str, JobId] = field(default_factory=dict)


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
    in_use: Mapping[str, Resources],
    policy: Policy,
    now: datetime,
    max_launches: int,
) -> Plan:
    """Admit at most ``max_launches`` jobs, and say of every lane that is left waiting why.

    ``in_use`` is what each team's live attempts hold. Weights must be above zero.
    """
    ledger = _Ledger(list(nodes), dict(in_use), policy, now, max_launches)
    waiting = [head for head in heads if head.waiting > 0]
    for level in _levels(waiting, policy, now):
        _serve(level, ledger)
    grants = tuple(Grant(lane_id, tuple(nodes)) for lane_id, nodes in ledger.granted.items())
    return Plan(grants, tuple(_decisions(waiting, ledger)), ledger.kept)


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


def _levels(
    heads: Sequence[LaneHead], policy: Policy, now: datetime
) -> Iterator[Sequence[LaneHead]]:
    def level(head: LaneHead) -> int:
        return -_effective(head.priority, head.enqueued_at, policy, now)

    ordered = sorted(heads, key=lambda head: (level(head), head.enqueued_at, head.job_id))
    for _, members in groupby(ordered, key=level):
        yield list(members)


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
    in_use: dict[str, Resources]
    policy: Policy
    now: datetime
    max_launches: int
    granted: dict[int, list[str]] = field(default_factory=dict)
    kept: dict[str, JobId] = field(default_factory=dict)
    keeper: dict[int, str] = field(default_factory=dict)
    _refused: set[Resources] = field(default_factory=set)
    _unkeepable: set[Resources] = field(default_factory=set)
    _totals: Resources = field(init=False)
    _launches: int = 0

    def __post_init__(self) -> None:
        self._totals = total(node.allocatable for node in self.nodes)

    @property
    def spent(self) -> bool:
        """Whether the pass has launched its fill."""
        return self._launches >= self.max_launches

    def share(self, team: str) -> float:
        """The largest part that the team has of any kind of resource, by its weight."""
        used = self.in_use.get(team, Resources())
        weight = self.policy.team_weights.get(team, 1.0)
        # One division, so that equal shares of teams with different weights are equal floats.
        return max(
            (
                kind.amount(used) / (kind.amount(self._totals) * weight)
                for kind in KINDS
                if kind.amount(self._totals)
            ),
            default=0.0,
        )

    def admit(self, head: LaneHead) -> bool:
        """Grant the lane one more job, or keep a node free for its first where that is due."""
        index = self._place(head.resources)
        if index is None:
            self._keep(head)
            return False
        self.nodes[index] = self.nodes[index].less(head.resources)
        self.in_use[head.team] = add(self.in_use.get(head.team, Resources()), head.resources)
        self.granted.setdefault(head.lane_id, []).append(self.nodes[index].name)
        self._launches += 1
        return True

    def _place(self, request: Resources) -> int | None:
        if request in self._refused:
            return None
        for index, node in enumerate(self.nodes):
            if node.takes(request) and node.name not in self.kept:
                return index
        self._refused.add(request)
        return None

    def _keep(self, head: LaneHead) -> None:
        """Keep the node that lacks least of what the head needs. A lane that was granted a job
        does not starve, and how long the next one has waited is not known: none is kept for it.
        No more nodes are kept than jobs may be launched.
        """
        waited = (self.now - head.enqueued_at).total_seconds()
        request = head.resources
        if waited <= self.policy.reserve_after_seconds or head.lane_id in self.granted:
            return
        if request in self._unkeepable or len(self.kept) >= self.max_launches:
            return
        able = [n for n in self.nodes if n.name not in self.kept and fits(request, n.room)]
        if not able:
            self._unkeepable.add(request)
            return
        best = max(able, key=lambda node: coverage(request, node.free))
        self.kept[best.name] = head.job_id
        self.keeper[head.lane_id] = best.name


def _decisions(heads: Sequence[LaneHead], ledger: _Ledger) -> Iterator[Decision]:
    answers: dict[Resources, Explanation] = {}
    for head in heads:
        if len(ledger.granted.get(head.lane_id, ())) >= head.waiting:
            continue
        shape = head.resources
        if shape not in answers:
            answers[shape] = explain(
                shape, ledger.nodes, kept=ledger.kept, max_launches=ledger.max_launches
            )
        yield _decision(head, answers[shape], ledger.keeper.get(head.lane_id))


def _decision(head: LaneHead, answer: Explanation, kept_node: str | None) -> Decision:
    if kept_node is None:
        return Decision(head.lane_id, answer.code, answer.sentence, answer.facts)
    sentence = f"{answer.sentence}; {kept_node} is kept free for it"
    return Decision(head.lane_id, answer.code, sentence, {**answer.facts, "kept_node": kept_node})
