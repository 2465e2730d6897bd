"""Who is next and who fits: the planner against a slow reference, and the promises it makes."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinels.core.capacity import (
    KINDS,
    FreeNode,
    Node,
    Resources,
    Snapshot,
    Tenant,
    free_nodes,
    total,
)
from sentinels.core.explaining import DecisionCode
from sentinels.core.job import JobId
from sentinels.core.planning import (
    Decision,
    Grant,
    LaneHead,
    Plan,
    WaitingRow,
    plan,
    queue_order,
)
from sentinels.core.policy import Policy, Preemption, TeamPolicy
from sentinels.core.quota import Quota, TeamUse
from tests.unit.planning_reference import has_room, numbers, packable, points, simulate

GI = 1 << 30
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
POLICY = Policy(ageing_seconds=600, ageing_limit=20, reserve_after_seconds=300)


def cpus(count: float, memory: float = 0, gpus: int = 0, gpu_type: str | None = None) -> Resources:
    return Resources(int(count * 1000), int(memory * GI), gpus, gpu_type)


def node(
    name: str = "a", offer: Resources | None = None, free: Resources | None = None
) -> FreeNode:
    whole = offer or cpus(4, 16)
    return FreeNode(name, free or whole, whole, whole)


def head(
    lane_id: int,
    request: Resources,
    *,
    team: str = "red",
    priority: int = 20,
    waited: float = 0,
    waiting: int = 1,
) -> LaneHead:
    enqueued_at = NOW - timedelta(seconds=waited)
    return LaneHead(lane_id, team, priority, request, JobId(lane_id), enqueued_at, waiting)


def planned(
    heads: Sequence[LaneHead],
    nodes: Sequence[FreeNode],
    *,
    in_use: dict[str, Resources] | None = None,
    uses: Mapping[str, TeamUse] | None = None,
    policy: Policy = POLICY,
    max_launches: int = 50,
) -> Plan:
    held = {team: TeamUse(held=amount) for team, amount in (in_use or {}).items()}
    return plan(
        heads=heads,
        nodes=nodes,
        uses={**held, **(uses or {})},
        policy=policy,
        now=NOW,
        max_launches=max_launches,
    )


def granted(result: Plan) -> dict[int, int]:
    return {grant.lane_id: grant.count for grant in result.grants}


def decision(result: Plan, lane_id: int) -> Decision:
    (found,) = [each for each in result.decisions if each.lane_id == lane_id]
    return found


@dataclass(frozen=True)
class Case:
    """One input of the planner."""

    heads: list[LaneHead]
    nodes: list[FreeNode]
    uses: dict[str, TeamUse]
    policy: Policy
    max_launches: int

    def plan(self) -> Plan:
        return planned(
            self.heads,
            self.nodes,
            uses=self.uses,
            policy=self.policy,
            max_launches=self.max_launches,
        )


def part_of(draw: random.Random, whole: Resources) -> Resources:
    """A quarter at least of each kind."""
    cpu, memory, gpus = (draw.randint(each // 4, each) for each in numbers(whole))
    return Resources(cpu, memory, gpus, whole.gpu_type)


def some_tenants(draw: random.Random, room: Resources, free: Resources) -> tuple[Tenant, ...]:
    """What is not free is held by two attempts, whose ends are known or not."""
    gone = [a - b for a, b in zip(numbers(room), numbers(free), strict=True)]
    first = [draw.randint(0, each) for each in gone]
    rest = [a - b for a, b in zip(gone, first, strict=True)]
    return tuple(
        Tenant(number, 1, Resources(*held), ends_by=some_end(draw))
        for number, held in enumerate((first, rest))
    )


def some_end(draw: random.Random) -> datetime | None:
    minutes = draw.choice((None, 2, 10, 10, 60))
    return None if minutes is None else NOW + timedelta(minutes=minutes)


def some_quota(draw: random.Random) -> Quota:
    def bound(*among: int) -> int | None:
        return draw.choice((None, None, None, *among))

    return Quota(
        cpu_millis=bound(2, 6, 12),
        memory_bytes=bound(4, 9),
        gpus=bound(0, 2, 3),
        gpu_types={"a100": draw.randint(0, 3)} if draw.random() < 0.3 else {},
        running=bound(0, 2, 5),
        gpu_hours=bound(10),
    )


def averages(held: Resources) -> dict[str, float]:
    """What a team held lately, of each kind."""
    return {kind.fact: float(kind.amount(held)) for kind in KINDS}


def some_use(draw: random.Random) -> TeamUse:
    return TeamUse(
        held=part_of(draw, Resources(8, 8, 2)),
        running=draw.randint(0, 3),
        gpus_of={"a100": draw.randint(0, 2)},
        average=averages(part_of(draw, Resources(6, 6, 2))),
        gpu_hours=draw.choice((0.0, 9.5, 20.0)),
    )


def make_case(draw: random.Random) -> Case:
    """A small random input, full of ties and narrow fits."""

    def some_node(index: int) -> FreeNode:
        gpus = draw.choice((0, 0, 2, 4))
        kind = draw.choice(("a100", "v100")) if gpus else None
        whole = Resources(draw.randint(1, 8), draw.randint(1, 8), gpus, kind)
        room = whole if draw.random() < 0.8 else part_of(draw, whole)
        free = part_of(draw, room)
        return FreeNode(f"n{index}", free, room, whole, tenants=some_tenants(draw, room, free))

    def some_shape() -> Resources:
        gpus = draw.choice((0, 0, 0, 1, 2))
        kind = draw.choice((None, None, "a100")) if gpus else None
        most = draw.choice((2, 4, 9))
        return Resources(draw.randint(0, most), draw.randint(0, most), gpus, kind)

    def some_head(lane_id: int) -> LaneHead:
        shape = draw.choice(shapes)
        waited = draw.choice((0, 60, 300, 301, 599, 600, 900, 1300, 5000))
        return LaneHead(
            lane_id,
            draw.choice(("red", "green", "blue")),
            draw.choice((10, 20, 30)),
            shape,
            JobId(draw.randint(1, 5) * 100 + lane_id),
            NOW - timedelta(seconds=waited),
            draw.randint(0, 4),
            draw.choice((None, 1, 60, 479, 480, 481, 3600)),
            frozenset({"n0"}) if draw.random() < 0.15 else frozenset(),
            draw.random() < 0.1,
        )

    shapes = [some_shape() for _ in range(draw.randint(1, 4))]
    uses = {team: some_use(draw) for team in ("red", "green") if draw.random() < 0.5}
    return Case(
        heads=[some_head(lane_id) for lane_id in range(draw.randint(1, 7))],
        nodes=[some_node(index) for index in range(draw.choice((0, 1, 1, 2, 3, 4)))],
        uses=uses,
        policy=Policy(
            ageing_seconds=600,
            ageing_limit=draw.choice((0, 10, 20)),
            reserve_after_seconds=300,
            reservations=draw.choice((0, 1, 2, 8)),
            team_weights={"red": draw.choice((0.5, 1.0, 3.0)), "blue": 2.0},
            teams={
                team: TeamPolicy(quota=some_quota(draw))
                for team in ("red", "green")
                if draw.random() < 0.4
            },
        ),
        max_launches=draw.choice((0, 1, 2, 3, 5, 50)),
    )


CASES = st.randoms(use_true_random=False).map(make_case)


def agrees_with_the_reference(case: Case) -> None:
    expected = simulate(case.heads, case.nodes, case.uses, case.policy, NOW, case.max_launches)
    result = case.plan()
    assert {grant.lane_id: list(grant.nodes) for grant in result.grants} == expected.granted
    keepers = {each.lane_id: each.facts.get("kept_node") for each in result.decisions}
    assert {lane: kept for lane, kept in keepers.items() if kept} == expected.kept


@settings(max_examples=300, deadline=None)
@given(CASES)
def test_a_plan_is_the_one_that_the_rules_give_step_by_step(case: Case) -> None:
    agrees_with_the_reference(case)


@pytest.mark.parametrize("seed", range(4))
def test_thousands_of_plans_are_those_of_the_reference(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(2500):
        agrees_with_the_reference(make_case(draw))


@settings(max_examples=300, deadline=None)
@given(CASES)
def test_what_is_granted_fits_on_the_nodes_together(case: Case) -> None:
    by_lane = {each.lane_id: each for each in case.heads}
    counts = granted(case.plan())
    launched = [by_lane[lane].resources for lane, count in counts.items() for _ in range(count)]
    assert len(launched) <= case.max_launches
    assert all(0 < count <= by_lane[lane].waiting for lane, count in counts.items())
    largest_first = sorted(launched, key=numbers, reverse=True)
    assert packable(largest_first, [each.free for each in case.nodes])


@settings(max_examples=300, deadline=None)
@given(CASES)
def test_nobody_overtakes_a_more_urgent_lane_that_asked_for_no_more(case: Case) -> None:
    """But for what its team's quota or its own history forbids, and what delays nobody."""
    result = case.plan()
    counts = {
        grant.lane_id: grant.count
        for grant in result.grants
        if not set(grant.nodes) & set(result.kept)
    }
    for refused in case.heads:
        if counts.get(refused.lane_id, 0) >= refused.waiting:
            continue
        if refused.avoids or refused.team in case.policy.teams:
            continue
        for other in case.heads:
            if other.lane_id not in counts or other.owed:
                continue
            slowest = points(refused, case.policy, NOW, slower=2)
            more_urgent = slowest > points(other, case.policy, NOW)
            space = numbers(other.resources)
            no_larger = has_room(refused.resources, space, other.resources.gpu_type)
            assert not (more_urgent and no_larger)


