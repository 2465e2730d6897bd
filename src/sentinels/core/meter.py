"""What workloads use over time, as a port.

Comes in: an attempt and a span of time. Goes out: series and peaks. Adapters: ``services/meter``
(over Prometheus), ``clusters/local/meter`` (the runner's own samples). Before: ``functions``,
``metering``. Next: ``series``, ``observation.Usage``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sentinels.core.observation import Usage
from sentinels.core.workload import WorkloadRef


class Quantity(StrEnum):
    """What is measured, each in its unit."""

    CPU_CORES = "cpu_cores"
    MEMORY_BYTES = "memory_bytes"
    GPU_PERCENT = "gpu_percent"
    """The mean over the attempt's GPUs, 0 to 100."""
    GPU_MEMORY_BYTES = "gpu_memory_bytes"
    RECEIVED_BYTES = "received_bytes"
    """A second."""
    SENT_BYTES = "sent_bytes"
    """A second."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement."""

    at: datetime
    value: float


Series = Mapping[Quantity, Sequence[Sample]]
"""What was measured, the oldest first; a quantity that was not is left out."""


class Meter(Protocol):
    """What measures. All raise ``MeterUnavailable``; all may be repeated."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def late_seconds(self) -> float:
        """How long after an attempt's end the last of its measurements is there."""
        ...

    @property
    def unmeasured(self) -> Mapping[Quantity, str]:
        """What it never measures, and why, for people."""
        ...

    def series(self, ref: WorkloadRef, *, begin: datetime, end: datetime, points: int) -> Series:
        """An attempt's use between two moments, in at most so many points each."""
        ...

    def usage(self, ref: WorkloadRef, *, begin: datetime, end: datetime) -> Usage:
        """An attempt's peaks, means and sums between two moments."""
        ...

    def gpu_percent(
        self, refs: Sequence[WorkloadRef], *, begin: datetime, end: datetime
    ) -> Mapping[WorkloadRef, float]:
        """The mean use of each attempt's GPUs; one that was not measured is left out."""
        ...
