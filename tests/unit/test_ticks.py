"""How long a function may rest between two ticks, by its schedule; and other surroundings."""

from __future__ import annotations

import pytest

from sentinels.core.policy import Policy
from sentinels.core.vitals import TICK_DISPATCH, TICK_NOTIFY
from sentinels.functions.ticks import USUAL_SECONDS, longest_pause, tick_seconds
from sentinels.functions.wiring import make_surroundings
from sentinels.settings import Settings


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("*/10 * * * * *", 10),
        ("*/5 * * * *", 300),
        ("0 */2 * * *", 7200),
        ("0,20 * * * * *", 40),
        ("*/5 8-17 * * *", 14 * 3600 + 300),
        ("", USUAL_SECONDS),
        ("when it suits", USUAL_SECONDS),
    ],
)
def test_the_longest_pause_of_a_schedule_counts(schedule: str, seconds: float) -> None:
    assert longest_pause(schedule) == seconds


def test_each_function_has_its_own() -> None:
    settings = Settings(dispatch_schedule="*/30 * * * * *", notify_schedule="* * * * *")
    assert tick_seconds(settings) == {TICK_DISPATCH: 30, TICK_NOTIFY: 60}


@pytest.mark.parametrize(("size", "limit"), [("", 0), ("10Gi", 10 * 2**30), ("1T", 10**12)])
def test_the_volume_is_told_in_bytes(size: str, limit: int) -> None:
    made = make_surroundings(Settings(database_volume=size), Policy)
    assert made.database_limit_bytes == limit
    assert made.priority_classes() == Policy().priority_classes


def test_a_volume_of_no_size_ends_the_function_with_a_sentence() -> None:
    with pytest.raises(SystemExit, match="SENTINELS_DATABASE_VOLUME='ten' is no amount of memory"):
        make_surroundings(Settings(database_volume="ten"), Policy)