@settings(max_examples=300, deadline=None)
@given(CASES)
def test_every_lane_left_waiting_is_told_why_and_no_other(case: Case) -> None:
    result = case.plan()
    counts = granted(result)
    left = {each.lane_id for each in case.heads if counts.get(each.lane_id, 0) < each.waiting}
    assert Counter(each.lane_id for each in result.decisions) == Counter(left)
    assert all(each.sentence and "  " not in each.sentence for each in result.decisions)
    limited = [each for each in result.decisions if each.code is DecisionCode.LAUNCH_LIMIT]
    assert not limited or sum(counts.values()) == case.max_launches


@settings(max_examples=100, deadline=None)
@given(CASES, st.randoms(use_true_random=False))
def test_the_order_in_which_lanes_are_read_does_not_matter(
    case: Case, shuffle: random.Random
) -> None:
    if len({each.job_id for each in case.heads}) < len(case.heads):
        return
    before = case.plan()
    shuffle.shuffle(case.heads)
    after = case.plan()
    assert granted(after) == granted(before)
    assert {each.lane_id: each for each in after.decisions} == {
        each.lane_id: each for each in before.decisions
    }


@settings(max_examples=300, deadline=None)
@given(CASES)
def test_two_passes_in_a_row_never_admit_more_than_there_is(case: Case) -> None:
    """The second pass sees none of the first one's workloads on any node yet."""
    snapshot = Snapshot([Node(each.name, each.room) for each in case.nodes])
    untyped = [
        LaneHead(h.lane_id, h.team, h.priority, cpu_and_memory(h), h.job_id, h.enqueued_at, 4)
        for h in case.heads
    ]
    by_lane = {each.lane_id: each.resources for each in untyped}
    in_flight: dict[str, Resources] = {}
    for turn in range(3):
        nodes = free_nodes(snapshot, in_flight=in_flight)
        for grant in planned(untyped, nodes, policy=case.policy, max_launches=3).grants:
            for number in range(grant.count):
                in_flight[f"{turn}-{grant.lane_id}-{number}"] = by_lane[grant.lane_id]
        launched = total(in_flight.values())
        whole = total(each.allocatable for each in snapshot.nodes)
        assert all(kind.amount(launched) <= kind.amount(whole) for kind in KINDS)


