"""When the clock ticks: the moments of a cron schedule, as PingSource takes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentinels.core.errors import InvalidRequest
from sentinels.sources import ping
from sentinels.sources.ping import by_cron, every

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


class Clock:
    """The time of day, which a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON
        monkeypatch.setattr(ping, "utc_now", lambda: self.now)

    def at(self, seconds: float) -> None:
        self.now = NOON + timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize(
    ("schedule", "seconds", "wait"),
    [
        ("*/10 * * * * *", 0, 10),
        ("*/10 * * * * *", 3.5, 6.5),
        ("*/10 * * * * *", 9.999, 0.001),
        ("30 * * * * *", 0, 30),
        ("*/5 * * * *", 0, 300),
        ("*/5 * * * *", 299, 1),
        ("0 0 13 * * *", 0, 3600),
    ],
)
def test_the_next_tick_is_the_schedules_next_moment(
    clock: Clock, schedule: str, seconds: float, wait: float
) -> None:
    wait_seconds = by_cron(schedule)
    clock.at(seconds)
    assert wait_seconds() == pytest.approx(wait, abs=1e-6)


def test_what_was_slept_through_is_not_made_up_for(clock: Clock) -> None:
    wait_seconds = by_cron("*/10 * * * * *")
    assert wait_seconds() == 10
    clock.at(3605)
    assert wait_seconds() == 5


def test_a_clock_that_is_set_back_does_not_silence_it(clock: Clock) -> None:
    clock.at(7200)
    wait_seconds = by_cron("*/10 * * * * *")
    clock.at(1)
    assert wait_seconds() == 9


@pytest.mark.parametrize(
    "schedule", ["", "every minute", "* * *", "61 * * * * *", "* * * * * * * *"]
)
def test_a_schedule_that_is_none_is_a_sentence_with_its_remedy(schedule: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        by_cron(schedule)
    assert repr(schedule) in str(error.value)
    assert error.value.remedy == "write cron, as in '*/10 * * * * *'"


def test_without_a_schedule_it_waits_always_as_long() -> None:
    wait_seconds = every(2.5)
    assert [wait_seconds(), wait_seconds()] == [2.5, 2.5]
