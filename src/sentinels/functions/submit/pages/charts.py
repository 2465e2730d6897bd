"""What the pages draw, as numbers: a job's time line, how full a node is, a line of samples.

Pure. Comes in: values of the core. Goes out: percentages and points for ``templates/charts.html``.
Before: ``views``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sentinels.core.capacity import KINDS, Resources
from sentinels.core.job import JobState
from sentinels.core.reading import EventView, NodeView

_LEAST_PERCENT = 0.6
"""What lasted a moment is seen all the same."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a time line: in which state, from where and how wide, in percent."""

    state: str
    attempt: int
    left: float
    width: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Gauge:
    """How much of a node's resource is held by us and by others, in percent, and in words."""

    noun: str
    ours: float
    others: float
    words: str


def time_line(events: Sequence[EventView], now: datetime) -> list[Span]:
    """The states that a job was in, one after the other, up to its end or now."""
    if not events:
        return []
    begin = events[0].event.at
    over = events[-1].event.to_state in _ENDS
    end = events[-1].event.at if over else max(now, events[-1].event.at)
    whole = max((end - begin).total_seconds(), 0.001)
    following = [view.event.at for view in events[1:]] + [end]
    return [
        _span(view, until, begin, whole)
        for view, until in zip(events, following, strict=True)
        if view.event.to_state not in _ENDS
    ]


def _span(view: EventView, until: datetime, begin: datetime, whole: float) -> Span:
    event = view.event
    seconds = (until - event.at).total_seconds()
    left = (event.at - begin).total_seconds() / whole * 100
    width = max(seconds / whole * 100, _LEAST_PERCENT)
    return Span(
        event.to_state.value, event.attempt, min(left, 100 - _LEAST_PERCENT), width, seconds
    )


_ENDS = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


def gauges(view: NodeView) -> list[Gauge]:
    """A bar for each kind of resource that the node has."""
    offered = view.node.allocatable
    return [
        Gauge(
            noun=kind.key,
            ours=_percent(kind.amount(view.used), kind.amount(offered)),
            others=_percent(kind.amount(view.node.foreign), kind.amount(offered)),
            words=f"{kind.there(_sum(view))} of {kind.there(offered)} {kind.noun(offered)}",
        )
        for kind in KINDS
        if kind.amount(offered)
    ]


def polyline(values: Sequence[float], *, top: float) -> str:
    """Points of a line in a box of 100 by 30, the oldest left; nothing for fewer than two."""
    if len(values) < 2 or top <= 0:
        return ""
    step = 100 / (len(values) - 1)
    return " ".join(
        f"{place * step:.2f},{30 - min(value / top, 1) * 28 - 1:.2f}"
        for place, value in enumerate(values)
    )


def _sum(view: NodeView) -> Resources:
    used, foreign = view.used, view.node.foreign
    return Resources(
        used.cpu_millis + foreign.cpu_millis,
        used.memory_bytes + foreign.memory_bytes,
        used.gpus + foreign.gpus,
    )


def _percent(part: int, whole: int) -> float:
    return round(min(100.0, part / whole * 100), 1) if whole else 0.0