def cpu_and_memory(lane: LaneHead) -> Resources:
    return Resources(lane.resources.cpu_millis, lane.resources.memory_bytes)


def test_two_passes_in_a_row_fill_a_node_exactly_once() -> None:
    machine = Snapshot([Node("a", cpus(4)), Node("b", cpus(2))])
    lane = head(1, cpus(2), waiting=9)
    first = planned([lane], free_nodes(machine, in_flight={}))
    in_flight = {f"w{i}": cpus(2) for i in range(granted(first)[1])}
    second = planned([lane], free_nodes(machine, in_flight=in_flight))
    assert (granted(first), granted(second)) == ({1: 3}, {})


def test_the_more_urgent_class_goes_first_whoever_came_first() -> None:
    heads = [head(1, cpus(4), priority=20, waited=500), head(2, cpus(4), priority=30)]
    assert granted(planned(heads, [node()])) == {2: 1}


def test_waiting_raises_a_job_by_a_class_and_no_further_than_the_limit() -> None:
    patient = head(1, cpus(4), priority=10, waited=1200)
    assert granted(planned([patient, head(2, cpus(4), priority=20)], [node()])) == {1: 1}
    ancient = head(1, cpus(4), priority=10, waited=10**6)
    assert granted(planned([ancient, head(2, cpus(4), priority=40)], [node()])) == {2: 1}


def test_the_team_that_uses_less_of_the_cluster_goes_first() -> None:
    heads = [head(1, cpus(1), team="red", waited=100), head(2, cpus(1), team="green")]
    result = planned(heads, [node(free=cpus(1))], in_use={"red": cpus(2), "green": cpus(1)})
    assert granted(result) == {2: 1}


def test_a_teams_share_is_that_of_its_scarcest_kind() -> None:
    heads = [head(1, cpus(1), team="red"), head(2, cpus(1), team="green")]
    in_use = {"red": cpus(1, 12), "green": cpus(2, 1)}
    assert granted(planned(heads, [node(free=cpus(1))], in_use=in_use)) == {2: 1}


def test_equal_shares_of_unequal_weights_are_equal() -> None:
    """0.3 of the cluster at weight 3 is 0.1 at weight 1, and the older job decides."""
    heads = [head(1, cpus(1), team="red", waited=100), head(2, cpus(1), team="green")]
    policy = POLICY.with_weights({"red": 3.0})
    nodes = [node(offer=cpus(10), free=cpus(1))]
    in_use = {"red": cpus(3), "green": cpus(1)}
    assert granted(planned(heads, nodes, in_use=in_use, policy=policy)) == {1: 1}
    later = [head(1, cpus(1), team="red"), head(2, cpus(1), team="green", waited=100)]
    assert granted(planned(later, nodes, in_use=in_use, policy=policy)) == {2: 1}


