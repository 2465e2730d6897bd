"""File what an attempt used, once it has ended: its meter forgets, and its folder may go.

Comes in: a delivery to ``USAGE``, due when the last measurement is there. Goes out: series of some
sixty points each, and the peaks that its end did not tell. A meter that is away makes it wait.
Before: ``delivering``. Next: the ``Meter`` port; ``functions/submit/usage`` shows what was filed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentinels.core.meter import Meter, Series
from sentinels.core.observation import Finished, Usage
from sentinels.core.queueing import Delivery, DueDelivery, Outbox
from sentinels.core.series import thinned
from sentinels.core.workload import WorkloadRef

USAGE = "usage"
"""The channel of the outbox."""
KEPT_POINTS = 60
"""Of each quantity: as many as a terminal has room for, whatever the attempt took."""


class UsageFile(Protocol):
    """Where it is kept. Raises ``QueueUnavailable``; all may be repeated."""

    def file(self, ref: WorkloadRef, series: Series, usage: Usage, *, begin: datetime) -> None:
        """Keep an ended attempt's series, and those of its peaks that are not known yet."""
        ...

    def filed(self, ref: WorkloadRef, *, begin: datetime) -> Series | None:
        """What is kept of an attempt that began then; None where nothing is."""
        ...


def usage_filings(ref: WorkloadRef, seen: Finished, late_seconds: float | None) -> list[Delivery]:
    """The delivery that files an ended attempt's use, where it ran and is measured;
    ``late_seconds`` is how long after the end its last measurement is there, None: nothing
    measures.
    """
    if seen.started_at is None or late_seconds is None:
        return []
    return [Delivery(ref, "file", USAGE, after_seconds=late_seconds)]


@dataclass(frozen=True, slots=True)
class UsageFiler:
    """Asks the meter, where there is one, and files what it says."""

    outbox: Outbox
    meter: Meter | None
    file: UsageFile

    def deliver(self, due: DueDelivery) -> bool:
        """A ``delivering.Courier``. Raises ``MeterUnavailable``."""
        ref = due.delivery.ref
        ended = self.outbox.ended_attempt(ref)
        if self.meter is None or ended is None or ended.started_at is None:
            return False
        begin, end = ended.started_at, ended.finished_at
        series = self.meter.series(ref, begin=begin, end=end, points=KEPT_POINTS)
        usage = self.meter.usage(ref, begin=begin, end=end)
        self.file.file(ref, thinned(series, KEPT_POINTS), usage, begin=begin)
        return True
