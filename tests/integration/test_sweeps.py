"""A sweep is one: no more of it at once than it may, shown as one, cancelled as one."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from sentinels.clock import utc_now
from sentinels.core.job import JobId, Reason
from sentinels.core.observation import Finished
from sentinels.core.queueing import Caller, SweepCancelled
from sentinels.core.reading import JobFilter
from sentinels.db.intake import PostgresIntake
from sentinels.db.reading import PostgresReading
from tests.support.desk import Desk, ref
from tests.support.scripted import node

SMALL = {"cpu": 0.1, "memory": "64Mi"}


def swept(desk: Desk, jobs: int, at_once: int | None = None, **config: object) -> list[JobId]:
    limit = {} if at_once is None else {"at_once": at_once}
    given = {"sweep": {"n": [*range(jobs)]}, "resources": SMALL, **limit, **config}
    return list(desk.push(**given).job_ids)


def ended(desk: Desk, job_id: int, reason: Reason | None = None) -> None:
    now, [(attempt,)] = utc_now(), desk.ask("SELECT attempt FROM jobs WHERE id = :id", id=job_id)
    code = None if reason is None else 1
    desk.cluster.seen[ref(job_id, int(str(attempt)))] = Finished("uid", reason, code, now, now)


def live(desk: Desk) -> list[int]:
    rows = desk.ask("SELECT id FROM jobs WHERE state IN ('dispatched', 'running') ORDER BY id")
    return [int(str(row[0])) for row in rows]


def cancel(desk: Desk, sweep_id: int) -> SweepCancelled:
    return PostgresIntake(desk.engine, desk.failpoint).cancel_sweep(desk.caller, JobId(sweep_id))


def test_no_more_of_a_sweep_run_at_once_than_it_says_and_the_next_in_turn(desk: Desk) -> None:
    ids = swept(desk, 5, at_once=2)
    other = desk.job(resources=SMALL)
    desk.tick()
    assert live(desk) == [*ids[:2], other]
    ended(desk, ids[1])
    desk.tick()
    assert live(desk) == [ids[0], ids[2], other]
    desk.tick()
    assert live(desk) == [ids[0], ids[2], other]


def test_one_that_waits_to_be_tried_again_leaves_its_place_and_takes_the_next(desk: Desk) -> None:
    ids = swept(desk, 4, at_once=1, retry={"exit": {"1": 1}, "backoff": "30s"})
    desk.tick()
    ended(desk, ids[0], Reason.EXITED_NONZERO)
    desk.tick()
    assert live(desk) == [ids[1]]
    desk.change("UPDATE deferred SET not_before = now() WHERE not_before IS NOT NULL")
    desk.tick()
    assert live(desk) == [ids[1]]
    ended(desk, ids[1])
    desk.tick()
    assert live(desk) == [ids[0]]


def test_a_sweep_with_a_limit_starts_after_its_dependency(desk: Desk) -> None:
    first = desk.job(resources=SMALL)
    ids = swept(desk, 3, at_once=2, after=[first])
    desk.tick()
    assert live(desk) == [first]
    ended(desk, first)
    desk.tick()
    assert live(desk) == ids[:2]


def test_the_limit_holds_with_many_dispatchers_ends_and_retries_at_once(desk: Desk) -> None:
    desk.cluster.nodes = [node(cpus=100)]
    retry = {"exit": {"1": 9}, "backoff": "1s"}
    sweeps = [swept(desk, 12, at_once=3, retry=retry) for _ in range(2)]
    swept(desk, 5, retry=retry)
    draw, seen = random.Random(6), [0]
    with ThreadPoolExecutor(6) as threads:
        for _ in range(400):
            for job_id in live(desk):
                if draw.random() < 0.5:
                    ended(desk, job_id, draw.choice([None, None, Reason.EXITED_NONZERO]))
            desk.change("UPDATE deferred SET not_before = now() WHERE not_before IS NOT NULL")
            list(threads.map(lambda _: desk.tick(), range(6)))
            seen += [sum(job_id in ids for job_id in live(desk)) for ids in sweeps]
            assert max(seen) <= 3
            if not desk.ask("SELECT FROM jobs WHERE finished_at IS NULL"):
                break
    assert max(seen) == 3, "the limit was reached"
    assert desk.ask("SELECT state, count(*) FROM jobs GROUP BY state") == [("succeeded", 29)]


def test_a_sweep_is_cancelled_as_one(desk: Desk) -> None:
    ids = swept(desk, 6, at_once=2)
    desk.tick()
    ended(desk, ids[0])
    desk.tick()
    assert cancel(desk, ids[0]) == SweepCancelled(waiting=3, asked=2)
    assert [desk.state(each) for each in ids[3:]] == ["cancelled"] * 3
    assert desk.ask("SELECT FROM deferred") == desk.ask("SELECT FROM queue") == []
    for each in ids[1:3]:
        ended(desk, each, Reason.CANCELLED)
    desk.tick()
    assert [desk.state(each) for each in ids] == ["succeeded"] + ["cancelled"] * 5
    assert cancel(desk, ids[0]) == SweepCancelled(0, 0)
    assert desk.story(ids[5]) == ["queued", "cancelled"]


def test_a_sweep_of_another_team_is_left_alone(desk: Desk) -> None:
    ids = swept(desk, 3)
    stranger = Caller(7, "eve", 99, "other")
    intake = PostgresIntake(desk.engine, desk.failpoint)
    assert intake.cancel_sweep(stranger, ids[0]) == SweepCancelled(0, 0)
    assert {desk.state(each) for each in ids} == {"queued"}
    assert PostgresReading(desk.engine).sweep(stranger, ids[0]) is None


def test_nothing_of_a_sweep_starts_after_its_cancel_was_answered(desk: Desk) -> None:
    desk.cluster.nodes = [node(cpus=100)]
    left = "SELECT count(*) FROM jobs WHERE state = 'queued'"
    for number in range(8):
        ids = swept(desk, 20, at_once=5 if number % 2 else None)
        with ThreadPoolExecutor(4) as threads:
            passes = [threads.submit(desk.tick) for _ in range(3)]
            done = threads.submit(cancel, desk, ids[0]).result()
            assert desk.ask(left) == [(0,)]
            for report in passes:
                report.result()
        assert done.waiting + done.asked == 20
        for each in live(desk):
            ended(desk, each, Reason.NODE_LOST)
        desk.tick()
        assert {desk.state(each) for each in ids} == {"cancelled"}
        assert desk.ask("SELECT FROM queue") == desk.ask("SELECT FROM deferred") == []


def test_what_is_to_be_cancelled_is_not_tried_again_though_its_end_was_seen_before(
    desk: Desk,
) -> None:
    job_id = desk.job(resources=SMALL)
    desk.tick()
    ended(desk, job_id, Reason.NODE_LOST)

    def cancelled_meanwhile(name: str) -> None:
        if name == "settle.after_observe":
            desk.failpoint = lambda _: None
            PostgresIntake(desk.engine, desk.failpoint).cancel(desk.caller, job_id)

    desk.failpoint = cancelled_meanwhile
    desk.tick()
    desk.tick()
    assert desk.state(job_id) == "cancelled"
    assert desk.ask("SELECT max(attempt) FROM attempts") == [(1,)]


def test_a_sweep_remembers_what_was_swept_and_counts_its_jobs(desk: Desk) -> None:
    span = {"min": 0.001, "max": 1, "scale": "log"}
    ids = desk.push(sweep={"lr": span}, samples=4, at_once=3, resources=SMALL).job_ids
    desk.tick()
    found = PostgresReading(desk.engine).sweep(desk.caller, ids[0])
    assert found is not None
    assert found.definition == {"sweep": {"lr": span}, "samples": 4, "seed": 0}
    assert (found.at_once, found.jobs) == (3, 4)
    counted = {state.value: number for state, number in found.states.items()}
    assert counted == {"queued": 1, "dispatched": 3}


def test_lists_fold_a_sweep_to_the_one_job_that_stands_for_it(desk: Desk) -> None:
    before, ids, after = desk.job(), swept(desk, 5, at_once=2), desk.job()
    reading = PostgresReading(desk.engine)
    folded = JobFilter(folded=True)
    page = reading.list_ids(desk.caller, folded, before=None, limit=2)
    assert [*page, *reading.list_ids(desk.caller, folded, before=page[-1], limit=2)] == [
        after,
        ids[-1],
        before,
    ]
    assert reading.next_ids(desk.caller, limit=3, folded=True) == [before, ids[0], after]
    assert reading.next_ids(desk.caller, limit=9) == [before, *ids[:2], after, *ids[2:]]
