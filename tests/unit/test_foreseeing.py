"""What will start when, if everything goes on as expected."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sentinels.core.capacity import FreeNode, Resources, Tenant
from sentinels.core.foreseeing import Occupant, Scene, Start, Waiting, foresee
from sentinels.core.job import JobId
from sentinels.core.planning import LaneHead
from sentinels.core.policy import Policy
from sentinels.core.quota import TeamUse

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def cpus(count: int) -> Resources:
    return Resources(count * 1000)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def lane(lane_id: int, request: Resources, *, team: str = "red", priority: int = 20) -> LaneHead:
    return LaneHead(lane_id, team, priority, request, JobId(lane_id), NOW, 1)


def job(job_id: int, lane_id: int, seconds: float) -> Waiting:
    return Waiting(JobId(job_id), lane_id, NOW + timedelta(milliseconds=job_id), seconds)


def scene(
    lanes: Sequence[LaneHead],
    waiting: Sequence[Waiting],
    *,
    size: int = 4,
    runs: Sequence[tuple[int, int, float]] = (),
) -> Scene:
    """One node; ``runs`` has the id, the CPUs and the seconds until its end of what is on it."""
    held = [(Tenant(number, 1, cpus(count)), ends) for number, count, ends in runs]
    used = sum(count for _, count, _ in runs)
    free = cpus(size - used)
    box = FreeNode("a", free, cpus(size), cpus(size), tenants=tuple(one for one, _ in held))
    use = TeamUse(held=cpus(used), running=len(held))
    return Scene(
        NOW,
        lanes,
        waiting,
        [box],
        [Occupant("a", "blue", one, after(ends)) for one, ends in held],
        {"blue": use},
        Policy(),
    )


def test_what_fits_starts_at_once_and_what_does_not_when_something_has_ended() -> None:
    found = foresee(scene([lane(1, cpus(3))], [job(10, 1, 50), job(11, 1, 50)], runs=[(1, 1, 400)]))
    assert found == {10: Start(NOW, "a"), 11: Start(after(50), "a")}


def test_a_job_waits_for_as_many_ends_as_it_needs() -> None:
    found = foresee(
        scene([lane(1, cpus(4))], [job(10, 1, 50)], runs=[(1, 2, 30), (2, 1, 90), (3, 1, 60)])
    )
    assert found == {10: Start(after(90), "a")}


def test_the_more_urgent_goes_first_and_pushes_the_other_back() -> None:
    lanes = [lane(1, cpus(4)), lane(2, cpus(4), priority=30)]
    found = foresee(scene(lanes, [job(10, 1, 50), job(11, 2, 70)], runs=[(1, 4, 20)]))
    assert found == {11: Start(after(20), "a"), 10: Start(after(90), "a")}


def test_what_can_never_start_is_not_foreseen_and_holds_up_nobody() -> None:
    lanes = [lane(1, cpus(9)), lane(2, cpus(4))]
    found = foresee(scene(lanes, [job(10, 1, 50), job(11, 2, 70)], runs=[(1, 4, 20)]))
    assert found == {11: Start(after(20), "a")}


def test_nothing_is_foreseen_beyond_what_is_wanted_or_looked_at() -> None:
    line = [job(number, 1, 10) for number in range(100)]
    whole = scene([lane(1, cpus(4))], line)
    assert len(foresee(whole, wanted=frozenset({3}))) == 4
    assert len(foresee(whole, steps=5)) == 5
    assert len(foresee(whole)) == 100


@settings(max_examples=200, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_line_of_one_shape_is_served_in_order_as_places_become_free(
    draw: random.Random,
) -> None:
    """Against the textbook: each next job takes the place that is free first."""
    size = draw.randint(1, 4)
    busy = [float(draw.randint(1, 50)) for _ in range(draw.randint(0, size))]
    lengths = [float(draw.randint(1, 60)) for _ in range(draw.randint(1, 12))]
    places = sorted([0.0] * (size - len(busy)) + busy)
    expected = []
    for seconds in lengths:
        begin = places.pop(0)
        expected.append(begin)
        places = sorted([*places, begin + seconds])

    runs = [(1000 + number, 1, ends) for number, ends in enumerate(busy)]
    waiting = [job(number, 1, seconds) for number, seconds in enumerate(lengths)]
    found = foresee(scene([lane(1, cpus(1))], waiting, size=size, runs=runs))

    assert [(found[number].at - NOW).total_seconds() for number in range(len(lengths))] == expected


def test_the_scene_itself_is_left_as_it_was() -> None:
    before = scene([lane(1, cpus(3))], [job(10, 1, 50), job(11, 1, 50)], runs=[(1, 1, 400)])
    same = replace(before)
    assert foresee(before) == foresee(same)