@pytest.mark.parametrize("slots", [4, 7, 16, 41])
def test_an_empty_cluster_is_shared_by_weight(slots: int) -> None:
    heads = [head(1, cpus(1), team="red", waiting=50), head(2, cpus(1), team="green", waiting=50)]
    counts = granted(
        planned(heads, [node(offer=cpus(slots))], policy=POLICY.with_weights({"green": 3.0}))
    )
    assert sum(counts.values()) == slots
    assert abs(counts[1] - slots / 4) <= 1


def test_a_cluster_that_one_team_holds_comes_to_be_shared_by_weight() -> None:
    policy = POLICY.with_weights({"green": 3.0})
    running = deque(["red"] * 16)
    for _ in range(32):
        running.popleft()
        use = Counter(running)
        heads = [head(i, cpus(1), team=t, waiting=50) for i, t in enumerate(("red", "green"))]
        result = planned(
            heads,
            [node(offer=cpus(16), free=cpus(16 - len(running)))],
            in_use={team: cpus(count) for team, count in use.items()},
            policy=policy,
        )
        for grant in result.grants:
            running.extend([("red", "green")[grant.lane_id]] * grant.count)
    counts = Counter(running)
    assert len(running) == 16
    assert abs(counts["red"] - 4) <= 1


def test_a_job_that_does_not_fit_holds_up_no_smaller_one() -> None:
    heads = [head(1, cpus(4), waited=200), head(2, cpus(1))]
    result = planned(heads, [node(free=cpus(2, 16))])
    assert granted(result) == {2: 1}
    assert decision(result, 1).code is DecisionCode.NO_CPU


def test_a_node_is_kept_free_for_a_job_that_has_waited_too_long() -> None:
    heads = [head(1, cpus(4), waited=301), head(2, cpus(1))]
    result = planned(heads, [node(free=cpus(2, 16))])
    assert granted(result) == {}
    assert result.kept == {"a": 1}
    assert decision(result, 1).sentence == (
        "needs 4 CPUs; the freest node (a) has 2 of 4 free; a is kept free for it"
    )
    assert decision(result, 2).code is DecisionCode.RESERVED
    assert decision(result, 2).sentence == "would fit a, which is kept free for job 1"


def test_the_node_kept_is_the_one_that_lacks_least() -> None:
    nodes = [node("a", free=cpus(1, 16)), node("b", free=cpus(3, 16)), node("c", free=cpus(2, 16))]
    result = planned([head(1, cpus(4), waited=301), head(2, cpus(1), waiting=9)], nodes)
    assert granted(result) == {2: 3}
    assert result.kept == {"b": 1}


def test_no_node_is_kept_for_a_job_that_it_could_not_hold_empty() -> None:
    others = FreeNode("a", free=cpus(2), room=cpus(3.5), allocatable=cpus(4))
    result = planned([head(1, cpus(4), waited=9999), head(2, cpus(1))], [others])
    assert granted(result) == {2: 1}
    assert result.kept == {}
    result = planned([head(1, cpus(64), waited=9999), head(2, cpus(1))], [others])
    assert granted(result) == {2: 1}


def test_a_more_urgent_job_may_use_a_node_that_would_be_kept_for_another() -> None:
    heads = [head(1, cpus(4), waited=301), head(2, cpus(1), priority=30)]
    assert granted(planned(heads, [node(free=cpus(2, 16))])) == {2: 1}


def test_no_more_nodes_are_kept_than_jobs_may_be_launched() -> None:
    nodes = [node(name, free=cpus(1, 16)) for name in "abc"]
    heads = [head(lane, cpus(4), waited=301) for lane in range(3)]
    assert len(planned(heads, nodes, max_launches=2).kept) == 2
    assert len(planned(heads, nodes, max_launches=9).kept) == 3


@dataclass
class Machine:
    """A cluster over many passes: jobs are put where the plan leaves room, and end in time."""

    nodes: list[FreeNode]
    running: list[tuple[int, str, Resources]] = field(default_factory=list)

    def free(self) -> list[FreeNode]:
        found = []
        for each in self.nodes:
            held = total(request for _, name, request in self.running if name == each.name)
            found.append(each.less(held))
        return found

    def launch(self, request: Resources, until: int, kept: Sequence[str]) -> None:
        for each in self.free():
            if each.name not in kept and has_room(request, numbers(each.free), each.free.gpu_type):
                self.running.append((until, each.name, request))
                return
        raise AssertionError("granted, but there is no room for it")

    def end_those_due(self, minute: int) -> None:
        self.running = [each for each in self.running if each[0] > minute]


@pytest.mark.parametrize("seed", range(5))
def test_a_large_job_starts_in_time_although_small_ones_never_stop_coming(seed: int) -> None:
    """Small ones fill the machine first. They take 6 minutes at most: no longer is a node kept."""
    draw = random.Random(seed)
    machine = Machine([node("a"), node("b")])
    started_at = None
    policy = Policy(reserve_after_seconds=900)
    for minute in range(60):
        machine.end_those_due(minute)
        big = head(1, cpus(4), waited=60.0 * minute)
        small = head(2, cpus(1), waited=30, waiting=20)
        result = planned([big, small], machine.free(), policy=policy)
        for grant in result.grants:
            if grant.lane_id == 1:
                started_at = minute
                continue
            for _ in range(grant.count):
                machine.launch(cpus(1), minute + draw.randint(2, 6), list(result.kept))
        if started_at is not None:
            break
    assert started_at is not None
    assert started_at <= 15 + 1 + 6


