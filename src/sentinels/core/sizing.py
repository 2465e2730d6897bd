"""What was asked for against what was used, and what would have sufficed.

Memory that is exceeded ends a program, so a quarter is added to the most that it used. Too few CPUs
only make it slower, so what it used in nineteen of twenty moments is enough. Both are rounded up to
sizes that people write. Comes in: a request, and what is known of the use. Goes out: a ``Sizing``
for each kind of resource. Before: ``series``, ``observation``. Next: ``functions/submit/usage``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sentinels.core.capacity import Resources
from sentinels.core.job import Reason
from sentinels.core.observation import Usage
from sentinels.core.quantity import about_memory, format_cpu, format_memory

MEMORY_HEADROOM = 1.25
_MIB, _GIB = 2**20, 2**30
_MEMORY_STEPS = (
    (_GIB, 64 * _MIB),
    (4 * _GIB, 256 * _MIB),
    (16 * _GIB, 512 * _MIB),
    (64 * _GIB, _GIB),
)
_LARGE_MEMORY_STEP = 4 * _GIB
_CPU_STEPS = ((1000, 100), (4000, 500))
_LARGE_CPU_STEP = 1000
_CPU_TOLERANCE = 1.03
"""A program with one thread is measured at a little more than one core now and then."""
_WORTH_SAYING = 0.8
"""What would have sufficed is told where it is less than this part of what was asked for."""
_NEARLY_ALL = 0.95
_IDLE_PERCENT = 5.0


class Verdict(StrEnum):
    """How a request suited the use."""

    LESS = "less"
    """Less would have sufficed."""
    RIGHT = "right"
    """It suited."""
    MORE = "more"
    """There was hardly room, or none: more would be better."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """One kind of resource: ``cpu`` in thousandths of a core, ``memory`` in bytes, ``gpu`` in
    percent of use of the GPUs that were asked for.

    ``share`` is how much of what was asked for was used at most. ``enough`` is what would have
    sufficed, or what would be better; None where what was asked for is as good.
    """

    kind: str
    asked: int
    used: int
    share: float
    verdict: Verdict
    enough: int | None

    @property
    def sentence(self) -> str:
        """All of it in words, as in ``asked 4Gi, used 1.1Gi at most (27 %): 1.5Gi would have
        sufficed``.
        """
        return _SENTENCES[self.kind](self)

    @property
    def enough_text(self) -> str | None:
        """``enough`` as a config says it."""
        if self.enough is None:
            return None
        return {"cpu": format_cpu, "memory": memory_text}.get(self.kind, str)(self.enough)


def sizings(
    asked: Resources,
    usage: Usage,
    *,
    usual_cores: float | None = None,
    reason: Reason | None = None,
) -> list[Sizing]:
    """What can be said of an attempt that has ended. ``usual_cores`` is the 95th percentile of its
    CPU use, where there is a series; ``reason`` is why it ended without success.
    """
    found: Sequence[Sizing | None] = (
        _cpu(asked, usual_cores, usage.peak_cpu_cores),
        _memory(asked, usage.peak_memory_bytes, reason),
        _gpu(asked, usage.mean_gpu_percent),
    )
    return [sizing for sizing in found if sizing is not None]


def memory_text(size: int) -> str:
    """Bytes as a config says them, in the largest unit with a short fraction: ``1.5Gi``."""
    gibibytes = size / _GIB
    return f"{gibibytes:g}Gi" if size >= _GIB and size % (_GIB // 4) == 0 else format_memory(size)


def _cpu(asked: Resources, usual: float | None, peak: float | None) -> Sizing | None:
    used = usual if usual is not None else peak
    if used is None or not asked.cpu_millis:
        return None
    millis = round(used * 1000)
    enough = _rounded_up(math.ceil(millis / _CPU_TOLERANCE), _CPU_STEPS, _LARGE_CPU_STEP)
    share = millis / asked.cpu_millis
    if share >= _NEARLY_ALL:
        return Sizing("cpu", asked.cpu_millis, millis, share, Verdict.MORE, None)
    return _judged("cpu", asked.cpu_millis, millis, enough)


def _memory(asked: Resources, peak: int | None, reason: Reason | None) -> Sizing | None:
    if peak is None or not asked.memory_bytes:
        return None
    whole = asked.memory_bytes
    enough = _rounded_up(math.ceil(peak * MEMORY_HEADROOM), _MEMORY_STEPS, _LARGE_MEMORY_STEP)
    if reason is Reason.OUT_OF_MEMORY or peak / whole >= _NEARLY_ALL:
        more = max(enough, _rounded_up(whole + 1, _MEMORY_STEPS, _LARGE_MEMORY_STEP))
        return Sizing("memory", whole, peak, peak / whole, Verdict.MORE, more)
    return _judged("memory", whole, peak, enough)


def _gpu(asked: Resources, mean: float | None) -> Sizing | None:
    if mean is None or not asked.gpus:
        return None
    verdict = Verdict.LESS if mean < _IDLE_PERCENT else Verdict.RIGHT
    return Sizing("gpu", asked.gpus, round(mean), mean / 100, verdict, None)


def _judged(kind: str, asked: int, used: int, enough: int) -> Sizing:
    if enough <= asked * _WORTH_SAYING:
        return Sizing(kind, asked, used, used / asked, Verdict.LESS, enough)
    return Sizing(kind, asked, used, used / asked, Verdict.RIGHT, None)


def _rounded_up(amount: int, steps: Sequence[tuple[int, int]], largest: int) -> int:
    step = next((step for below, step in steps if amount <= below), largest)
    return max(step, -(-amount // step) * step)


def _cpu_words(sizing: Sizing) -> str:
    cores = sizing.used / 1000
    used = f"{cores:.2g}" if cores < 10 else f"{cores:.0f}"
    told = f"asked {format_cpu(sizing.asked)}, used up to {used}"
    return _told(sizing, told, "more might make it faster")


def _memory_words(sizing: Sizing) -> str:
    told = f"asked {memory_text(sizing.asked)}, used {about_memory(sizing.used)} at most"
    return _told(sizing, told, f"{sizing.enough_text} would leave it room")


def _gpu_words(sizing: Sizing) -> str:
    noun = "GPU" if sizing.asked == 1 else "GPUs"
    told = f"asked {sizing.asked} {noun}, used {sizing.used} % of their time"
    return f"{told}: hardly any" if sizing.verdict is Verdict.LESS else told


def _told(sizing: Sizing, told: str, more: str) -> str:
    begun = f"{told} ({sizing.share:.0%})".replace("%", " %")
    if sizing.verdict is Verdict.MORE:
        return f"{begun}: {more}"
    return f"{begun}: {sizing.enough_text} would have sufficed" if sizing.enough else begun


_SENTENCES = {"cpu": _cpu_words, "memory": _memory_words, "gpu": _gpu_words}
