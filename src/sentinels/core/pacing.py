"""How many workloads a pass may launch without running ahead of the cluster.

A controller that is given more than it starts works through the surplus later, in its own order and
without asking the queue again. So what was launched and not begun with is kept below what the
cluster begins with in ``AHEAD_SECONDS``. Comes in: what the last passes launched and saw. Goes out:
a number. Before: ``dispatching``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

AHEAD_SECONDS = 2.0
FIRST_WINDOW = 16
"""Before anything was measured: two seconds of a stock Job controller (8.5 a second)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A pass as far as pace depends on it: how long ago, what it launched, what it found unstarted
    when it began.
    """

    seconds_ago: float
    launched: int
    unstarted: int


def launch_budget(passes: Sequence[Pace], *, unstarted: int, most: int) -> int:
    """How many may be launched now, at most ``most``; ``passes`` are the newest first.

    The rate is known only while there was always something left to begin with. Where everything was
    begun with, the cluster can do more than was asked of it: the window doubles.
    """
    window = _window([Pace(0.0, 0, unstarted), *passes])
    return max(0, min(most, window - unstarted))


def _window(passes: Sequence[Pace]) -> int:
    grown = FIRST_WINDOW
    for later, earlier in pairwise(passes):
        seconds = earlier.seconds_ago - later.seconds_ago
        began = earlier.unstarted + earlier.launched - later.unstarted
        if earlier.launched == 0 or seconds <= 0:
            continue
        if later.unstarted:
            return max(grown, _ahead(began, seconds))
        grown = max(grown, 2 * (earlier.launched + earlier.unstarted), _ahead(began, seconds))
    return grown


def _ahead(began: int, seconds: float) -> int:
    return int(AHEAD_SECONDS * began / seconds)
