"""A push is stored whole, once, or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sentinels.core.errors import Conflict, InvalidSubmission
from tests.support.desk import Desk


def test_a_push_queues_the_job_and_writes_its_first_event(desk: Desk) -> None:
    job_id = desk.job(name="digits")
    assert desk.story(job_id) == ["queued"]
    assert desk.ask("SELECT job FROM v_queue") == [(job_id,)]
    assert desk.pokes.count == 1


def test_a_sweep_is_one_push_with_a_job_for_each_combination(desk: Desk) -> None:
    pushed = desk.push(sweep={"C": [0.1, 1], "solver": ["lbfgs", "saga", "sag"]})
    assert len(pushed.job_ids) == 6
    rows = desk.ask("SELECT sweep, params->>'C', params->>'solver' FROM v_jobs ORDER BY job")
    assert {row[0] for row in rows} == {pushed.job_ids[0]}
    assert len({row[1:] for row in rows}) == 6


@pytest.mark.parametrize("sweep", [{}, {"C": [1, 2, 3]}])
def test_the_same_key_brings_the_same_jobs(desk: Desk, sweep: dict[str, object]) -> None:
    first = desk.push(key="k", sweep=sweep)
    again = desk.push(key="k", sweep=sweep)
    assert again.job_ids == first.job_ids
    assert (first.replayed, again.replayed) == (False, True)
    assert desk.ask("SELECT count(*) FROM jobs") == [(len(first.job_ids),)]


def test_one_key_for_two_different_pushes_is_a_conflict(desk: Desk) -> None:
    desk.push(key="k", name="one")
    with pytest.raises(Conflict, match="another push"):
        desk.push(key="k", name="two")


@pytest.mark.parametrize("sweep", [{}, {"C": [1, 2]}])
def test_the_same_push_from_eight_threads_is_stored_once(
    desk: Desk, sweep: dict[str, object]
) -> None:
    with ThreadPoolExecutor(8) as threads:
        pushes = list(threads.map(lambda _: desk.push(key="k", sweep=sweep), range(8)))
    assert len({pushed.job_ids for pushed in pushes}) == 1
    assert sum(not pushed.replayed for pushed in pushes) == 1


def test_a_crash_before_the_commit_stores_nothing(desk: Desk) -> None:
    class Crash(BaseException):
        pass

    def crash(name: str) -> None:
        if name == "submit.before_commit":
            raise Crash

    desk.failpoint = crash
    with pytest.raises(Crash):
        desk.push(key="k")
    assert desk.ask("SELECT count(*) FROM jobs, queue") == [(0,)]


def test_every_fault_is_reported_at_once_and_nothing_is_stored(desk: Desk) -> None:
    desk.tick()
    with pytest.raises(InvalidSubmission) as invalid:
        desk.push(resources={"cpu": 64}, priority="hgih", after=[999])
    assert {fault.field for fault in invalid.value.faults} == {"resources.cpu", "priority", "after"}
    assert "64" in str(invalid.value)
    assert desk.ask("SELECT count(*) FROM jobs") == [(0,)]


@pytest.mark.parametrize(("state", "word"), [("failed", "failed"), ("cancelled", "was cancelled")])
def test_a_job_that_would_never_start_is_refused_at_once(desk: Desk, state: str, word: str) -> None:
    first = desk.job()
    desk.change("UPDATE jobs SET state = CAST(:s AS job_state), finished_at = now()", s=state)
    with pytest.raises(InvalidSubmission) as invalid:
        desk.push(after=[first, 999])
    assert [(fault.value, fault.message) for fault in invalid.value.faults] == [
        (str(first), f"job {first} {word}: this one would never start"),
        ("999", "there is no job 999"),
    ]
    assert desk.ask("SELECT count(*) FROM jobs") == [(1,)]


def test_a_job_waits_for_the_jobs_it_comes_after(desk: Desk) -> None:
    first = desk.job()
    second = desk.job(after=[first])
    desk.tick()
    assert (desk.state(first), desk.state(second)) == ("dispatched", "queued")


def test_what_was_pushed_keeps_its_order(desk: Desk) -> None:
    desk.push(env={"LONGER": "1", "B": "$(LONGER)"}, params={"zeta": 1, "b": 2})
    desk.tick()
    [workload] = desk.cluster.launches
    names = list(workload.env)
    assert names.index("LONGER") < names.index("B")
    assert workload.env["SENTINELS_PARAMS"] == '{"zeta": 1, "b": 2}'
