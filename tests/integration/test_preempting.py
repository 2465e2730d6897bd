"""Asking the less urgent to leave, and what teams held, over a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sentinels.clock import utc_now
from sentinels.core.capacity import Node, Resources
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.job import Reason
from sentinels.core.observation import Finished, Running
from sentinels.core.policy import Policy, Preemption
from sentinels.core.settling import leave_words
from sentinels.core.workload import WorkloadRef
from tests.support.desk import Desk, ref
from tests.support.scripted import GIB, ScriptedCluster, node

ASKS = Policy(preemption=Preemption(by=frozenset({"urgent"}), of=frozenset({"low"})))
WHOLE = {"cpu": 4}


@pytest.fixture
def full(desk: Desk) -> tuple[Desk, int]:
    """A desk whose only node a low job holds since an hour ago."""
    desk.policy = ASKS
    low = desk.job(name="low", priority="low", resources=WHOLE)
    desk.tick()
    began = utc_now() - timedelta(hours=1)
    desk.cluster.seen[ref(low)] = Running("uid", began, "box")
    held = {ref(low).name: Resources(4000, GIB)}
    desk.cluster.nodes = (replace(node(), workloads=held),)
    desk.tick()
    assert desk.state(low) == "running"
    return desk, low


def left(desk: Desk, low: int, attempt: int = 1) -> None:
    """The cluster has ended it, as it was asked to."""
    now = utc_now()
    desk.cluster.nodes = (node(),)
    gone = Finished("uid", Reason.PREEMPTED, None, now, now, message="its place was needed")
    desk.cluster.seen[ref(low, attempt)] = gone


def test_an_urgent_job_has_a_low_one_leave_and_both_come_to_their_end(
    full: tuple[Desk, int],
) -> None:
    desk, low = full
    urgent = desk.job(name="urgent", priority="urgent", resources=WHOLE)
    desk.tick()

    assert desk.cluster.stops == [(ref(low), "preempted")]
    assert desk.state(urgent) == "queued"
    left(desk, low)
    desk.tick()

    assert desk.state(urgent) == "dispatched"
    assert desk.state(low) == "queued"
    [(reason, detail)] = desk.ask(
        "SELECT reason, detail FROM job_events WHERE job_id = :id AND to_state = 'queued'"
        " AND from_state IS NOT NULL",
        id=low,
    )
    assert reason == "preempted"
    assert "free of charge" in str(detail)


def test_nobody_else_takes_the_place_that_others_left_for_a_more_urgent_job(
    full: tuple[Desk, int],
) -> None:
    """A job of a lower class that has waited for long would go before it otherwise."""
    desk, low = full
    urgent = desk.job(name="urgent", priority="urgent", resources=WHOLE)
    desk.tick()
    aged = desk.job(name="aged", priority="high", resources={"cpu": 1})
    desk.change(
        "UPDATE queue SET enqueued_at = now() - interval '3 days' WHERE job_id = :i", i=aged
    )
    left(desk, low)
    desk.tick()

    assert (desk.state(urgent), desk.state(aged)) == ("dispatched", "queued")
    now = utc_now()
    desk.cluster.seen[ref(urgent)] = Finished("uid", Reason.NODE_LOST, None, now, now)
    desk.cluster.nodes = ()
    desk.tick()
    desk.tick()
    with desk.queue.admission() as admission:
        assert admission is not None
        owed = {each.job_id: each.owed for each in admission.lane_heads(depth=1)}
    assert owed[urgent] is False, "it had its place"


def test_the_owner_of_a_job_that_left_is_told_why(full: tuple[Desk, int]) -> None:
    desk, low = full
    urgent = desk.job(name="urgent", priority="urgent", resources=WHOLE)
    desk.tick()
    left(desk, low)
    desk.cluster.seen[ref(low)] = replace(desk.cluster.seen[ref(low)], message=leave_words(urgent))
    desk.tick()

    [(kind, body)] = desk.ask("SELECT kind, body FROM outbox WHERE channel = 'messenger'")
    assert kind == "preempted"
    assert f"its place was needed by job {urgent}, which is more urgent" in str(body)
    assert "queued again, free of charge" in str(body)


def test_whoever_was_not_reached_is_asked_again_and_nobody_else_is(
    full: tuple[Desk, int],
) -> None:
    desk, low = full

    class Deaf(ScriptedCluster):
        def stop(self, ref: WorkloadRef, *, why: Reason, message: str = "") -> None:
            raise ClusterUnavailable("no answer")

    deaf = Deaf(nodes=desk.cluster.nodes, seen=desk.cluster.seen, launches=desk.cluster.launches)
    hearing, desk.cluster = desk.cluster, deaf
    desk.job(name="urgent", priority="urgent", resources=WHOLE)
    assert "no answer" in str(desk.tick().error)

    desk.cluster = hearing
    desk.tick()
    desk.tick()
    assert set(desk.cluster.stops) == {(ref(low), "preempted")}
    assert desk.ask("SELECT leaves_for FROM attempts WHERE job_id = :id", id=low) == [(2,)]


def test_nobody_is_asked_where_the_policy_does_not_say_so(full: tuple[Desk, int]) -> None:
    desk, _ = full
    desk.policy = Policy()
    desk.job(name="urgent", priority="urgent", resources=WHOLE)
    desk.tick()

    assert desk.cluster.stops == []


def test_a_cancelled_job_that_was_asked_to_leave_is_cancelled(full: tuple[Desk, int]) -> None:
    desk, low = full
    desk.job(name="urgent", priority="urgent", resources=WHOLE)
    desk.tick()
    desk.change(
        "UPDATE jobs SET cancel_requested_at = now(), cancel_actor = 'ann' WHERE id = :id", id=low
    )
    left(desk, low)
    desk.tick()

    assert desk.state(low) == "cancelled"


def test_what_a_team_holds_is_remembered_and_forgotten_by_halves(full: tuple[Desk, int]) -> None:
    desk, low = full
    day = desk.policy.half_life_seconds
    desk.change("UPDATE team_uses SET at = now() - make_interval(secs => :day)", day=day)
    desk.tick()
    [(held,)] = desk.ask("SELECT cpu_millis FROM team_uses")
    assert held == pytest.approx(2000, rel=0.01)

    left(desk, low)
    desk.policy = replace(desk.policy, half_life_seconds=day)
    desk.cluster.nodes = ()
    desk.tick()
    desk.change("UPDATE team_uses SET at = now() - make_interval(secs => :day)", day=day)
    desk.tick()
    [(held,)] = desk.ask("SELECT cpu_millis FROM team_uses")
    assert held == pytest.approx(1000, rel=0.01)


def test_gpu_hours_count_within_a_month(desk: Desk) -> None:
    desk.cluster.nodes = (Node("gpu", Resources(8000, 64 * GIB, 4, "a100")),)
    desk.job(resources={"gpu": 2})
    desk.tick()
    desk.tick()
    desk.change("UPDATE team_uses SET at = now() - interval '3 hours'")
    desk.tick()
    [(hours,)] = desk.ask("SELECT gpu_hours FROM team_uses")
    assert hours == pytest.approx(6, rel=0.01)

    desk.change(
        "UPDATE team_uses SET at = now() - interval '30 minutes',"
        " month = month - interval '1 month'"
    )
    desk.tick()
    [(hours,)] = desk.ask("SELECT gpu_hours FROM team_uses")
    assert hours == pytest.approx(1, rel=0.01)
