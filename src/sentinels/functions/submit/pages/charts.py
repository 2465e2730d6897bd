"""What the pages draw, as numbers: a job's time line, how full a node is, what a job used.

Pure. Comes in: values of the core. Goes out: percentages and points for the templates.
Before: ``views``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sentinels.core.capacity import KINDS, Resources
from sentinels.core.job import JobState
from sentinels.core.ports import Json
from sentinels.core.reading import EventView, NodeView
from sentinels.core.series import NAMES, in_words

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


@dataclass(frozen=True, slots=True)
class Curve:
    """A quantity over time as points in a box of 100 by 30; ``asked`` is the height of what was
    asked for.
    """

    noun: str
    points: str
    asked: float | None
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


def polyline(samples: Sequence[tuple[float, float]], *, seconds: float, top: float) -> str:
    """Points of a line in a box of 100 by 30 from pairs of seconds and a value; nothing for fewer
    than two.
    """
    if len(samples) < 2 or top <= 0 or seconds <= 0:
        return ""
    return " ".join(
        f"{min(at / seconds, 1) * 100:.2f},{30 - min(value / top, 1) * 28 - 1:.2f}"
        for at, value in samples
    )


def curves(use: Mapping[str, Json]) -> list[Curve]:
    """A curve for each quantity of a block of the HTTP interface's ``Usage``."""
    found = use.get("quantities")
    quantities = (
        [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
    )
    pairs = [_pairs(one) for one in quantities]
    seconds = max((samples[-1][0] for samples in pairs if samples), default=0.0)
    return [_curve(one, samples, seconds) for one, samples in zip(quantities, pairs, strict=True)]


def _curve(
    quantity: Mapping[str, Json], samples: list[tuple[float, float]], seconds: float
) -> Curve:
    unit, asked = str(quantity["unit"]), _number(quantity.get("asked"))
    peak, mean = _number(quantity.get("peak")), _number(quantity.get("mean"))
    of = f" of {in_words(asked, unit)} ({peak / asked:.0%})" if asked else ""
    top = 100.0 if unit == "percent" else max(asked, peak)
    return Curve(
        noun=NAMES.get(str(quantity["name"]), str(quantity["name"])),
        points=polyline(samples, seconds=seconds, top=top),
        asked=30 - asked / top * 28 - 1 if asked and top else None,
        words=f"mean {in_words(mean, unit)}, peak {in_words(peak, unit)}{of}",
    )


def _pairs(quantity: Mapping[str, Json]) -> list[tuple[float, float]]:
    samples = quantity.get("samples")
    listed = samples if isinstance(samples, list) else []
    return [(_number(one[0]), _number(one[1])) for one in listed if isinstance(one, list)]


def _number(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _sum(view: NodeView) -> Resources:
    used, foreign = view.used, view.node.foreign
    return Resources(
        used.cpu_millis + foreign.cpu_millis,
        used.memory_bytes + foreign.memory_bytes,
        used.gpus + foreign.gpus,
    )


def _percent(part: int, whole: int) -> float:
    return round(min(100.0, part / whole * 100), 1) if whole else 0.0
