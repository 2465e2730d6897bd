"""What the pages draw, as numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.capacity import Node, Resources
from sentinels.core.job import JobEvent, JobId, JobState
from sentinels.core.reading import EventView, NodeView
from sentinels.functions.submit.pages.charts import curves, gauges, polyline, time_line

_BEGIN = datetime(2026, 11, 28, 12, tzinfo=UTC)
_WAY = (JobState.QUEUED, JobState.DISPATCHED, JobState.RUNNING, JobState.SUCCEEDED)


def story(*seconds: float) -> list[EventView]:
    """The moves of a job, each so many seconds after the one before."""
    at, told = _BEGIN, []
    for number, (state, pause) in enumerate(zip(_WAY, seconds, strict=False)):
        at += timedelta(seconds=pause)
        told.append(EventView(number, JobEvent(JobId(1), 1, None, state, None, "ann", at)))
    return told


def test_a_time_line_has_each_state_that_lasted_and_not_the_end() -> None:
    spans = time_line(story(0, 30, 30, 60), _BEGIN + timedelta(days=1))

    assert [(span.state, span.seconds) for span in spans] == [
        ("queued", 30),
        ("dispatched", 30),
        ("running", 60),
    ]
    assert [(span.left, span.width) for span in spans] == [(0, 25), (25, 25), (50, 50)]


def test_a_job_that_goes_on_is_drawn_up_to_now() -> None:
    spans = time_line(story(0, 10), _BEGIN + timedelta(seconds=40))

    assert [span.seconds for span in spans] == [10, 30]


def test_a_job_without_events_has_no_time_line() -> None:
    assert time_line([], _BEGIN) == []


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=4), st.floats(-10, 1e6))
def test_a_time_line_stays_in_its_box_whatever_the_clocks_say(
    pauses: list[float], now: float
) -> None:
    for span in time_line(story(*pauses), _BEGIN + timedelta(seconds=now)):
        assert 0 <= span.left < 100
        assert 0 < span.width <= 100


def test_a_nodes_bars_tell_our_use_from_that_of_others() -> None:
    node = Node("n1", Resources(4000, 8 * 2**30), foreign=Resources(1000, 2 * 2**30))
    bars = gauges(NodeView(node, used=Resources(2000, 2**30), jobs=[]))

    assert [(bar.noun, bar.ours, bar.others) for bar in bars] == [
        ("cpu", 50, 25),
        ("memory", 12.5, 25),
    ]
    assert bars[0].words == "3 of 4 CPUs"


def test_a_curve_is_drawn_against_what_was_asked_for() -> None:
    cores = {"name": "cpu_cores", "unit": "cores", "asked": 2.0, "mean": 0.5, "peak": 1.0}
    gpu = {"name": "gpu_percent", "unit": "percent", "asked": None, "mean": 40, "peak": 50}
    use = {"quantities": [cores | {"samples": [[0, 0], [10, 1]]}, gpu | {"samples": [[20, 50]]}]}

    first, second = curves(use)

    assert (first.noun, first.words) == ("CPU", "mean 0.50, peak 1.00 of 2.00 (50%)")
    assert (first.points, first.asked) == ("0.00,29.00 50.00,15.00", 1)
    assert (second.words, second.points, second.asked) == ("mean 40 %, peak 50 %", "", None)


def test_what_was_not_measured_has_no_curves() -> None:
    assert curves({"quantities": [], "unavailable": None}) == []


@pytest.mark.parametrize(
    ("samples", "top", "points"),
    [
        ([], 1, ""),
        ([(0, 1)], 1, ""),
        ([(0, 1), (20, 2)], 0, ""),
        ([(0, 0), (10, 4), (21, 9)], 4, "0.00,29.00 50.00,1.00 100.00,1.00"),
    ],
)
def test_a_line_needs_two_samples_and_something_to_measure_by(
    samples: list[tuple[float, float]], top: float, points: str
) -> None:
    assert polyline(samples, seconds=20, top=top) == points