def test_a_pass_launches_no_more_than_its_limit_and_says_so() -> None:
    result = planned([head(1, cpus(1), waiting=9)], [node()], max_launches=2)
    assert result.grants == (Grant(1, ("a", "a")),)
    assert decision(result, 1) == Decision(
        1,
        DecisionCode.LAUNCH_LIMIT,
        "fits; one pass launches at most 2 jobs, the next goes on",
        {"max_launches": 2},
    )


HALF_FULL = node("laptop", offer=cpus(2, 24), free=cpus(0.5, 2))
GPUS = node("gpu-1", offer=cpus(64, 256, 8, "a100"), free=cpus(64, 256, 1, "a100"))


@pytest.mark.parametrize(
    ("request_", "nodes", "code", "sentence"),
    [
        (
            cpus(2),
            [HALF_FULL],
            DecisionCode.NO_CPU,
            "needs 2 CPUs; the freest node (laptop) has 0.5 of 2 free",
        ),
        (
            cpus(0.5, 8),
            [HALF_FULL],
            DecisionCode.NO_MEMORY,
            "needs 8Gi of memory; the freest node (laptop) has 2Gi of 24Gi free",
        ),
        (
            cpus(1, 24),
            [HALF_FULL],
            DecisionCode.NO_MEMORY,
            "needs 1 CPU and 24Gi of memory; the freest node (laptop) has"
            " 0.5 of 2 CPUs and 2Gi of 24Gi of memory free",
        ),
        (
            cpus(1, 1, 2),
            [HALF_FULL, GPUS],
            DecisionCode.NO_GPU,
            "needs 2 GPUs; the freest node (gpu-1) has 1 of 8 free",
        ),
        (
            cpus(1, 1, 2, "a100"),
            [GPUS],
            DecisionCode.NO_GPU,
            "needs 2 a100 GPUs; the freest node (gpu-1) has 1 of 8 free",
        ),
        (
            cpus(1, 1, 1, "h100"),
            [HALF_FULL, GPUS],
            DecisionCode.NO_GPU_TYPE,
            "needs 1 h100 GPU; no ready node has GPUs of that type",
        ),
        (
            cpus(65),
            [HALF_FULL, GPUS],
            DecisionCode.IMPOSSIBLE,
            "needs 65 CPUs; the largest ready node (gpu-1) has 64",
        ),
        (cpus(1), [], DecisionCode.NO_NODES, "no node is ready to take jobs"),
    ],
)
def test_why_a_job_waits_is_said_with_the_numbers(
    request_: Resources, nodes: list[FreeNode], code: DecisionCode, sentence: str
) -> None:
    found = decision(planned([head(1, request_)], nodes), 1)
    assert (found.code, found.sentence) == (code, sentence)


def test_facts_are_the_numbers_behind_the_sentence() -> None:
    assert decision(planned([head(1, cpus(2))], [HALF_FULL]), 1).facts == {
        "node": "laptop",
        "cpu_millis_needed": 2000,
        "cpu_millis_free": 500,
        "cpu_millis_total": 2000,
    }


def test_the_freest_node_named_is_one_that_could_hold_the_job() -> None:
    small = node("small", offer=cpus(2, 64))
    large = node("large", offer=cpus(16, 64), free=cpus(1, 64))
    found = decision(planned([head(1, cpus(4))], [small, large]), 1)
    assert found.sentence == "needs 4 CPUs; the freest node (large) has 1 of 16 free"


def test_the_same_cluster_is_explained_in_the_same_words_by_the_next_pass() -> None:
    lane = head(1, cpus(1), waiting=5)
    first = planned([lane], [node(offer=cpus(4))])
    second = planned([lane], [node(offer=cpus(4), free=cpus(0))], in_use={"red": cpus(4)})
    assert granted(second) == {}
    assert decision(first, 1) == decision(second, 1)


def test_planning_takes_no_longer_for_a_deeper_queue_nor_long_for_many_lanes() -> None:
    """Measured at 10-30 ms; the bound leaves room for a busy machine."""
    draw = random.Random(7)
    shapes = [cpus(draw.randint(1, 8), draw.randint(1, 32)) for _ in range(32)]
    heads = [
        head(
            lane,
            draw.choice(shapes),
            team=f"team-{lane % 100}",
            priority=draw.choice((10, 20, 30)),
            waited=draw.randint(0, 20_000),
            waiting=10**9,
        )
        for lane in range(3200)
    ]
    nodes = [node(f"n{i}", offer=cpus(16, 64), free=cpus(4, 16)) for i in range(100)]
    begin = perf_counter()
    result = planned(heads, nodes)
    elapsed = perf_counter() - begin
    assert sum(granted(result).values()) == 50
    assert len(result.decisions) == 3200
    assert elapsed < 1


