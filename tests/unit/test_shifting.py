"""Whose starts move if something is changed, as far as both futures can be told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.capacity import Node, Resources
from sentinels.core.job import JobId
from sentinels.core.planning import LaneHead
from sentinels.core.policy import Policy
from sentinels.core.scene import Scene, Waiting
from sentinels.core.shifting import moved, shifts

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WHOLE = Resources(4000)
HOUR = 3600


def scene(*jobs: tuple[str, int], minutes: int = 60) -> Scene:
    """One node that holds one job at a time; jobs of these teams and priorities wait for it."""
    keys = list(dict.fromkeys(jobs))
    lanes = [
        LaneHead(number, team, priority, WHOLE, JobId(0), NOW, 1)
        for number, (team, priority) in enumerate(keys)
    ]
    waiting = [
        Waiting(JobId(job_id), keys.index(job), NOW, time_limit=minutes * 60, user=f"{job[0]}1")
        for job_id, job in enumerate(jobs, 1)
    ]
    return Scene(NOW, lanes, [Node("box", WHOLE)], [], Policy(), waiting)


def test_who_is_overtaken_starts_later_and_who_is_behind_both_as_before() -> None:
    before = scene(("a", 20), ("a", 20), ("a", 20), ("a", 20))
    found = {each.job_id: each for each in shifts(before, moved(before, {3}, 40))}
    assert {job: each.later for job, each in found.items()} == {
        1: HOUR,
        2: HOUR,
        3: -2 * HOUR,
        4: 0,
    }
    assert [each for each in found if found[each].is_moved] == [1, 2, 3]
    assert (found[3].place_before, found[3].place_after) == (3, 1)
    assert (found[1].user, found[1].team) == ("a1", "a")
    assert found[1].after == NOW + timedelta(hours=1)


def test_a_lane_that_is_there_takes_the_job_in_the_order_of_their_numbers() -> None:
    before = scene(("a", 20), ("a", 40))
    after = moved(before, {1}, 40)
    assert len(after.lanes) == 2
    assert [(each.job_id, each.lane_id) for each in after.waiting] == [(1, 1), (2, 1)]


def test_of_what_one_future_is_too_short_for_nothing_is_said() -> None:
    before = scene(*[("a", 20)] * 20)
    found = {each.job_id: each.later for each in shifts(before, moved(before, {20}, 40), steps=5)}
    noticed = {job: later for job, later in found.items() if later}
    assert noticed == {1: HOUR, 2: HOUR, 3: HOUR, 4: HOUR, 5: HOUR, 20: float("-inf")}
    assert 6 not in found


def test_what_can_never_start_any_more_is_delayed_without_end() -> None:
    before = scene(("a", 20), ("b", 20))
    after = scene(("a", 20), ("b", 20))
    nothing = Scene(NOW, after.lanes, [], [], Policy(), after.waiting)
    assert [each.later for each in shifts(before, nothing)] == [float("inf")] * 2
    assert [each.later for each in shifts(nothing, before)] == [float("-inf")] * 2


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from((10, 20, 30))), max_size=12),
    st.integers(0, 11),
)
def test_a_job_that_goes_where_it_is_moves_nobody(jobs: list[tuple[str, int]], which: int) -> None:
    before = scene(*jobs)
    chosen = {
        each.job_id: lane.priority
        for each in before.waiting
        for lane in before.lanes
        if lane.lane_id == each.lane_id and each.job_id == which + 1
    }
    for job_id, priority in chosen.items():
        assert not any(each.is_moved for each in shifts(before, moved(before, {job_id}, priority)))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from((10, 20, 30))), max_size=12),
    st.sets(st.integers(1, 12), max_size=4),
)
def test_no_job_is_lost_or_doubled(jobs: list[tuple[str, int]], chosen: set[int]) -> None:
    before = scene(*jobs)
    after = moved(before, chosen, 40)
    assert sorted(each.job_id for each in after.waiting) == list(range(1, len(jobs) + 1))
    lanes = {lane.lane_id: lane for lane in after.lanes}
    assert len(lanes) == len(after.lanes)
    for each, (team, priority) in zip(after.waiting, jobs, strict=True):
        lane = lanes[each.lane_id]
        assert (lane.team, lane.priority) == (team, 40 if each.job_id in chosen else priority)
