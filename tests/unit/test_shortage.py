"""What is full and what would help, against trying every single change by the book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.capacity import FreeNode, Node, Resources, subtract
from sentinels.core.job import JobId
from sentinels.core.planning import LaneHead
from sentinels.core.policy import Policy
from sentinels.core.quota import TeamUse
from sentinels.core.shortage import Shortage, advise, idle_nodes, shortages
from sentinels.core.shortage_words import (
    full_facts,
    full_line,
    full_over_text,
    full_text,
    idle_line,
    idle_text,
)
from sentinels.core.simulating import MOST_LAUNCHES, Scene, Simulation, Tenant
from sentinels.core.workload import WorkloadRef
from tests.unit.planning_reference import simulate

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
GI = 2**30
HOUR = 3600.0


def size(cpus: int, gib: int = 1, gpus: int = 0, gpu_type: str | None = None) -> Resources:
    return Resources(cpus * 1000, gib * GI, gpus, gpu_type)


def lane(
    number: int, asked: Resources, waiting: int = 1, *, ago: float = 60, team: str = "vision"
) -> LaneHead:
    since = NOW - timedelta(seconds=ago)
    return LaneHead(number, team, 20, asked, JobId(1000 + number), since, waiting)


def tenant(
    number: int,
    held: Resources,
    node: str | None,
    *,
    ago: float = 5 * HOUR,
    limit: float | None = None,
    usual: float | None = None,
) -> Tenant:
    ref = WorkloadRef(JobId(number), 1)
    since = NOW - timedelta(seconds=ago)
    return Tenant(ref, "bert", "user1", "nlp", held, node, since, limit, usual)


def scene(
    heads: Sequence[LaneHead], nodes: Sequence[Node], tenants: Sequence[Tenant] = ()
) -> Scene:
    return Scene(heads, nodes, tenants, Policy(), NOW)


def only(found: Sequence[Shortage]) -> Shortage:
    [shortage] = found
    return shortage


A100 = size(32, 256, 4, "a100")


def gpu_story() -> Scene:
    """Two nodes of four GPUs that are full, and two teams that wait for them."""
    return scene(
        [
            lane(1, size(8, 32, 4, "a100"), 3, ago=7800),
            lane(2, size(1, 4, 1, "a100"), 4, ago=600, team="nlp"),
            lane(3, size(1, 1), 2),
        ],
        [Node("gpu-1", A100), Node("gpu-2", A100)],
        [
            tenant(11, size(8, 32, 4, "a100"), "gpu-1", limit=5.5 * HOUR),
            tenant(12, size(8, 32, 4, "a100"), "gpu-2"),
        ],
    )


def test_it_says_what_is_full_and_how_many_wait_for_how_much() -> None:
    simulation = Simulation(gpu_story())
    shortage = only(shortages(simulation))
    assert (shortage.what, shortage.jobs, shortage.oldest.job_id) == ("gpu:a100", 7, 1001)
    assert full_line(shortage, NOW) == (
        "a100 GPUs are full: 7 jobs wait for 16 GPUs, the oldest for 2h10m"
    )


def test_the_message_names_the_next_start_and_the_changes_that_would_help() -> None:
    simulation = Simulation(gpu_story())
    shortage = only(shortages(simulation))
    advice = advise(simulation, shortage, {WorkloadRef(JobId(12), 1): 2.0})
    since = NOW - timedelta(minutes=20)
    assert full_text(shortage, advice, since=since, now=NOW).splitlines() == [
        "■ a100 GPUs are full: 7 jobs wait for 16 GPUs, the oldest for 2h10m",
        "It has been so for 20m; the oldest is job 1001 (team vision).",
        "The next start is expected in 30m (12:30 UTC), when job 11 bert (user1) ends.",
        "One more node like gpu-1 (4 a100 GPUs, 256Gi of memory, 32 CPUs) would start 1 job now.",
        "Ending job 12 bert (user1), whose GPUs idle (2 %, it runs for 5h), would start 1 job:"
        " sentinels cancel 12",
        "See: sentinels queue · sentinels nodes",
    ]
    facts = full_facts(shortage, advice)
    assert facts["idle_job"] == 12
    assert facts["next_start_at"] == "2026-11-23T12:30:00+00:00"


def test_a_line_that_everybody_may_read_names_no_job() -> None:
    shortage = only(shortages(Simulation(gpu_story())))
    said = full_line(shortage, NOW) + full_over_text("gpu:a100", since=NOW, now=NOW)
    assert "100" not in said.replace("a100", "")


CASES = [
    ("cpu", [lane(1, size(4))], [Node("box", size(4, 8))], [tenant(1, size(2), "box")]),
    ("memory", [lane(1, size(1, 6))], [Node("box", size(4, 8))], [tenant(1, size(1, 4), "box")]),
    ("gpu", [lane(1, size(1, 1, 1))], [Node("g", size(4, 8, 1))], [tenant(1, size(1, 1, 1), "g")]),
    ("gpu:h100", [lane(1, size(1, 1, 1, "h100"))], [Node("g", A100)], []),
    ("slots", [lane(1, size(1))], [Node("box", size(4, 8), slots=0)], []),
    ("size", [lane(1, size(9))], [Node("box", size(4, 8))], []),
    ("nodes", [lane(1, size(1))], [Node("box", size(4, 8), ready=False)], []),
]


@pytest.mark.parametrize("what", [case[0] for case in CASES])
def test_everything_that_was_full_has_a_sentence_for_its_end(what: str) -> None:
    said = full_over_text(what, since=NOW - timedelta(hours=3), now=NOW)
    assert said.startswith("✔ ")
    assert said.endswith(", after 3h: nothing waits for that now")


@pytest.mark.parametrize(("what", "heads", "nodes", "tenants"), CASES)
def test_everything_that_can_be_full_has_a_name_and_a_sentence(
    what: str, heads: list[LaneHead], nodes: list[Node], tenants: list[Tenant]
) -> None:
    simulation = Simulation(scene(heads, nodes, tenants))
    shortage = only(shortages(simulation))
    assert shortage.what == what
    assert ": 1 job waits" in full_line(shortage, NOW)
    text = full_text(shortage, advise(simulation, shortage, {}), since=NOW, now=NOW)
    assert "would start 1 job now" in text


def test_a_job_that_no_node_could_hold_is_offered_one_that_just_could() -> None:
    simulation = Simulation(scene([lane(1, size(9, 3))], [Node("box", size(4, 8))]))
    advice = advise(simulation, only(shortages(simulation)), {})
    assert advice.node is not None
    assert (advice.node.like, advice.node.starts) == (None, 1)
    assert advice.node.node is not None
    assert advice.node.node.allocatable == size(9, 3)


def test_what_waits_behind_a_kept_node_waits_for_the_same() -> None:
    heads = [lane(1, size(4), ago=2000), lane(2, size(1))]
    found = shortages(Simulation(scene(heads, [Node("box", size(4, 8))], [
        tenant(1, size(2), "box")
    ])))  # fmt: skip
    assert (only(found).what, only(found).jobs) == ("cpu", 2)


def test_what_the_next_pass_will_start_is_not_stuck() -> None:
    heads = [lane(1, size(1), 3)]
    assert shortages(Simulation(scene(heads, [Node("box", size(4, 8))]))) == []
    assert shortages(Simulation(scene([], []))) == []


ENDS = [
    (None, None, None),
    (7 * HOUR, None, 2 * HOUR),
    (None, 6 * HOUR, HOUR),
    (7 * HOUR, 6 * HOUR, HOUR),
    (7 * HOUR, 4 * HOUR, 2 * HOUR),
    (None, 4 * HOUR, None),
    (4 * HOUR, 9 * HOUR, 4 * HOUR),
]


@pytest.mark.parametrize(("limit", "usual", "left"), ENDS)
def test_an_end_is_expected_as_before_and_at_the_time_limit_at_the_latest(
    limit: float | None, usual: float | None, left: float | None
) -> None:
    end = tenant(1, size(1), "box", ago=5 * HOUR, limit=limit, usual=usual).expected_end(NOW)
    if left == 4 * HOUR:  # its limit is over: whatever it still does, it was to take nine hours
        assert end == NOW + timedelta(hours=4)
    else:
        assert end == (None if left is None else NOW + timedelta(seconds=left))


def test_the_next_start_may_need_several_ends() -> None:
    tenants = [
        tenant(1, size(1), "box", limit=6 * HOUR),
        tenant(2, size(1), "box", limit=7 * HOUR),
        tenant(3, size(2), "box"),
    ]
    simulation = Simulation(scene([lane(1, size(2))], [Node("box", size(4, 8))], tenants))
    advice = advise(simulation, only(shortages(simulation)), {})
    assert advice.next_end is not None
    assert (advice.next_end[0].ref.job_id, advice.next_end[1]) == (2, NOW + timedelta(hours=2))


def test_idle_is_who_holds_gpus_and_has_not_used_them_for_half_an_hour() -> None:
    story = gpu_story()
    simulation = Simulation(story)
    shortage = only(shortages(simulation))
    held = WorkloadRef(JobId(11), 1)
    assert advise(simulation, shortage, {held: 5.0}).end is None
    found = advise(simulation, shortage, {held: 4.9}).end
    assert found is not None
    assert found.tenant is not None
    assert found.tenant.ref == held
    young = [replace(each, started_at=NOW - timedelta(minutes=29)) for each in story.tenants]
    fresh = Simulation(replace(story, tenants=young))
    assert advise(fresh, shortage, {held: 0.0}).end is None


NODES = [Node("a", size(4, 8)), Node("b", size(8, 16)), Node("c", size(4, 8), ready=False)]
IDLE = [
    ([], [], ["b"]),
    ([], [tenant(1, size(1), "a")], ["b"]),
    ([], [tenant(1, size(1), "b")], ["a"]),
    ([], [tenant(1, size(1), "a"), tenant(2, size(1), "b")], []),
    ([], [tenant(1, size(1), None)], []),
    ([lane(1, size(1))], [tenant(1, size(1), "a")], []),
]


@pytest.mark.parametrize(("heads", "tenants", "idle"), IDLE)
def test_a_node_idles_if_nothing_is_on_it_and_nothing_waits_and_it_is_not_the_last(
    heads: list[LaneHead], tenants: list[Tenant], idle: list[str]
) -> None:
    assert idle_nodes(scene(heads, NODES, tenants)) == idle


def test_one_node_alone_is_never_called_safe_to_remove() -> None:
    assert idle_nodes(scene([], NODES[:1])) == []
    assert idle_nodes(scene([], [])) == []


def test_an_idle_node_is_told_with_what_to_do() -> None:
    assert idle_text("gpu-7", since=NOW - timedelta(hours=6), now=NOW) == (
        "○ node gpu-7 has had nothing to do for 6h, and nothing waits: "
        "safe to remove (sentinels nodes retire gpu-7)"
    )
    assert idle_line("gpu-7") == "node gpu-7 has nothing to do, and nothing waits"


_AMOUNTS = st.builds(size, st.integers(0, 4), st.integers(1, 4), st.integers(0, 2))
_SIZES = st.builds(size, st.integers(1, 8), st.integers(1, 8), st.integers(0, 3))


@st.composite
def small_clusters(draw: st.DrawFn) -> tuple[Scene, dict[WorkloadRef, float]]:
    nodes = [Node(f"n{i}", draw(_SIZES)) for i in range(draw(st.integers(0, 3)))]
    tenants: list[Tenant] = []
    for number in range(draw(st.integers(0, 5)) if nodes else 0):
        held, node = draw(_AMOUNTS), draw(st.sampled_from(nodes))
        left = free_of(node, tenants)
        if all(
            mine <= there
            for mine, there in zip(
                (held.cpu_millis, held.memory_bytes, held.gpus),
                (left.cpu_millis, left.memory_bytes, left.gpus),
                strict=True,
            )
        ):
            tenants.append(tenant(number + 1, held, node.name))
    heads = [
        lane(
            number,
            draw(_AMOUNTS),
            draw(st.integers(1, 3)),
            ago=draw(st.integers(0, 2000)),
            team=draw(st.sampled_from(["vision", "nlp"])),
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    percent = {
        each.ref: draw(st.sampled_from([0.0, 4.9, 5.0, 80.0]))
        for each in tenants
        if draw(st.booleans())
    }
    return scene(heads, nodes, tenants), percent


def free_of(node: Node, tenants: Sequence[Tenant]) -> Resources:
    free = node.allocatable
    for each in tenants:
        if each.node == node.name:
            free = subtract(free, each.resources)
    return free


def starts(found: Scene, *, more: Sequence[FreeNode] = (), without: Tenant | None = None) -> int:
    """How many jobs start by the book, with this one change."""
    left = [each for each in found.tenants if each is not without]
    nodes = [
        FreeNode(node.name, free_of(node, left), node.allocatable, node.allocatable)
        for node in found.nodes
    ]
    uses: dict[str, TeamUse] = {}
    for each in found.tenants:
        use = uses.get(each.team, TeamUse())
        held = Resources(
            use.held.cpu_millis + each.resources.cpu_millis,
            use.held.memory_bytes + each.resources.memory_bytes,
            use.held.gpus + each.resources.gpus,
        )
        uses[each.team] = TeamUse(held, use.running + 1)
    outcome = simulate(found.heads, [*nodes, *more], uses, found.policy, found.now, MOST_LAUNCHES)
    return sum(map(len, outcome.granted.values()))


@given(small_clusters())
def test_everything_that_does_not_start_is_counted_once(
    given_: tuple[Scene, dict[WorkloadRef, float]],
) -> None:
    found, _ = given_
    stuck = sum(each.jobs for each in shortages(Simulation(found)))
    assert stuck == sum(head.waiting for head in found.heads) - starts(found)


@given(small_clusters())
def test_no_single_change_is_better_than_the_one_that_is_advised(
    given_: tuple[Scene, dict[WorkloadRef, float]],
) -> None:
    found, percent = given_
    simulation = Simulation(found)
    for shortage in shortages(simulation):
        advice, now = advise(simulation, shortage, percent), starts(found)
        request, sizes = shortage.oldest.resources, {node.allocatable for node in found.nodes}
        if not any(_holds(each, request) for each in sizes):
            sizes.add(request)
        by_node = [starts(found, more=[FreeNode("new", one, one, one)]) - now for one in sizes]
        by_end = [
            starts(found, without=each) - now
            for each in found.tenants
            if each.resources.gpus and percent.get(each.ref, 100) < 5
        ]
        assert (advice.node.starts if advice.node else 0) == max(0, *by_node)
        assert (advice.end.starts if advice.end else 0) == max([0, *by_end])


def _holds(there: Resources, asked: Resources) -> bool:
    return (
        there.cpu_millis >= asked.cpu_millis
        and there.memory_bytes >= asked.memory_bytes
        and there.gpus >= asked.gpus
    )