def test_the_queue_is_shown_by_priority_with_age_then_by_time_then_by_id() -> None:
    def row(job_id: int, priority: int, waited: float) -> WaitingRow:
        return WaitingRow(JobId(job_id), "red", priority, NOW - timedelta(seconds=waited))

    rows = [row(5, 20, 10), row(4, 20, 10), row(3, 20, 60), row(2, 10, 700), row(1, 30, 0)]
    shown = [each.job_id for each in queue_order(rows, POLICY, NOW)]
    assert shown == [1, 2, 3, 4, 5]
    assert queue_order(rows[::-1], POLICY, NOW) == queue_order(rows, POLICY, NOW)


# Quotas


@settings(max_examples=300, deadline=None)
@given(CASES)
def test_no_team_comes_to_hold_more_than_its_quota(case: Case) -> None:
    types = {each.name: each.allocatable.gpu_type for each in case.nodes}
    by_lane = {each.lane_id: each for each in case.heads}
    uses = dict(case.uses)
    for grant in case.plan().grants:
        lane = by_lane[grant.lane_id]
        for place in grant.nodes:
            before = uses.get(lane.team, TeamUse())
            uses[lane.team] = before.more(lane.resources, types[place])
    for team, after in uses.items():
        quota, before = case.policy.quota_of(team), case.uses.get(team, TeamUse())
        pairs = [
            (quota.cpu_millis, after.held.cpu_millis, before.held.cpu_millis),
            (quota.memory_bytes, after.held.memory_bytes, before.held.memory_bytes),
            (quota.gpus, after.held.gpus, before.held.gpus),
            (quota.running, after.running, before.running),
            *((limit, after.gpus_of.get(of, 0), 0) for of, limit in quota.gpu_types.items()),
        ]
        for limit, holds, held in pairs:
            assert limit is None or holds <= max(limit, held, before.gpus_of.get("a100", 0))


@pytest.mark.parametrize(
    ("quota", "use", "sentence"),
    [
        (
            Quota(cpu_millis=4000),
            TeamUse(held=cpus(3.5)),
            "team red may have 4 CPUs and has 3.5",
        ),
        (
            Quota(memory_bytes=64 * GI),
            TeamUse(held=cpus(1, 63)),
            "team red may have 64Gi of memory and has 63Gi",
        ),
        (Quota(gpus=2), TeamUse(held=cpus(1, 1, 2)), "team red may have 2 GPUs and has 2"),
        (
            Quota(gpu_types={"a100": 4}),
            TeamUse(gpus_of={"a100": 4}),
            "team red may have 4 a100 GPUs and has 4",
        ),
        (Quota(running=3), TeamUse(running=3), "team red may have 3 running jobs and has 3"),
        (
            Quota(gpu_hours=100),
            TeamUse(gpu_hours=100.04),
            "team red may have 100 GPU-hours a month and has 100.0",
        ),
    ],
)
def test_a_quota_that_is_used_up_is_told_with_its_numbers(
    quota: Quota, use: TeamUse, sentence: str
) -> None:
    policy = replace(POLICY, teams={"red": TeamPolicy(quota=quota)})
    heads = [head(1, cpus(1, 4, 1), waited=9999), head(2, cpus(1, 4, 1), team="green")]
    result = planned(heads, [GPUS], uses={"red": use}, policy=policy)

    assert granted(result) == {2: 1}
    assert result.kept == {}, "no node is kept for a job that its quota holds back"
    found = decision(result, 1)
    assert (found.code, found.sentence) == (DecisionCode.QUOTA, sentence)


def test_a_quota_on_one_type_of_gpu_leaves_the_others() -> None:
    policy = replace(POLICY, teams={"red": TeamPolicy(quota=Quota(gpu_types={"a100": 0}))})
    other = node("gpu-2", offer=cpus(8, 64, 1, "t4"))
    result = planned([head(1, cpus(1, 1, 1), waiting=2)], [GPUS, other], policy=policy)

    assert [grant.nodes for grant in result.grants] == [("gpu-2",)]


# Shares over time


def test_of_two_teams_that_hold_as_much_the_one_that_held_less_lately_goes_first() -> None:
    heads = [head(1, cpus(1), team="red", waited=100), head(2, cpus(1), team="green")]
    uses = {"red": TeamUse(average=averages(cpus(3))), "green": TeamUse(average=averages(cpus(1)))}
    assert granted(planned(heads, [node(free=cpus(1))], uses=uses)) == {2: 1}


def test_what_is_held_now_counts_beside_what_was_held() -> None:
    heads = [head(1, cpus(1), team="red", waiting=9), head(2, cpus(1), team="green", waiting=9)]
    uses = {"red": TeamUse(average=averages(cpus(2)))}
    assert granted(planned(heads, [node(offer=cpus(4))], uses=uses)) == {1: 1, 2: 3}


