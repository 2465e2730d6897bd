"""Why a job waits: what is said is so, and what is offered starts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sentinels.core.answer_words import way_command, way_config, why_facts, why_sentence
from sentinels.core.answering import Change, Why, why
from sentinels.core.capacity import CPU, GPU, Node, Resources
from sentinels.core.explaining import DecisionCode
from sentinels.core.job import JobId
from sentinels.core.planning import LaneHead, plan
from sentinels.core.policy import Policy, TeamPolicy
from sentinels.core.quota import Quota
from sentinels.core.scene import History, Occupant, Scene, Waiting
from sentinels.core.workload import WorkloadRef

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
GI = 2**30
CLASSES = (10, 20, 30, 40)


def size(cpus: int, gib: int = 1, gpus: int = 0, gpu_type: str | None = None) -> Resources:
    return Resources(cpus * 1000, gib * GI, gpus, gpu_type)


def occupant(
    job: int,
    team: str,
    held: Resources,
    node: str | None,
    *,
    ends: float | None = None,
    user: str = "bob",
) -> Occupant:
    history = None if ends is None else History(ends, ends, ends)
    ref = WorkloadRef(JobId(job), 1)
    return Occupant(ref, team, held, 20, node, NOW, None, name="bert", user=user, history=history)


def queue_of(*jobs: tuple[int, str, int, Resources, float]) -> tuple[list[LaneHead], list[Waiting]]:
    """Lanes and their jobs, of ``(id, team, priority, resources, seconds waited)``."""
    lines: dict[tuple[str, int, Resources], list[Waiting]] = {}
    for job, team, priority, resources, waited in jobs:
        line = lines.setdefault((team, priority, resources), [])
        lane_id = [*lines].index((team, priority, resources)) + 1
        line.append(Waiting(JobId(job), lane_id, NOW - timedelta(seconds=waited), user="ann"))
    lanes = [
        LaneHead(line[0].lane_id, *key, line[0].job_id, line[0].enqueued_at, len(line))
        for key, line in lines.items()
    ]
    return lanes, [job for line in lines.values() for job in line]


def scene(
    jobs: Sequence[tuple[int, str, int, Resources, float]],
    nodes: Sequence[Node],
    occupants: Sequence[Occupant] = (),
    policy: Policy | None = None,
) -> Scene:
    lanes, waiting = queue_of(*jobs)
    return Scene(NOW, lanes, nodes, occupants, policy or Policy(), waiting)


def told(found: Scene, job: int) -> str:
    answer = why(found, job, classes=CLASSES)
    assert answer is not None
    return why_sentence(answer, found.policy, NOW)


A100, T4 = size(32, 256, 4, "a100"), size(16, 64, 2, "t4")


def test_who_holds_what_and_what_is_kept_and_every_way_out_are_told() -> None:
    found = scene(
        [
            (1839, "nlp", 20, size(8, 32, 4, "a100"), 2000),
            (1840, "vision", 20, size(8, 32, 2, "a100"), 60),
        ],
        [Node("g1", A100), Node("g2", A100), Node("t1", T4)],
        [
            occupant(1811, "nlp", size(8, 32, 4, "a100"), "g1", ends=3700),
            occupant(1812, "nlp", size(8, 32, 2, "a100"), "g2", ends=2 * 3600),
            occupant(1813, "speech", size(2, 8, 1, "a100"), "g2"),
        ],
    )
    assert told(found, 1840) == (
        "Waiting for 2 a100 GPUs. 8 exist:"
        " team nlp holds 6 (2 jobs, job 1811 ends in about 1h1m);"
        " team speech holds 1 (job 1813; when they end is not known);"
        " 1 on g2 kept for job 1839."
        " It would start now with 1 a100 GPU or on t4."
    )


def test_what_waits_behind_its_like_says_so() -> None:
    found = scene(
        [
            (1, "vision", 20, size(4), 60),
            (2, "vision", 20, size(4), 50),
            (3, "nlp", 20, size(4), 40),
        ],
        [Node("box", size(4, 8))],
        [occupant(9, "nlp", size(2), "box")],
    )
    assert told(found, 1).startswith("Waiting for 4 CPUs. 4 exist: team nlp holds 2")
    assert told(found, 2).startswith(
        "1 job of team vision that asks for the same waits before it. Waiting for 4 CPUs."
    )


def test_where_no_node_has_enough_of_everything_the_closest_are_told() -> None:
    found = scene(
        [(1, "vision", 20, size(2, 12, 2), 60)],
        [Node("g1", size(8, 32, 4)), Node("g2", size(8, 32, 4))],
        [
            occupant(7, "nlp", size(1, 30, 1), "g1", ends=600),
            occupant(8, "nlp", size(1, 1, 3), "g2"),
        ],
    )
    assert told(found, 1) == (
        "Waiting for 2 GPUs and 12Gi of memory on one node;"
        " free are 1 GPU and 31Gi of memory on g2; 3 GPUs and 2Gi of memory on g1."
        " 8 GPUs exist: team nlp holds 4 (2 jobs, job 7 ends in about 10m);"
        " 4 free, at most 3 on one node. It would start now with 1 GPU."
    )


def test_a_quota_names_the_teams_jobs_and_the_first_to_end() -> None:
    policy = Policy(teams={"vision": TeamPolicy(quota=Quota(gpus=4))})
    found = scene(
        [(1, "vision", 20, size(1, 1, 2), 60)],
        [Node("g1", A100), Node("g2", A100)],
        [
            occupant(7, "vision", size(1, 1, 2), "g1", ends=600),
            occupant(8, "vision", size(1, 1, 1), "g1", user="ann"),
        ],
        policy,
    )
    assert told(found, 1) == (
        "Team vision may have 4 GPUs and has 3: ann's job 8, bob's job 7;"
        " the first to end is job 7, in about 10m. It would start now with 1 GPU."
    )


def test_what_no_ready_node_could_hold_is_told_which_unready_one_could() -> None:
    found = scene(
        [(1, "v", 20, size(9), 60)], [Node("a", size(4, 8)), Node("b", size(16, 8), ready=False)]
    )
    assert told(found, 1) == (
        "It needs 9 CPUs; the largest ready node (a) has 4."
        " b could hold it, but not now: sentinels nodes. It would start now with 4 CPUs."
    )
    found = scene([(1, "v", 20, size(1), 60)], [Node("a", size(4, 8), ready=False)])
    assert told(found, 1) == (
        "No node is ready to take jobs. a could hold it, but not now: sentinels nodes."
        " No single change would start it now."
    )


def test_a_kept_node_is_told_with_whom_it_is_kept_for_and_that_a_time_limit_would_do() -> None:
    ends = replace(occupant(9, "nlp", size(2), "box"), time_limit=7200)
    found = scene(
        [(1, "vision", 20, size(4), 2000), (2, "vision", 20, size(1), 60)],
        [Node("box", size(4, 8))],
        [ends],
    )
    assert told(found, 2) == (
        "It would fit box, which is kept free for job 1."
        " It would start now with a time limit of 1h or at priority high."
    )


def test_a_higher_class_is_offered_where_it_would_go_first() -> None:
    found = scene(
        [(1, "nlp", 20, size(4), 60), (2, "vision", 10, size(4), 50)], [Node("box", size(4, 8))]
    )
    assert told(found, 1) == "It fits: the next pass starts it."
    answer = why(found, 2, classes=CLASSES)
    assert answer is not None
    assert Change(priority=30) in answer.ways
    assert way_command(2, way_config(Change(priority=30), answer, found.policy)) == (
        "sentinels bump 2 high"
    )
    assert not any(way.priority for way in _ways(found, 2, classes=()))


def test_what_is_offered_is_what_to_type() -> None:
    found = scene([(5, "v", 20, size(4, 4, 1, "a100"), 60)], [Node("t1", T4)])
    answer = why(found, 5, classes=CLASSES)
    assert answer is not None
    [way] = answer.ways
    config = way_config(way, answer, found.policy)
    assert config == {"resources": {"gpu_type": "t4"}}
    assert way_command(5, config) == "sentinels cancel 5 && sentinels rerun 5 --gpu-type t4"
    assert why_facts(answer)["code"] == "no_gpu_type"


def test_a_job_that_the_scene_does_not_have_has_no_answer() -> None:
    assert why(scene([], [Node("box", size(4))]), 1) is None


def _ways(found: Scene, job: int, *, classes: Sequence[int] = CLASSES) -> tuple[Change, ...]:
    answer = why(found, job, classes=classes)
    assert answer is not None
    return answer.ways


TEAMS = ("red", "blue", "green")
_TYPES = st.sampled_from([None, "a100", "t4"])
_ASKED = st.builds(size, st.integers(0, 6), st.integers(1, 6), st.integers(0, 3), _TYPES)
_NODES = st.builds(size, st.integers(1, 8), st.integers(1, 8), st.integers(0, 4), _TYPES)
_BOUND = st.one_of(st.none(), st.integers(1, 6))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    nodes = [
        Node(f"n{number}", draw(_NODES), ready=draw(st.integers(0, 5)) > 0)
        for number in range(draw(st.integers(0, 4)))
    ]
    occupants: list[Occupant] = []
    for number in range(draw(st.integers(0, 6)) if nodes else 0):
        node, held = draw(st.sampled_from(nodes)), draw(_ASKED)
        there = [each.held for each in occupants if each.node == node.name]
        if all(
            sum(amounts) <= whole
            for *amounts, whole in zip(
                *((e.cpu_millis, e.memory_bytes, e.gpus) for e in [*there, held, node.allocatable]),
                strict=True,
            )
        ):
            ends = draw(st.one_of(st.none(), st.integers(10, 9000)))
            where = node.name if draw(st.integers(0, 4)) else None
            team = draw(st.sampled_from(TEAMS))
            one = occupant(500 + number, team, held, where, ends=ends)
            limit = draw(st.one_of(st.none(), st.integers(1800, 20000)))
            occupants.append(replace(one, time_limit=limit))
    jobs = [
        (
            number + 1,
            draw(st.sampled_from(TEAMS)),
            draw(st.sampled_from([10, 20, 30])),
            draw(_ASKED),
            float(draw(st.integers(0, 4000))),
        )
        for number in range(draw(st.integers(1, 8)))
    ]
    quota = Quota(cpu_millis=1000 * (draw(_BOUND) or 100), gpus=draw(_BOUND), running=draw(_BOUND))
    return scene(jobs, nodes, occupants, Policy(teams={"red": TeamPolicy(quota=quota)}))


def as_changed(found: Scene, job: int, change: Change, answer: Why) -> tuple[Scene, int]:
    """The job is cancelled and pushed anew as it is offered: written without the code's help."""
    rows = []
    for each in found.waiting:
        lane = next(lane for lane in found.lanes if lane.lane_id == each.lane_id)
        waited = (NOW - each.enqueued_at).total_seconds()
        if each.job_id != job:
            rows.append((each.job_id, lane.team, lane.priority, lane.resources, waited))
    anew = 10**6
    rows.append((
        anew,
        answer.lane.team,
        change.priority or answer.lane.priority,
        change.resources or answer.lane.resources,
        0.0,
    ))  # fmt: skip
    lanes, waiting = queue_of(*rows)
    waiting = [
        replace(each, time_limit=change.time_limit) if each.job_id == anew else each
        for each in waiting
    ]
    lanes = [
        replace(lane, time_limit=change.time_limit) if lane.job_id == anew else lane
        for lane in lanes
    ]
    return replace(found, lanes=lanes, waiting=waiting), anew


