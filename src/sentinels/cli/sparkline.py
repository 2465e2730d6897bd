"""A series as a line of small bars, or of characters that every terminal has.

Comes in: pairs of seconds and a value. Goes out: text of a given width, and a time axis below it.
Before: ``usage``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import pairwise

BARS = "▁▂▃▄▅▆▇█"
PLAIN = "_.:-=+*#"
_GAP = 2.5
"""A sample stands for the time before it, up to so many times the usual pause."""

Pair = tuple[float, float]


def bars() -> str:
    """The characters that this standard output can show, the smallest first."""
    try:
        BARS.encode(sys.stdout.encoding or "ascii")
    except (LookupError, UnicodeError):
        return PLAIN
    return BARS


def sparkline(pairs: Sequence[Pair], seconds: float, places: int, *, largest: bool = False) -> str:
    """The series over so many seconds, from zero to its largest value. Of samples that share a
    place the mean counts, or the ``largest``; a place that was not measured is empty.
    """
    top = max((value for _, value in pairs), default=0.0)
    levels = bars()
    line = ""
    for value in _places(pairs, seconds, places, largest=largest):
        level = 0 if value is None or top <= 0 else round(value / top * (len(levels) - 1))
        line += " " if value is None else levels[level]
    return line


def axis(begin: str, end: str, places: int) -> str:
    """When the line begins and when it ends; only when it begins where there is no room."""
    space = places - len(begin) - len(end)
    return f"{begin}{' ' * space}{end}" if space > 0 else begin


def _places(
    pairs: Sequence[Pair], seconds: float, places: int, *, largest: bool
) -> list[float | None]:
    width, reach = max(seconds, 1e-9) / places, _usual_pause(pairs) * _GAP
    found: list[list[float]] = [[] for _ in range(places)]
    for at, value in pairs:
        found[min(places - 1, max(0, math.ceil(at / width) - 1))].append(value)
    return [
        _one(values, largest=largest) if values else _covered(pairs, (place + 1) * width, reach)
        for place, values in enumerate(found)
    ]


def _one(values: Sequence[float], *, largest: bool) -> float:
    return max(values) if largest else sum(values) / len(values)


def _covered(pairs: Sequence[Pair], at: float, reach: float) -> float | None:
    """The value of the next sample, where it is near enough to stand for this moment."""
    return next((value for when, value in pairs if at <= when <= at + reach), None)


def _usual_pause(pairs: Sequence[Pair]) -> float:
    if len(pairs) < 2:
        return pairs[0][0] if pairs else 0.0
    pauses = sorted(later - earlier for (earlier, _), (later, _) in pairwise(pairs))
    return pauses[len(pauses) // 2]
