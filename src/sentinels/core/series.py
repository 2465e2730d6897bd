"""Series of measurements: thinned, summed up, and as plain JSON.

A thinned point is the largest of a level (memory), since the largest is what counts, and the mean
of a rate. Comes in: samples, the oldest first. Goes out: fewer, a ``Summary``, JSON. Before:
``meter``. Next: ``sizing``; ``functions/submit/usage``, ``db/usage``, which keep and show them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinels.core.meter import Quantity, Sample, Series
from sentinels.core.ports import Json
from sentinels.core.quantity import about_memory

LEVELS = frozenset({Quantity.MEMORY_BYTES, Quantity.GPU_MEMORY_BYTES})
"""Quantities of which the largest counts; of the others it is the mean."""
_DECIMALS = {Quantity.CPU_CORES: 3, Quantity.GPU_PERCENT: 1}
NAMES: Mapping[str, str] = {
    Quantity.CPU_CORES: "CPU",
    Quantity.MEMORY_BYTES: "memory",
    Quantity.GPU_PERCENT: "GPU",
    Quantity.GPU_MEMORY_BYTES: "GPU memory",
    Quantity.RECEIVED_BYTES: "received",
    Quantity.SENT_BYTES: "sent",
}
"""What people call them."""
_WORDS: Mapping[str, Callable[[float], str]] = {
    "cores": lambda value: f"{value:.2f}" if value < 10 else f"{value:.1f}",
    "bytes": lambda value: about_memory(round(value)),
    "percent": lambda value: f"{value:.0f} %",
    "bytes a second": lambda value: f"{about_memory(round(value))}/s",
}


def in_words(value: float, unit: str) -> str:
    """A value for people, as short as it can be; ``unit`` is what the HTTP interface calls it."""
    words = _WORDS.get(unit)
    return words(value) if words else str(value)


@dataclass(frozen=True, slots=True)
class Summary:
    """A series in four numbers. Of twenty samples, one is larger than ``p95``."""

    now: float
    mean: float
    p95: float
    peak: float


def thinned(series: Series, points: int) -> dict[Quantity, list[Sample]]:
    """The same series in at most so many points each, evenly in time."""
    return {
        quantity: _thin(samples, points, level=quantity in LEVELS)
        for quantity, samples in series.items()
    }


def summary(samples: Sequence[Sample]) -> Summary | None:
    """The numbers of a series; None where nothing was measured."""
    if not samples:
        return None
    values = [sample.value for sample in samples]
    ordered = sorted(values)
    return Summary(
        now=values[-1],
        mean=sum(values) / len(values),
        p95=ordered[math.ceil(0.95 * len(ordered)) - 1],
        peak=ordered[-1],
    )


def within(samples: Sequence[Sample], begin: datetime, end: datetime) -> list[Sample]:
    """Those that were taken between two moments."""
    return [sample for sample in samples if begin <= sample.at <= end]


def rounded(quantity: Quantity, value: float) -> float:
    """As exact as people want it: whole bytes, thousandths of a core, tenths of a percent."""
    decimals = _DECIMALS.get(quantity)
    return round(value, decimals) if decimals else round(value)


def series_json(series: Series, begin: datetime) -> dict[str, Json]:
    """As pairs of seconds since ``begin`` and a value, by quantity."""
    return {
        quantity.value: [
            [round((sample.at - begin).total_seconds(), 1), rounded(quantity, sample.value)]
            for sample in samples
        ]
        for quantity, samples in series.items()
    }


def read_series(
    found: Mapping[str, Sequence[tuple[float, float]]], begin: datetime
) -> dict[Quantity, list[Sample]]:
    """What ``series_json`` wrote; a quantity that this version does not know is passed over."""
    return {
        quantity: [
            Sample(begin + timedelta(seconds=seconds), value) for seconds, value in found[quantity]
        ]
        for quantity in Quantity
        if quantity in found
    }


def _thin(samples: Sequence[Sample], points: int, *, level: bool) -> list[Sample]:
    if len(samples) <= points:
        return list(samples)
    begin, end = samples[0].at, samples[-1].at
    span = (end - begin).total_seconds() or 1.0
    buckets: dict[int, list[Sample]] = {}
    for sample in samples:
        bucket = int((sample.at - begin).total_seconds() / span * points)
        buckets.setdefault(min(bucket, points - 1), []).append(sample)
    return [_merged(bucket, level=level) for bucket in buckets.values()]


def _merged(samples: Sequence[Sample], *, level: bool) -> Sample:
    values = [sample.value for sample in samples]
    return Sample(samples[-1].at, max(values) if level else sum(values) / len(values))
