"""How long a function may go without a tick, by its schedule.

Comes in: a cron schedule of five fields, or of six with seconds in front, as PingSource takes it.
Goes out: seconds. Before: ``gauges``.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

from sentinels.clock import utc_now
from sentinels.core.vitals import TICK_DISPATCH, TICK_NOTIFY
from sentinels.settings import Settings

USUAL_SECONDS = 10.0
"""Where no schedule is told, as with ``sentinels up``, or none that can be read."""
_TICKS_AHEAD = 500
"""Enough to see the night of a schedule that rests at night."""


def tick_seconds(settings: Settings) -> dict[str, float]:
    """The longest pause between two ticks of each source, by the name of its sign."""
    schedules = {
        TICK_DISPATCH: settings.dispatch_schedule,
        TICK_NOTIFY: settings.notify_schedule,
    }
    return {name: longest_pause(schedule) for name, schedule in schedules.items()}


@cache
def longest_pause(schedule: str) -> float:
    """The longest time between two of the next ticks."""
    if not schedule:
        return USUAL_SECONDS
    try:
        from croniter import CroniterError, croniter
    except ModuleNotFoundError:
        return USUAL_SECONDS
    try:
        moments = croniter(
            schedule, utc_now(), second_at_beginning=len(schedule.split()) == 6, ret_type=float
        )
        ticks = [float(moments.get_next()) for _ in range(_TICKS_AHEAD)]
    except CroniterError:
        return USUAL_SECONDS
    return max(later - earlier for earlier, later in pairwise(ticks))
