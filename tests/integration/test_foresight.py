"""The scene out of PostgreSQL: the queue as a pass sees it, and how long such jobs took."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sentinels.clock import utc_now
from sentinels.core.capacity import Node, Resources
from sentinels.core.foreseeing import foresee
from sentinels.core.observation import Finished
from sentinels.core.planning import plan
from sentinels.core.policy import TeamPolicy
from sentinels.core.queueing import NodeWish
from sentinels.core.quota import Quota
from sentinels.core.scene import History, Scene
from sentinels.db.foresight import PostgresForesight
from sentinels.db.intake import PostgresIntake
from tests.support.desk import Desk, ref
from tests.support.scripted import GIB

BOX = Resources(4000, 8 * GIB)
WHOLE = {"cpu": 4, "memory": "1Gi"}


@pytest.fixture
def boxed(desk: Desk) -> Desk:
    desk.cluster.nodes = [Node("box", BOX)]
    return desk


def scene(desk: Desk, *, most: int = 5000) -> Scene:
    return PostgresForesight(desk.engine, lambda: desk.policy).scene(now=utc_now(), most=most)


def run_to_its_end(desk: Desk, seconds: float, **config: object) -> None:
    job_id = desk.job(**config)
    desk.tick()
    now = utc_now()
    desk.cluster.seen[ref(job_id)] = Finished("uid", None, 0, now - timedelta(seconds=seconds), now)
    desk.tick()


def test_what_is_foreseen_for_now_is_what_the_next_pass_does(boxed: Desk) -> None:
    boxed.tick()
    for cpus, memory in ((3, 1), (2, 1), (1, 4), (1, 5), (1, 1)):
        boxed.job(resources={"cpu": cpus, "memory": f"{memory}Gi"}, time_limit="1h")
    found = scene(boxed)
    now = {job for job, start in foresee(found).items() if start.at == found.now}
    boxed.tick()
    assert now == {launch.ref.job_id for launch in boxed.cluster.launches} != set()


def test_the_whole_queue_is_there_and_no_more_of_it_than_is_asked_for(boxed: Desk) -> None:
    boxed.tick()
    jobs = [boxed.job(resources=WHOLE, priority=name) for name in ("low", "high", "low")]
    found = scene(boxed)
    assert [each.job_id for each in found.waiting] == [jobs[1], jobs[0], jobs[2]]
    assert {lane.priority: lane.waiting for lane in found.lanes} == {10: 2, 30: 1}
    assert [each.job_id for each in scene(boxed, most=2).waiting] == [jobs[1], jobs[0]]


def test_jobs_are_expected_to_take_as_long_as_those_of_their_name_did(boxed: Desk) -> None:
    boxed.tick()
    for seconds in (100, 200, 300, 400, 500):
        run_to_its_end(boxed, seconds, name="bert", resources=WHOLE)
    running = boxed.job(name="bert", resources=WHOLE)
    boxed.tick()
    boxed.job(name="bert", resources=WHOLE, time_limit="7m")
    boxed.job(name="other", resources=WHOLE)

    found = scene(boxed)
    bert = History(140, 300, 460)
    assert [(each.ref.job_id, each.history) for each in found.occupants] == [(running, bert)]
    assert {(each.time_limit, each.history) for each in found.waiting} == {
        (420, bert),
        (None, None),
    }


def test_what_a_team_may_not_have_is_not_foreseen_and_a_retired_node_takes_nothing(
    boxed: Desk,
) -> None:
    boxed.tick()
    boxed.job(resources=WHOLE)
    teams = {"default": TeamPolicy(quota=Quota(cpu_millis=3000))}
    boxed.policy = replace(boxed.policy, teams=teams)
    assert foresee(scene(boxed)) == {}

    boxed.policy = replace(boxed.policy, teams={})
    assert len(foresee(scene(boxed))) == 1
    PostgresIntake(boxed.engine, boxed.failpoint, boxed.limits.rules).wish_node(
        boxed.caller, "box", NodeWish.CLOSE
    )
    assert foresee(scene(boxed)) == {}


def test_a_scene_plans_as_a_pass_does(boxed: Desk) -> None:
    """Reserved places too: what is launched and not seen on a node yet holds its place."""
    boxed.tick()
    boxed.job(resources={"cpu": 3, "memory": "1Gi"})
    boxed.tick()
    boxed.job(resources={"cpu": 2, "memory": "1Gi"})
    found = scene(boxed)
    planned = plan(
        heads=found.lanes,
        nodes=found.free(),
        uses=found.uses(),
        policy=found.policy,
        now=found.now + timedelta(seconds=1),
        max_launches=50,
    )
    boxed.tick()
    told = boxed.ask("SELECT code, sentence FROM decisions ORDER BY id DESC LIMIT 1")
    assert told == [(str(each.code), each.sentence) for each in planned.decisions]
