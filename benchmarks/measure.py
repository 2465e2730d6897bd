"""Interleaved timing: every round times each candidate once, so that noise hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report. ``met`` is None where there is no goal to meet."""

    what: str
    figure: str
    goal: str = ""
    met: bool | None = None


def interleaved(
    candidates: Mapping[str, Callable[[], object]], *, rounds: int, warm_up: int = 3
) -> dict[str, float]:
    """Median seconds of each candidate over ``rounds``, after ``warm_up`` untimed ones."""
    seen: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + warm_up):
        for name, candidate in candidates.items():
            begin = time.perf_counter()
            candidate()
            if turn >= warm_up:
                seen[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) for name, times in seen.items()}


def at_least(what: str, ratio: float, goal: float, detail: str) -> Result:
    """A ratio that should be high."""
    return Result(what, f"{ratio:.2f} ({detail})", f"≥ {goal}", ratio >= goal)


def at_most(what: str, ratio: float, goal: float, detail: str) -> Result:
    """A ratio that should be low."""
    return Result(what, f"{ratio:.2f} ({detail})", f"≤ {goal}", ratio <= goal)


def ms(seconds: float) -> str:
    """Seconds as milliseconds for people."""
    return f"{seconds * 1000:.2f} ms"
