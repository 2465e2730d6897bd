"""How many workloads a pass may launch without running ahead of the cluster.

A controller that is given more than it starts works through the surplus later, in its own order and
without asking the queue again. So what was launched and not begun with is kept below what the
cluster begins with in ``AHEAD_SECONDS``. Comes in: what the last passes launched and saw. Goes out:
a number. Before: ``dispatching``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

PROMISED_SECONDS = 2.0
"""No workload waits longer to be begun with, as far as the cluster keeps its rate."""
AHEAD_SECONDS = 1.5
"""What is aimed at: that a rate has fallen is known only a pass later."""
FIRST_WINDOW = 16
"""Before anything was measured: two seconds of a stock Job controller (8.5 a second)."""

_SHORTEST_SECONDS = 0.5
"""A rate is believed once the cluster was seen busy for this long."""
_LONGEST_SECONDS = 20.0
"""What it did longer ago says little of what it does now."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A pass as far as pace depends on it: how long ago it began, what it found unstarted then, and
    what it launched after that.
    """

    seconds_ago: float
    launched: int
    unstarted: int


def launch_budget(
    passes: Sequence[Pace], *, unstarted: int, most: int, seconds_ago: float = 0.0
) -> int:
    """How many may be launched now, at most ``most``; ``passes`` are the newest first.

    This pass found ``unstarted`` when it began, ``seconds_ago``.
    """
    window = _window([Pace(seconds_ago, 0, unstarted), *passes])
    return max(0, min(most, window - unstarted))


def _window(passes: Sequence[Pace]) -> int:
    """How many may be unstarted at once.

    Between two passes that both found something unstarted the cluster was busy: what it began with
    is its rate. Between others it may have been idle: it can do at least what it did, so that the
    window grows as long as everything is begun with in less than ``AHEAD_SECONDS``. Of the busy
    times only the last counts.
    """
    begun, seconds, proven = 0, 0.0, 0.0
    for later, earlier in pairwise(passes):
        gap = earlier.seconds_ago - later.seconds_ago
        began = earlier.unstarted + earlier.launched - later.unstarted
        if gap <= 0:
            continue
        if earlier.unstarted and later.unstarted:
            begun, seconds = begun + began, seconds + gap
        elif seconds >= _SHORTEST_SECONDS:
            break
        else:
            begun, seconds, proven = 0, 0.0, max(proven, began / gap)
        if seconds >= _LONGEST_SECONDS:
            break
    if seconds < _SHORTEST_SECONDS:
        return max(FIRST_WINDOW, math.ceil(AHEAD_SECONDS * proven))
    return max(1, math.ceil(AHEAD_SECONDS * max(proven, begun / seconds)))