def started(found: Scene, *, max_launches: int = 50) -> set[int]:
    """What the next pass starts."""
    planned = plan(
        heads=found.lanes,
        nodes=found.free(),
        uses=found.uses(),
        policy=found.policy,
        now=found.now,
        max_launches=max_launches,
    )
    lines = {
        lane.lane_id: [each.job_id for each in found.waiting if each.lane_id == lane.lane_id]
        for lane in found.lanes
    }
    return {job for grant in planned.grants for job in lines[grant.lane_id][: grant.count]}


@settings(max_examples=400, deadline=None)
@given(scenes())
def test_every_way_out_starts_the_job_and_no_other_answer_is_given_to_one_that_starts(
    found: Scene,
) -> None:
    now = started(found)
    for job in found.waiting:
        answer = why(found, job.job_id, classes=CLASSES)
        assert answer is not None
        assert (answer.decision is None) == (job.job_id in now)
        for way in answer.ways:
            changed, anew = as_changed(found, job.job_id, way, answer)
            assert anew in started(changed)


@settings(max_examples=400, deadline=None)
@given(scenes())
def test_all_that_there_is_is_accounted_for_and_held_by_those_who_hold_it(found: Scene) -> None:
    ready = {node.name: node for node in found.nodes if node.ready}
    for job in found.waiting:
        answer = why(found, job.job_id)
        assert answer is not None
        assert why_sentence(answer, found.policy, NOW)
        crowd = answer.crowd
        if crowd is None:
            continue
        held = sum(each.amount for each in crowd.holdings)
        kept = sum(each.amount for each in crowd.kept)
        whole = held + crowd.others + crowd.starting + kept + crowd.free
        seen = [each for each in found.occupants if each.node is not None]
        if len(seen) == len(found.occupants):  # what is on no node yet may hold back more
            assert whole == crowd.total
        for holding in crowd.holdings:
            mine = [e for e in found.occupants if e.team == holding.team and e in holding.jobs]
            assert holding.amount == sum(crowd.kind.amount(each.held) for each in mine)
            assert all(each.node in ready or each.node is None for each in mine)
        assert crowd.most <= crowd.free
        if not crowd.together:  # no node that is not kept for others has enough of it
            assert crowd.most < crowd.kind.amount(answer.lane.resources)


@settings(max_examples=300, deadline=None)
@given(scenes())
def test_what_is_said_of_a_quota_is_what_the_team_holds(found: Scene) -> None:
    for job in found.waiting:
        answer = why(found, job.job_id)
        assert answer is not None
        if answer.holding is None:
            continue
        assert answer.decision is not None
        assert answer.decision.code is DecisionCode.QUOTA
        assert answer.holding.team == answer.lane.team
        kind = {"GPUs": GPU, "CPUs": CPU}.get(str(answer.decision.facts["quota"]))
        mine = [
            each
            for each in found.occupants
            if each.team == answer.lane.team and (kind is None or kind.amount(each.held))
        ]
        assert sorted(answer.holding.jobs, key=lambda each: each.ref.job_id) == mine
        held = len(mine) if kind is None else sum(kind.amount(each.held) for each in mine)
        assert answer.holding.amount == held
