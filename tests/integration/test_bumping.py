"""Bumping waiting jobs over a real PostgreSQL: who may, who is delayed and told, and the races."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from sentinels.clock import utc_now
from sentinels.core.bumping import Bumped, BumpPorts, bump, foresee_bump
from sentinels.core.capacity import Node, Resources
from sentinels.core.errors import Conflict, InvalidRequest, NotAllowed, NotFound, SentinelsError
from sentinels.core.observation import Running
from sentinels.core.planning import Grant
from sentinels.core.policy_reading import read_policy
from sentinels.core.queueing import Caller
from sentinels.core.rights import Role
from sentinels.db.bumps import PostgresBumps
from sentinels.db.intake import PostgresIntake
from sentinels.db.people import caller_of, ensure_user
from tests.support.desk import Desk, ref
from tests.support.scripted import GIB

WHOLE = {"cpu": 4, "memory": "1Gi"}
PLACES = """
    SELECT j.id, l.priority, j.priority FROM jobs j
      LEFT JOIN queue q ON q.job_id = j.id LEFT JOIN deferred d ON d.job_id = j.id
      LEFT JOIN lanes l ON l.id = coalesce(q.lane_id, d.lane_id)
     WHERE j.id = ANY(:ids) ORDER BY j.id"""


@pytest.fixture
def boxed(desk: Desk) -> Desk:
    """One node that holds one of the jobs at a time."""
    desk.cluster.nodes = [Node("box", Resources(4000, 8 * GIB))]
    desk.tick()
    return desk


def ports(desk: Desk) -> BumpPorts:
    bumps = PostgresBumps(desk.engine, lambda: desk.policy, desk.limits.rules)
    return BumpPorts(bumps, lambda: desk.policy, desk.pokes)


def bumped(
    desk: Desk, ids: Sequence[int], priority: str = "urgent", *, caller: Caller | None = None
) -> Bumped:
    return bump(ports(desk), caller or desk.caller, ids, priority, now=utc_now())


def person(desk: Desk, user: str, team: str = "default", role: Role = Role.MEMBER) -> Caller:
    url = desk.engine.url.render_as_string(hide_password=False)
    ensure_user(url, team=team, user=user, token=f"token-of-{user}")
    found = caller_of(desk.engine, f"token-of-{user}")
    assert found is not None
    return replace(found, role=role)


def as_caller(desk: Desk, caller: Caller) -> Desk:
    return replace(desk, caller=caller)


def places(desk: Desk, *ids: int) -> list[tuple[object, ...]]:
    """The class of the lane that each waits in, and the class that it has."""
    return [row[1:] for row in desk.ask(PLACES, ids=list(ids))]


def run(desk: Desk, job_id: int) -> None:
    desk.tick()
    desk.cluster.seen[ref(job_id)] = Running(f"uid-{job_id}", utc_now(), "box")
    desk.tick()
    assert desk.state(job_id) == "running"


def test_a_bumped_job_starts_first_and_its_story_says_who_did_it(boxed: Desk) -> None:
    first, second, third = (boxed.job(resources=WHOLE) for _ in range(3))
    pokes = boxed.pokes.count
    done = bumped(boxed, [third])
    assert [job.job_id for job in done.jobs] == [third]
    assert boxed.pokes.count == pokes + 1
    deed = "SELECT actor, job_id, detail FROM audit WHERE act = 'bump'"
    assert boxed.ask(deed) == [("ann", third, {"from": 20, "to": 40})]
    assert places(boxed, first, second, third) == [(20, 20), (20, 20), (40, 40)]
    assert boxed.ask(
        "SELECT from_state, to_state, actor, detail FROM job_events"
        " WHERE job_id = :id ORDER BY id DESC LIMIT 1",
        id=third,
    ) == [("queued", "queued", "ann", "ann bumped it from normal to urgent")]
    boxed.tick()
    assert [launch.ref.job_id for launch in boxed.cluster.launches] == [third]


def test_a_lowered_job_goes_behind_and_doing_it_twice_is_once(boxed: Desk) -> None:
    first, second = (boxed.job(resources=WHOLE) for _ in range(2))
    bumped(boxed, [first], "low")
    again = bumped(boxed, [first], "low")
    assert ([*again.jobs], [left.why for left in again.left]) == ([], ["is low already"])
    assert boxed.story(first) == ["queued", "queued"]
    assert boxed.ask("SELECT detail FROM job_events WHERE detail IS NOT NULL") == [
        ("ann lowered it from normal to low",)
    ]
    boxed.tick()
    assert [launch.ref.job_id for launch in boxed.cluster.launches] == [second]


def test_an_old_job_is_found_in_a_lane_whose_low_water_mark_is_above_it(boxed: Desk) -> None:
    old = boxed.job(resources=WHOLE)
    boxed.change("UPDATE queue SET enqueued_at = now() - interval '1 hour'")
    boxed.job(resources=WHOLE, priority="urgent")
    boxed.change("UPDATE lanes SET low_job_id = 1000000, ready = false WHERE priority = 40")
    bumped(boxed, [old])
    boxed.tick()
    assert boxed.state(old) == "dispatched"


def test_its_age_goes_with_it(boxed: Desk) -> None:
    job = boxed.job(resources=WHOLE)
    boxed.change("UPDATE queue SET enqueued_at = now() - interval '1 hour'")
    [before] = boxed.ask("SELECT enqueued_at FROM queue")
    bumped(boxed, [job])
    assert boxed.ask("SELECT enqueued_at FROM queue") == [before]


def test_a_deferred_job_is_bumped_where_it_is(boxed: Desk) -> None:
    first = boxed.job(resources=WHOLE)
    after = boxed.job(resources=WHOLE, after=[first])
    done = bumped(boxed, [after])
    assert done.unforeseen == 1
    assert places(boxed, after) == [(40, 40)]
    assert boxed.ask("SELECT job_id FROM deferred") == [(after,)]


def test_who_is_delayed_is_known_before_and_told_after(boxed: Desk) -> None:
    bob = person(boxed, "bob")
    running = boxed.job(resources=WHOLE, time_limit="1h")
    run(boxed, running)
    waiting = [as_caller(boxed, bob).job(resources=WHOLE, time_limit="30m") for _ in range(2)]
    mine = boxed.job(resources=WHOLE, time_limit="40m")

    seen = foresee_bump(ports(boxed), boxed.caller, [mine], "urgent", now=utc_now())
    assert [(shift.job_id, shift.user, round(shift.later)) for shift in seen.delayed] == [
        (waiting[0], "bob", 2400),
        (waiting[1], "bob", 2400),
    ]
    assert round(seen.shifts[mine].later) == -3600
    assert boxed.ask("SELECT count(*) FROM outbox WHERE kind = 'delayed'") == [(0,)]
    assert places(boxed, mine) == [(20, 20)]

    bumped(boxed, [mine])
    assert boxed.ask("SELECT job_id, body FROM outbox WHERE kind = 'delayed'") == [
        (
            waiting[0],
            f"⇅ job {waiting[0]} is delayed by about 40m: ann bumped {mine} to urgent\n"
            f"delayed, too: job {waiting[1]}\n"
            f"See when it starts: sentinels status {waiting[0]}",
        )
    ]


def test_a_second_delay_is_told_with_the_first_or_anew(boxed: Desk) -> None:
    bob = person(boxed, "bob")
    run(boxed, boxed.job(resources=WHOLE, time_limit="1h"))
    as_caller(boxed, bob).job(resources=WHOLE, time_limit="30m")
    mine = [boxed.job(resources=WHOLE, time_limit="40m") for _ in range(3)]
    for job in mine[:2]:
        bumped(boxed, [job])
    [(body,)] = boxed.ask("SELECT body FROM outbox WHERE kind = 'delayed'")
    assert str(body).count("is delayed by about 40m: ann bumped") == 2

    boxed.change("UPDATE outbox SET state = 'delivered', due_at = NULL, delivered_at = now()")
    bumped(boxed, [mine[2]])
    [(body, state)] = boxed.ask("SELECT body, state FROM outbox WHERE kind = 'delayed'")
    assert str(body).count("is delayed by about 40m: ann bumped") == 1
    assert state == "pending"


def test_who_did_it_is_not_told_and_who_wants_no_word_gets_none(boxed: Desk) -> None:
    bob = person(boxed, "bob")
    run(boxed, boxed.job(resources=WHOLE, time_limit="1h"))
    boxed.job(resources=WHOLE, time_limit="30m")
    as_caller(boxed, bob).job(resources=WHOLE, time_limit="30m", notify={"on": ["failed"]})
    mine = boxed.job(resources=WHOLE, time_limit="40m")
    assert len(bumped(boxed, [mine]).delayed) == 2
    assert boxed.ask("SELECT count(*) FROM outbox WHERE kind = 'delayed'") == [(0,)]


@pytest.mark.parametrize(
    ("user", "team", "role", "error"),
    [
        ("ann", "default", Role.MEMBER, None),
        ("bob", "default", Role.MEMBER, NotAllowed),
        ("bob", "default", Role.LEAD, None),
        ("eve", "speech", Role.MEMBER, NotFound),
        ("eve", "speech", Role.LEAD, NotFound),
        ("eve", "speech", Role.OPERATOR, None),
    ],
)
def test_who_may_bump_whose(
    boxed: Desk, user: str, team: str, role: Role, error: type[SentinelsError] | None
) -> None:
    job = boxed.job(resources=WHOLE)
    caller = person(boxed, user, team, role)
    if error is None:
        bumped(boxed, [job], caller=caller)
        assert places(boxed, job) == [(40, 40)]
    else:
        with pytest.raises(error):
            bumped(boxed, [job], caller=caller)
        assert places(boxed, job) == [(20, 20)]
        assert boxed.story(job) == ["queued"]


def test_a_class_that_is_not_theirs_or_that_there_is_not_is_refused(boxed: Desk) -> None:
    job = boxed.job(resources=WHOLE)
    boxed.policy = read_policy({"access": {"urgent": {"roles": ["lead"]}}})
    with pytest.raises(NotAllowed, match="'urgent': is not for you to use"):
        bumped(boxed, [job])
    with pytest.raises(InvalidRequest, match="'hihg': there is no such priority class") as raised:
        bumped(boxed, [job], "hihg")
    assert raised.value.remedy == "did you mean high?"
    bumped(boxed, [job], caller=replace(boxed.caller, role=Role.LEAD))
    assert places(boxed, job) == [(40, 40)]


def test_a_job_that_runs_or_has_ended_is_refused(boxed: Desk) -> None:
    job = boxed.job(resources=WHOLE)
    run(boxed, job)
    with pytest.raises(Conflict, match=f"job {job} was launched already"):
        bumped(boxed, [job])
    waiting = boxed.job(resources=WHOLE)
    PostgresIntake(boxed.engine, boxed.failpoint).cancel(boxed.caller, waiting)
    with pytest.raises(Conflict, match=rf"job {waiting} has ended \(cancelled\)"):
        bumped(boxed, [waiting])
    with pytest.raises(NotFound):
        bumped(boxed, [10**9])
    other = boxed.job(resources=WHOLE)
    done = bumped(boxed, [job, waiting, other])
    assert [each.job_id for each in done.jobs] == [other]
    assert [left.target.job_id for left in done.left] == [job, waiting]


def test_a_bump_waits_for_a_pass_that_is_claiming_and_takes_nothing_from_it(boxed: Desk) -> None:
    job, other = (boxed.job(resources=WHOLE) for _ in range(2))
    found: list[object] = []

    def late() -> None:
        try:
            found.append(bumped(boxed, [job]))
        except Conflict as conflict:
            found.append(conflict)

    thread = threading.Thread(target=late)
    with boxed.queue.admission() as admission:
        assert admission is not None
        [lane] = admission.lane_heads(depth=10)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        [claim] = admission.claim([Grant(lane.lane_id, ("box",))], lease_seconds=30)
        assert claim.ref.job_id == job
    thread.join(10)
    assert isinstance(found[0], Conflict)
    assert "was launched already" in str(found[0])
    assert boxed.ask("SELECT state, priority FROM jobs WHERE id = :id", id=job) == [
        ("dispatched", 20)
    ]
    assert places(boxed, other) == [(20, 20)]


def test_bumps_passes_and_cancels_at_once_lose_no_job_and_run_none_twice(boxed: Desk) -> None:
    boxed.cluster.nodes = [Node("box", Resources(8000, 64 * GIB))]
    ids = [boxed.job(resources={"cpu": 1, "memory": "1Gi"}) for _ in range(40)]
    boxed.max_launches = 3
    intake, chance = PostgresIntake(boxed.engine, boxed.failpoint), random.Random(7)

    def act(number: int) -> None:
        wish = chance.choice(("bump", "bump", "tick", "cancel"))
        with suppress(Conflict):
            if wish == "bump":
                some = chance.sample(ids, 3)
                bumped(boxed, some, chance.choice(("low", "normal", "high", "urgent")))
            elif wish == "tick":
                boxed.tick()
            elif number % 3 == 0:
                intake.cancel(boxed.caller, chance.choice(ids))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(act, range(90)))

    launched = [launch.ref.job_id for launch in boxed.cluster.launches]
    assert len(launched) == len(set(launched))
    rows = boxed.ask(
        "SELECT j.id, j.state, j.priority, array_agg(l.priority) FILTER (WHERE l.id IS NOT NULL)"
        "  FROM jobs j LEFT JOIN queue q ON q.job_id = j.id LEFT JOIN lanes l ON l.id = q.lane_id"
        " GROUP BY j.id"
    )
    assert len(rows) == len(ids)
    for _, state, priority, lanes in rows:
        assert lanes == ([priority] if state == "queued" else None)
    boxed.cluster.nodes = [Node("box", Resources(800_000, 640 * GIB))]
    boxed.max_launches = 50
    boxed.tick()
    assert boxed.ask("SELECT count(*) FROM jobs WHERE state = 'queued'") == [(0,)]
