"""What is foretold is kept where it is news, and a slip is told where it is worth it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentinels.core.audience import Audience
from sentinels.core.forecasting import Owned, is_another, slip_notice, slips_much
from sentinels.core.foreseeing import Range
from sentinels.core.job import JobId
from sentinels.core.scene import Waiting
from sentinels.core.submission_reading import read_submission
from sentinels.core.workload import WorkloadRef

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def span(early: float, late: float | None) -> Range:
    return Range(at(early), None if late is None else at(late))


@pytest.mark.parametrize(
    ("old", "new", "news"),
    [
        (span(10, 20), span(10, 20), False),
        (span(10, 20), span(11.9, 21.9), False),
        (span(10, 20), span(13, 20), True),
        (span(600, 900), span(650, 950), False),
        (span(600, 900), span(700, 900), True),
        (span(10, 20), span(10, None), True),
        (span(10, None), span(10, None), False),
    ],
)
def test_a_range_is_kept_where_it_is_clearly_another(old: Range, new: Range, news: bool) -> None:
    assert is_another(old, new, NOW) is news


@pytest.mark.parametrize(
    ("first", "new", "slips"),
    [
        (span(10, 20), span(30, 50), False),
        (span(10, 20), span(36, 50), True),
        (span(10, 240), span(280, 300), False),
        (span(10, 240), span(301, 400), True),
        (span(10, None), span(500, None), False),
        (span(10, 20), span(1, 90), False),
    ],
)
def test_a_slip_is_told_where_it_is_long_and_a_large_part_of_the_wait(
    first: Range, new: Range, slips: bool
) -> None:
    assert slips_much(first, new, Waiting(JobId(1), 1, NOW)) is slips


def test_a_slip_says_when_instead_and_where_to_ask_why() -> None:
    submission = read_submission("team/bert:1", {"name": "bert", "command": ["true"]})
    owned = Owned(WorkloadRef(JobId(12), 0), "ann", submission, False, Audience())
    told = slip_notice(owned, span(10, 20), span(60, None))
    assert told.kind == "slipped"
    assert told.body == (
        "↷ job 12 bert (ann) starts later than expected: 13:00 UTC or later, not by 12:20 UTC"
        " (40m later at the least)\n"
        "Why, and what would start it: sentinels why 12"
    )
