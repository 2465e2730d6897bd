"""What will start when, if everything goes on as expected."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sentinels.core.capacity import Node, Resources
from sentinels.core.foreseeing import Look, Range, Start, foresee, ranges
from sentinels.core.job import JobId
from sentinels.core.planning import LaneHead
from sentinels.core.policy import Policy
from sentinels.core.scene import History, Occupant, Pace, Scene, Waiting
from sentinels.core.workload import WorkloadRef

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def cpus(count: int) -> Resources:
    return Resources(count * 1000)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def lane(lane_id: int, request: Resources, *, team: str = "red", priority: int = 20) -> LaneHead:
    return LaneHead(lane_id, team, priority, request, JobId(lane_id), NOW, 1)


def job(job_id: int, lane_id: int, seconds: float) -> Waiting:
    since = NOW + timedelta(milliseconds=job_id)
    return Waiting(JobId(job_id), lane_id, since, history=History(seconds, seconds, seconds))


def scene(
    lanes: Sequence[LaneHead],
    waiting: Sequence[Waiting],
    *,
    size: int = 4,
    runs: Sequence[tuple[int, int, float]] = (),
) -> Scene:
    """One node; ``runs`` has the id, the CPUs and the seconds until its end of what is on it."""
    occupants = [
        Occupant(
            WorkloadRef(JobId(number), 1),
            "blue",
            cpus(count),
            node="a",
            started_at=NOW,
            history=History(ends, ends, ends),
        )
        for number, count, ends in runs
    ]
    return Scene(NOW, lanes, [Node("a", cpus(size))], occupants, Policy(), waiting)


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
    assert len(foresee(whole, look=Look(steps=5))) == 5
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


def test_a_range_is_from_all_ending_early_to_all_ending_late() -> None:
    found = scene([lane(1, cpus(4))], [job(10, 1, 50), job(11, 1, 50)], runs=[(1, 4, 100)])
    wide = [replace(each, history=History(20, 50, 90)) for each in found.occupants]
    line = [replace(each, history=History(40, 50, 60)) for each in found.waiting]
    assert ranges(replace(found, occupants=wide, waiting=line)) == {
        10: Range(after(20), after(90)),
        11: Range(after(60), after(150)),
    }


def test_what_waits_for_an_end_that_nobody_knows_has_no_latest_start() -> None:
    found = scene([lane(1, cpus(4))], [job(10, 1, 50)], runs=[(1, 4, 100)])
    endless = [replace(each, history=None) for each in found.occupants]
    assert ranges(replace(found, occupants=endless)) == {10: Range(after(600), None)}


def test_what_outlasted_its_like_may_end_any_moment_and_at_its_limit_at_the_latest() -> None:
    found = scene([lane(1, cpus(4))], [job(10, 1, 50)], runs=[(1, 4, 100)])
    since = after(-300)
    overdue = [replace(each, started_at=since, time_limit=500) for each in found.occupants]
    assert ranges(replace(found, occupants=overdue)) == {10: Range(NOW, after(200))}


def test_the_place_of_what_was_not_seen_on_a_node_yet_becomes_free_too() -> None:
    found = scene([lane(1, cpus(4))], [job(10, 1, 50)], runs=[(1, 4, 100)])
    launched = [replace(each, node=None, started_at=None) for each in found.occupants]
    assert foresee(replace(found, occupants=launched)) == {10: Start(after(100), "a")}


def test_looked_at_coarsely_what_ends_at_about_the_same_time_ends_together() -> None:
    found = scene([lane(1, cpus(4))], [job(10, 1, 50)], runs=[(1, 2, 100), (2, 2, 130)])
    coarse = Look(coarse_seconds=60)
    assert foresee(found, look=coarse) == {10: Start(after(130), "a")}
    assert foresee(found, pace=Pace.EARLY, look=coarse) == {10: Start(after(100), "a")}
    assert foresee(found, look=Look(go_on=lambda: False)) == {}


def test_a_look_that_is_cut_short_tells_ranges_of_what_comes_first() -> None:
    line = [job(number, 1, 50) for number in range(10)]
    found = ranges(scene([lane(1, cpus(4))], line), look=Look(steps=3))
    assert found == {number: Range(after(50 * number), after(50 * number)) for number in range(3)}