# Beside a job that a node is kept for


def tenant(job_id: int, held: Resources, *, minutes: float | None, **more: Any) -> Tenant:
    ends_by = None if minutes is None else NOW + timedelta(minutes=minutes)
    return Tenant(job_id, 1, held, ends_by=ends_by, **more)


def kept(*tenants: Tenant, free: Resources) -> FreeNode:
    whole = cpus(8, 64)
    return FreeNode("a", free, whole, whole, tenants=tenants)


def limited(lane_id: int, request: Resources, minutes: float | None, waiting: int = 1) -> LaneHead:
    limit = None if minutes is None else int(minutes * 60)
    return replace(head(lane_id, request, waiting=waiting), time_limit=limit)


def test_a_short_job_runs_on_a_kept_node_until_its_time_has_come() -> None:
    box = kept(tenant(7, cpus(6, 8), minutes=60), free=cpus(2, 56))
    big = head(1, cpus(8), waited=301)
    short, long, endless = (
        limited(2, cpus(1), 58),
        limited(3, cpus(1), 58.1),
        limited(4, cpus(1), None),
    )
    result = planned([big, short, long, endless], [box])

    assert granted(result) == {2: 1}
    assert result.kept == {"a": 1}
    assert decision(result, 3).code is DecisionCode.RESERVED


def test_a_job_that_fits_beside_the_one_a_node_is_kept_for_may_stay_there_for_ever() -> None:
    box = kept(tenant(7, cpus(6, 8), minutes=60), free=cpus(2, 56))
    result = planned([head(1, cpus(7), waited=301), limited(2, cpus(1), None, waiting=3)], [box])

    assert granted(result) == {2: 1}


def test_nothing_goes_onto_a_kept_node_while_nobody_knows_when_it_will_be_free() -> None:
    box = kept(tenant(7, cpus(6, 8), minutes=None), free=cpus(2, 56))
    result = planned([head(1, cpus(7), waited=301), limited(2, cpus(1), 1)], [box])

    assert granted(result) == {}


def test_only_the_first_of_a_lane_is_known_to_be_short() -> None:
    box = kept(tenant(7, cpus(4, 8), minutes=60), free=cpus(4, 56))
    result = planned([head(1, cpus(8), waited=301), limited(2, cpus(1), 5, waiting=3)], [box])

    assert granted(result) == {2: 1}


@settings(max_examples=600, deadline=None)
@given(CASES)
def test_whoever_is_let_onto_a_kept_node_does_not_delay_the_job_it_is_kept_for(case: Case) -> None:
    """Everybody uses up their time limit, and a launch takes two minutes."""
    big = replace(
        case.heads[0],
        team="big",
        priority=999,
        waiting=1,
        avoids=frozenset(),
        enqueued_at=LONG_AGO,
        owed=True,
    )
    case.heads[0] = big
    result = case.plan()
    [name] = [name for name, job_id in result.kept.items() if job_id == big.job_id] or [""]
    by_lane = {each.lane_id: each for each in case.heads}
    guests = [
        (by_lane[grant.lane_id], number)
        for grant in result.grants
        for number, place in enumerate(grant.nodes)
        if place == name
    ]
    if guests:
        [box] = [each for each in case.nodes if each.name == name]
        alone = first_fit(box, big.resources, [])
        assert alone is not None
        assert first_fit(box, big.resources, guests) == alone


def first_fit(
    box: FreeNode, request: Resources, guests: Sequence[tuple[LaneHead, int]]
) -> datetime | None:
    """When the request fits at the latest, if the guests are there as well."""
    changes = [(each.ends_by, numbers(each.held)) for each in box.tenants if each.ends_by]
    space = numbers(box.free)
    for guest, number in guests:
        space = [a - b for a, b in zip(space, numbers(guest.resources), strict=True)]
        if guest.time_limit is not None and number == 0:
            end = NOW + timedelta(seconds=guest.time_limit + 120)
            changes.append((end, numbers(guest.resources)))
    for at, freed in sorted(changes, key=lambda each: each[0]):
        space = [a + b for a, b in zip(space, freed, strict=True)]
        if has_room(request, space, box.allocatable.gpu_type):
            return at
    return None


# Asking others to leave

ASKS = replace(
    POLICY,
    preemption=Preemption(
        by=frozenset({"urgent"}), of=frozenset({"low", "normal"}), spare_seconds=60
    ),
)


def runs(job_id: int, held: Resources, *, priority: int = 10, minutes: float = 10) -> Tenant:
    """It has run for so many minutes."""
    started = NOW - timedelta(minutes=minutes)
    return Tenant(job_id, 1, held, priority=priority, started_at=started)


def asked(result: Plan) -> dict[str, list[int]]:
    return {each.node: [one.job_id for one in each.asked] for each in result.clearances}


