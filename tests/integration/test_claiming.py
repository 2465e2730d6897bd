"""A pass claims what the plan grants: in order, within capacity, each job once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text

from sentinels.clock import utc_now
from sentinels.core.capacity import Resources
from sentinels.core.observation import Running
from sentinels.core.planning import Grant
from sentinels.core.queueing import Claim
from sentinels.db.engine import statement
from tests.support.desk import Desk, ref
from tests.support.scripted import node


def test_a_pass_launches_what_fits_and_leaves_the_rest(desk: Desk) -> None:
    ids = [desk.job(resources={"cpu": 2}) for _ in range(3)]
    report = desk.tick()
    assert report.launched == 2
    assert [desk.state(job_id) for job_id in ids] == ["dispatched", "dispatched", "queued"]
    assert [workload.ref.job_id for workload in desk.cluster.launches] == ids[:2]


def test_live_attempts_keep_their_room_in_the_next_pass(desk: Desk) -> None:
    for _ in range(4):
        desk.job(resources={"cpu": 2})
    assert desk.tick().launched == 2
    assert desk.tick().launched == 0


def test_what_ran_and_is_on_no_node_any_more_holds_nothing(desk: Desk) -> None:
    first, second = desk.job(resources={"cpu": 4}), desk.job(resources={"cpu": 4})
    assert desk.tick().launched == 1
    desk.cluster.seen[ref(first)] = Running("uid", utc_now(), "box")
    desk.cluster.nodes = [replace(node(), workloads={ref(first).name: Resources(4000)})]
    assert desk.tick().launched == 0
    desk.cluster.nodes = [node()]
    assert desk.tick().launched == 1
    assert [desk.state(job_id) for job_id in (first, second)] == ["running", "dispatched"]


def test_higher_priority_goes_first_and_the_rest_in_order(desk: Desk) -> None:
    desk.cluster.nodes = [node(cpus=1)]
    low, normal, urgent = (desk.job(priority=name) for name in ("low", "normal", "urgent"))
    desk.tick()
    assert desk.state(urgent) == "dispatched"
    assert [desk.state(low), desk.state(normal)] == ["queued", "queued"]


def test_why_a_lane_waits_is_written_once(desk: Desk) -> None:
    desk.cluster.nodes = [node(cpus=1)]
    desk.job(resources={"cpu": 1})
    desk.job(resources={"cpu": 1})
    desk.tick()
    desk.tick()
    desk.tick()
    sentences = desk.ask("SELECT sentence FROM decisions")
    assert len(sentences) == 1
    assert "CPU" in str(sentences[0][0])


def test_many_dispatchers_at_once_claim_each_job_once(desk: Desk) -> None:
    desk.cluster.nodes = [node(cpus=100)]
    ids = [desk.job(resources={"cpu": 1}) for _ in range(60)]
    desk.max_launches = 7
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: desk.tick(), range(30)))
    while desk.tick().launched:
        pass
    assert sorted(workload.ref.job_id for workload in desk.cluster.launches) == ids
    assert desk.ask("SELECT DISTINCT attempt FROM jobs") == [(1,)]


def test_a_requeued_job_with_an_old_id_is_found_below_the_low_water_mark(desk: Desk) -> None:
    old = desk.job()
    desk.change("UPDATE queue SET enqueued_at = now() - interval '1 hour'")
    desk.tick()
    assert desk.ask("SELECT low_job_id >= :id FROM lanes", id=old) == [(True,)]
    desk.change("UPDATE attempts SET live = false, released = true")
    desk.change("UPDATE jobs SET state = 'queued'")
    desk.change("INSERT INTO deferred (job_id, lane_id) SELECT :id, id FROM lanes", id=old)
    desk.tick()
    assert desk.ask("SELECT attempt, state FROM jobs") == [(2, "dispatched")]


def test_a_lane_whose_wake_was_lost_is_woken_by_an_idle_pass(desk: Desk) -> None:
    job_id = desk.job()
    desk.change("UPDATE lanes SET ready = false")
    desk.tick()
    desk.tick()
    assert desk.state(job_id) == "dispatched"


def test_the_claim_keeps_its_index(desk: Desk) -> None:
    desk.job()
    desk.change(
        "INSERT INTO queue (lane_id, job_id)"
        " SELECT l.id, 1000 + n FROM lanes l, generate_series(1, 20000) n"
    )
    desk.change("ANALYZE queue")
    lane = desk.ask("SELECT id FROM lanes")[0][0]
    explain = text("EXPLAIN (FORMAT JSON) " + statement("claim_jobs").text)
    asked = {"lane_ids": [lane], "counts": [50], "lease_seconds": 30}
    with desk.engine.connect() as connection:
        plan = json.dumps(connection.execute(explain, asked).scalar_one())
    assert '"queue_pkey"' in plan
    assert (
        '"Node Type": "Seq Scan", "Parallel Aware": false, "Async Capable": false, '
        '"Relation Name": "queue"' not in plan
    )
    assert '"Sort"' not in plan.split('"CTE popped"')[0].split('"CTE picked"')[-1]


@pytest.mark.parametrize("taken", [True, False])
def test_an_admission_is_refused_while_another_is_open(desk: Desk, *, taken: bool) -> None:
    queue = desk.queue
    with queue.admission() as first:
        assert first is not None
        if taken:
            with queue.admission() as second:
                assert second is None
    with queue.admission() as after:
        assert after is not None


def test_a_claim_takes_no_more_than_there_is(desk: Desk) -> None:
    job_id = desk.job()
    lane = int(str(desk.ask("SELECT id FROM lanes")[0][0]))
    with desk.queue.admission() as admission:
        assert admission is not None
        claimed = admission.claim([Grant(lane, ("box",) * 5)], lease_seconds=30)
        assert list(claimed) == [Claim(ref(job_id), "box")]
        assert [each.held for each in admission.live()] == [
            Resources(cpu_millis=1000, memory_bytes=1024**3)
        ]
