"""What was seen of a workload moves its job: once, by whoever is first, and never back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from sentinels.clock import utc_now
from sentinels.core import dossier
from sentinels.core.errors import ClusterUnavailable, Conflict, LaunchRejected, NotFound
from sentinels.core.job import JobId, Reason
from sentinels.core.observation import Absent, Finished, Pending, Running
from sentinels.core.policy import Policy
from sentinels.core.policy_reading import read_policy
from sentinels.core.settling import settle_jobs
from sentinels.core.submitting import SubmitPorts, cancel
from sentinels.core.workload import Placement
from sentinels.db.intake import PostgresIntake
from sentinels.db.reading import PostgresReading
from tests.support.desk import AnyData, AnyImage, Desk, nothing, ref
from tests.support.scripted import node


def finished(reason: Reason | None = None, *, exit_code: int | None = 0) -> Finished:
    now = utc_now()
    return Finished("uid", reason, exit_code, now - timedelta(seconds=3), now)


def running() -> Running:
    return Running("uid", utc_now(), "box")


def ask_cancel(desk: Desk, job_id: JobId) -> str:
    ports = SubmitPorts(
        queue=PostgresIntake(desk.engine, nothing),
        images=AnyImage(),
        data=AnyData(),
        events=desk.pokes,
        policy=Policy,
    )
    return cancel(ports, desk.caller, job_id).value


def launched(desk: Desk, **config: object) -> JobId:
    job_id = desk.job(**config)
    assert desk.tick().launched == 1
    return job_id


def test_a_job_goes_its_whole_way(desk: Desk) -> None:
    job_id = launched(desk)
    desk.cluster.seen[ref(job_id)] = running()
    desk.tick()
    desk.cluster.seen[ref(job_id)] = finished()
    desk.tick()
    assert desk.story(job_id) == ["queued", "dispatched", "running", "succeeded"]
    assert ref(job_id) in desk.cluster.released
    assert desk.ask("SELECT live, released FROM attempts") == [(False, True)]


@pytest.mark.parametrize(
    ("reason", "exit_code", "state"),
    [
        (None, 0, "succeeded"),
        (Reason.EXITED_NONZERO, 3, "failed"),
        (Reason.OUT_OF_MEMORY, 137, "failed"),
        (Reason.DEADLINE_EXCEEDED, None, "failed"),
        (Reason.KILLED, 139, "failed"),
        (Reason.WORKLOAD_LOST, None, "queued"),
        (Reason.EVICTED, None, "queued"),
    ],
)
def test_each_reason_leads_to_its_state(
    desk: Desk, reason: Reason | None, exit_code: int | None, state: str
) -> None:
    job_id = launched(desk)
    desk.cluster.seen[ref(job_id)] = finished(reason, exit_code=exit_code)
    settle_jobs(desk.settle("notify"), [job_id])
    assert desk.state(job_id) == state
    assert desk.ask("SELECT reason, exit_code FROM attempts") == [
        (reason.value if reason else None, exit_code)
    ]


def test_a_lost_workload_is_tried_again_free_of_charge_but_not_for_ever(desk: Desk) -> None:
    job_id = launched(desk)
    for attempt in range(1, desk.limits.infrastructure_tries + 1):
        desk.cluster.seen[ref(job_id, attempt)] = finished(Reason.WORKLOAD_LOST, exit_code=None)
        settle_jobs(desk.settle(), [job_id])
        assert desk.state(job_id) == "queued"
        desk.change("UPDATE deferred SET not_before = now()")
        assert desk.tick().launched == 1
    last = desk.limits.infrastructure_tries + 1
    desk.cluster.seen[ref(job_id, last)] = finished(Reason.WORKLOAD_LOST, exit_code=None)
    settle_jobs(desk.settle(), [job_id])
    assert desk.state(job_id) == "failed"


def test_the_memory_grows_where_the_submission_says_so(desk: Desk) -> None:
    retry = {"oom": {"memory": "x2", "max": "3Gi", "tries": 2}, "backoff": "1s"}
    job_id = launched(desk, retry=retry, resources={"memory": "1Gi"})
    desk.cluster.seen[ref(job_id)] = finished(Reason.OUT_OF_MEMORY, exit_code=137)
    desk.tick()
    desk.change("UPDATE deferred SET not_before = now()")
    desk.tick()
    sizes = [workload.resources.memory_bytes for workload in desk.cluster.launches]
    assert sizes == [1024**3, 2 * 1024**3]


def test_the_memory_grows_no_further_than_policy_and_quota_let_it(desk: Desk) -> None:
    desk.policy = read_policy({"retry": {"greatest_memory": "3Gi"}})
    retry = {"oom": {"memory": "x2", "tries": 5}, "backoff": "1s"}
    job_id = launched(desk, retry=retry, resources={"memory": "1Gi"})
    for attempt in (1, 2, 3):
        desk.cluster.seen[ref(job_id, attempt)] = finished(Reason.OUT_OF_MEMORY, exit_code=137)
        desk.tick()
        desk.change("UPDATE deferred SET not_before = now()")
        desk.policy = read_policy({"teams": {desk.caller.team: {"quota": {"memory": "2.5Gi"}}}})
        desk.tick()
    sizes = [workload.resources.memory_bytes for workload in desk.cluster.launches]
    assert sizes == [1024**3, 2 * 1024**3, int(2.5 * 1024**3)]
    assert desk.state(job_id) == "failed"


def test_a_line_of_the_log_has_it_tried_again_on_another_node(desk: Desk) -> None:
    desk.cluster.nodes = [node(name="gpu-3"), node(name="gpu-4")]
    pattern = {"uncorrectable ECC": {"tries": 2, "avoid_node": True}}
    job_id = launched(desk, retry={"pattern": pattern, "backoff": "1s"})
    assert desk.cluster.launches[0].placement.avoids == ()
    broken = replace(finished(Reason.EXITED_NONZERO, exit_code=1), node="gpu-3")
    desk.cluster.seen[ref(job_id)] = broken
    lines = dossier.LastLines(("epoch 1", "CUDA error: uncorrectable ECC error encountered"))
    desk.cluster.said[ref(job_id)] = dossier.Testimony(lines=lines)
    desk.tick()
    desk.change("UPDATE deferred SET not_before = now()")
    desk.tick()

    assert desk.cluster.launches[1].placement == Placement("gpu-4", (), ("gpu-3",))
    reading = PostgresReading(desk.engine)
    attempts = reading.attempts(reading.find(desk.caller, str(job_id)))
    assert attempts[0].message == (
        "the program ended with a non-zero exit code (exit code 1);"
        " retry 1 of 2 for “uncorrectable ECC”, rather not on gpu-3"
    )
    assert [each.different for each in attempts] == [
        None,
        "not on gpu-3, because the program ended with a non-zero exit code",
    ]
    desk.cluster.seen[ref(job_id, 2)] = replace(broken, node="gpu-4")
    desk.tick()
    assert desk.state(job_id) == "failed", "it says something else"


def test_a_job_that_failed_on_the_only_node_goes_there_again(desk: Desk) -> None:
    pattern = {"ECC": {"tries": 2, "avoid_node": True}}
    job_id = launched(desk, retry={"pattern": pattern, "backoff": "1s"})
    broken = replace(finished(Reason.EXITED_NONZERO, exit_code=1), node="box")
    desk.cluster.seen[ref(job_id)] = broken
    desk.cluster.said[ref(job_id)] = dossier.Testimony(lines=dossier.LastLines(("ECC",)))
    desk.tick()
    desk.change("UPDATE deferred SET not_before = now()")
    desk.tick()
    assert desk.cluster.launches[1].placement == Placement("box", (), ())
    desk.cluster.seen[ref(job_id, 2)] = replace(broken, node="box")
    desk.tick()
    reading = PostgresReading(desk.engine)
    attempts = reading.attempts(reading.find(desk.caller, str(job_id)))
    why = "because the program ended with a non-zero exit code"
    assert attempts[1].different == f"the same again, {why}"


def test_doubled_and_reordered_events_change_nothing(desk: Desk) -> None:
    job_id = launched(desk)
    desk.cluster.seen[ref(job_id)] = finished()
    with ThreadPoolExecutor(6) as threads:
        moves = [
            settled.moved
            for settled in threads.map(
                lambda _: settle_jobs(desk.settle("notify"), [job_id]), range(12)
            )
        ]
    assert sum(moves) == 1
    desk.cluster.seen[ref(job_id)] = running()
    assert settle_jobs(desk.settle("notify"), [job_id]).moved == 0
    assert desk.story(job_id) == ["queued", "dispatched", "succeeded"]


def test_a_forged_event_for_a_job_that_runs_changes_nothing(desk: Desk) -> None:
    job_id = launched(desk)
    desk.cluster.seen[ref(job_id)] = running()
    settle_jobs(desk.settle("notify"), [job_id])
    settle_jobs(desk.settle("notify"), [job_id, 10**9])
    assert desk.state(job_id) == "running"


def test_a_launch_that_nobody_finished_is_driven_again_as_the_same_attempt(desk: Desk) -> None:
    desk.cluster.trouble = ClusterUnavailable("no answer")
    job_id = desk.job()
    report = desk.tick()
    assert "no answer" in str(report.error)
    desk.cluster.trouble = None
    desk.tick()
    assert desk.cluster.launches == []
    desk.change("UPDATE attempts SET lease_until = now() - interval '1 second'")
    desk.tick()
    assert [workload.ref for workload in desk.cluster.launches] == [ref(job_id, 1)]
    assert desk.ask("SELECT attempt FROM jobs") == [(1,)]


def test_a_workload_that_the_cluster_refuses_fails_its_job_with_the_message(desk: Desk) -> None:
    desk.cluster.trouble = LaunchRejected("no program in the image")
    job_id = desk.job()
    desk.tick()
    assert desk.state(job_id) == "failed"
    assert desk.ask("SELECT reason, message FROM attempts") == [
        ("rejected", "no program in the image")
    ]


def test_a_launched_workload_without_a_trace_is_lost_and_its_job_queued_again(desk: Desk) -> None:
    job_id = launched(desk)
    desk.cluster.seen[ref(job_id)] = Absent()
    desk.tick()
    assert desk.story(job_id)[:3] == ["queued", "dispatched", "queued"]
    assert desk.ask("SELECT reason FROM attempts WHERE attempt = 1") == [("workload_lost",)]


def test_a_workload_that_does_not_begin_is_driven_again(desk: Desk) -> None:
    job_id = launched(desk)
    desk.cluster.seen[ref(job_id)] = Pending("uid")
    desk.tick()
    assert len(desk.cluster.launches) == 1
    desk.change("UPDATE attempts SET launched_at = now() - interval '1 hour'")
    desk.tick()
    assert len(desk.cluster.launches) == 2


def test_cancelling_a_waiting_job_ends_it_at_once(desk: Desk) -> None:
    job_id = desk.job()
    assert ask_cancel(desk, job_id) == "cancelled"
    desk.tick()
    assert desk.story(job_id) == ["queued", "cancelled"]
    assert desk.ask("SELECT count(*) FROM queue") == [(0,)]


def test_cancelling_a_live_job_ends_it_when_its_workload_is_gone(desk: Desk) -> None:
    job_id = launched(desk)
    desk.cluster.seen[ref(job_id)] = running()
    assert ask_cancel(desk, job_id) == "dispatched"
    desk.tick()
    assert desk.cluster.stops == [(ref(job_id), "cancelled")]
    assert desk.state(job_id) == "dispatched"
    desk.cluster.seen[ref(job_id)] = finished(Reason.EXITED_NONZERO, exit_code=143)
    desk.tick()
    assert desk.state(job_id) == "cancelled"
    assert desk.ask("SELECT actor FROM v_events WHERE to_state = 'cancelled'") == [("ann",)]


def test_a_cancelled_job_is_never_launched_again(desk: Desk) -> None:
    desk.cluster.trouble = ClusterUnavailable("no answer")
    job_id = desk.job()
    desk.tick()
    ask_cancel(desk, job_id)
    desk.cluster.trouble = None
    desk.change("UPDATE attempts SET lease_until = now() - interval '1 second'")
    desk.tick()
    assert desk.cluster.launches == []
    assert desk.state(job_id) == "cancelled"


def test_cancelling_what_has_ended_or_never_was_is_refused(desk: Desk) -> None:
    job_id = launched(desk)
    desk.cluster.seen[ref(job_id)] = finished()
    desk.tick()
    with pytest.raises(Conflict, match="already succeeded"):
        ask_cancel(desk, job_id)
    with pytest.raises(NotFound, match="no job 999"):
        ask_cancel(desk, JobId(999))


def test_cancel_and_claim_at_once_never_lose_a_job(desk: Desk) -> None:
    ids = [desk.job() for _ in range(40)]
    desk.max_launches = 3
    with ThreadPoolExecutor(4) as threads:
        passes = [threads.submit(desk.tick) for _ in range(10)]
        cancels = [threads.submit(ask_cancel, desk, job_id) for job_id in ids]
        answers = [answer.result() for answer in cancels]
        for done in passes:
            done.result()
    assert set(answers) <= {"cancelled", "dispatched", "running", "queued"}
    asked = desk.ask(
        "SELECT count(*) FROM jobs WHERE state = 'cancelled' OR cancel_requested_at IS NOT NULL"
    )
    assert asked == [(40,)]
    assert desk.ask("SELECT count(*) FROM queue") == [(0,)]


def test_a_job_after_one_that_failed_is_cancelled_with_the_reason(desk: Desk) -> None:
    first = desk.job()
    second = desk.job(after=[first])
    third = desk.job(after=[second])
    desk.tick()
    desk.cluster.seen[ref(first)] = finished(Reason.EXITED_NONZERO, exit_code=1)
    desk.tick()
    desk.tick()
    assert [desk.state(second), desk.state(third)] == ["cancelled", "cancelled"]
    assert desk.ask("SELECT DISTINCT reason FROM jobs WHERE state = 'cancelled'") == [
        ("dependency_failed",)
    ]


def test_a_job_after_one_that_succeeded_starts(desk: Desk) -> None:
    first = launched(desk)
    second = desk.job(after=[first])
    desk.cluster.seen[ref(first)] = finished()
    desk.tick()
    assert desk.state(second) == "dispatched"


def test_a_workload_without_a_live_attempt_is_stopped(desk: Desk) -> None:
    stray = ref(4711, 2)
    desk.cluster.extra = frozenset({stray})
    desk.cluster.seen[stray] = running()
    report = desk.tick()
    assert desk.cluster.stops == [(stray, "evicted")]
    assert "sentinels-4711-2" in str(report.error)


def test_the_database_refuses_a_state_that_contradicts_itself(desk: Desk) -> None:
    desk.job()
    with pytest.raises(Exception, match="jobs_finished_check"):
        desk.change("UPDATE jobs SET state = 'succeeded'")