def test_an_urgent_job_has_as_few_and_as_unimportant_jobs_leave_as_make_room() -> None:
    box = kept(runs(5, cpus(2)), runs(6, cpus(4)), runs(7, cpus(2), priority=20), free=cpus(0, 64))
    result = planned([head(1, cpus(4), priority=40), head(2, cpus(1))], [box], policy=ASKS)

    assert asked(result) == {"a": [6]}
    assert (granted(result), result.kept) == ({}, {"a": 1})
    assert decision(result, 1).sentence.endswith("a is kept free for it")


def test_the_node_where_the_least_urgent_are_asked_is_cleared() -> None:
    important = replace(kept(runs(5, cpus(8), priority=20), free=cpus(0, 64)), name="b")
    several = kept(runs(6, cpus(4)), runs(7, cpus(4)), free=cpus(0, 64))
    result = planned([head(1, cpus(8), priority=40)], [important, several], policy=ASKS)

    assert asked(result) == {"a": [7, 6]} or asked(result) == {"a": [6, 7]}


def test_nobody_is_asked_while_the_job_fits_somewhere() -> None:
    full = kept(runs(5, cpus(8)), free=cpus(0, 64))
    result = planned([head(1, cpus(4), priority=40)], [full, node("b")], policy=ASKS)

    assert (asked(result), granted(result)) == ({}, {1: 1})


@pytest.mark.parametrize(
    "spared",
    [
        runs(5, cpus(8), priority=30),  # not among those that may be asked
        runs(5, cpus(8), priority=40),  # as urgent
        runs(5, cpus(8), minutes=0.5),  # has only begun
        Tenant(5, 1, cpus(8), priority=10),  # nobody has seen it run
    ],
)
def test_whom_the_policy_spares_is_not_asked(spared: Tenant) -> None:
    result = planned([head(1, cpus(4), priority=40)], [kept(spared, free=cpus(0, 64))], policy=ASKS)
    assert (asked(result), result.kept) == ({}, {})


@pytest.mark.parametrize("priority", [10, 20, 30])
def test_only_the_classes_that_the_policy_names_may_ask(priority: int) -> None:
    full = kept(runs(5, cpus(8)), free=cpus(0, 64))
    assert asked(planned([head(1, cpus(4), priority=priority)], [full], policy=ASKS)) == {}
    assert asked(planned([head(1, cpus(4), priority=40)], [full])) == {}


def test_nobody_more_is_asked_while_enough_are_leaving() -> None:
    leaving = replace(runs(5, cpus(4)), leaves_for=1)
    full = kept(leaving, runs(6, cpus(4)), free=cpus(0, 64))
    result = planned([head(1, cpus(4), priority=40), head(2, cpus(1))], [full], policy=ASKS)

    assert asked(result) == {}
    assert result.kept == {"a": 1}


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False))
def test_nobody_is_asked_in_vain(draw: random.Random) -> None:
    """All who are asked make room together, and not one of them could have stayed."""
    boxes = []
    for index in range(draw.randint(1, 3)):
        sizes = [draw.randint(0, 4) for _ in range(draw.randint(0, 4))]
        tenants = tuple(
            runs(10 * index + number, cpus(size), priority=draw.choice((10, 20, 30)))
            for number, size in enumerate(sizes)
        )
        free, whole = cpus(draw.randint(0, 3), 64), cpus(sum(sizes) + 3, 64)
        boxes.append(FreeNode(f"n{index}", free, whole, whole, tenants=tenants))
    wanted = draw.randint(1, 12)
    result = planned([head(99, cpus(wanted), priority=40)], boxes, policy=ASKS)

    for each in result.clearances:
        [box] = [one for one in boxes if one.name == each.node]
        assert all(one.priority < 30 for one in each.asked)
        freed = [one.held.cpu_millis for one in each.asked]
        assert box.free.cpu_millis + sum(freed) >= wanted * 1000
        assert all(box.free.cpu_millis + sum(freed) - one < wanted * 1000 for one in freed if one)
    could = any(
        box.free.cpu_millis + sum(one.held.cpu_millis for one in box.tenants if one.priority < 30)
        >= wanted * 1000
        for box in boxes
    )
    assert could is bool(result.clearances or result.grants)


def test_a_job_keeps_away_from_a_node_on_which_it_failed() -> None:
    burnt = replace(head(1, cpus(4), waiting=1), avoids=frozenset({"a"}))
    assert [grant.nodes for grant in planned([burnt], [node("a"), node("b")]).grants] == [("b",)]
    full = replace(node("b"), free=cpus(1))
    found = decision(planned([burnt], [node("a"), full]), 1)
    assert found.code is DecisionCode.AVOIDED
    assert "would fit a, which it keeps away from" in found.sentence


def test_a_job_that_no_other_node_could_hold_goes_back_to_the_one_on_which_it_failed() -> None:
    burnt = replace(head(1, cpus(4), waiting=1), avoids=frozenset({"a"}))
    for others in ([], [node("b", cpus(3))]):
        assert [grant.nodes for grant in planned([burnt], [node("a"), *others]).grants] == [("a",)]
