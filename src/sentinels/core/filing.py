"""Complete a dossier with what comes late: lines from the log store, peaks from the meter.

A pod's log may be gone before anybody looks, and Kubernetes does not say what a container used at
most. Both are known elsewhere some seconds after the end. Comes in: a delivery to ``DOSSIER``. Goes
out: a dossier with fewer gaps; what was there before stays. Before: ``delivering``. Next: the
``LogStore`` and ``Meter`` ports.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from sentinels.core.dossier import Dossier, LastLines, Part
from sentinels.core.errors import NotYet
from sentinels.core.last_lines import COUNT, lines_of
from sentinels.core.log_store import LogStore
from sentinels.core.meter import Meter
from sentinels.core.observation import Finished, Usage
from sentinels.core.queueing import Delivery, DueDelivery, EndedAttempt, Outbox
from sentinels.core.workload import WorkloadRef

DOSSIER = "dossier"
"""The channel of the outbox."""
LATE_SECONDS = 20.0
"""Lines are on their way for some seconds; what is used is measured every fifteen or so."""
_TRIES = 5
"""How often lines are looked for before none are believed to have been printed."""
_STORE = "the log store"


def filings(
    ref: WorkloadRef, seen: Finished, dossier: Dossier, *, log_store: bool, meter: bool
) -> list[Delivery]:
    """The delivery that completes a dossier, where it lacks what can be had later."""
    said, ran = dossier.testimony, seen.started_at is not None
    lacks_lines = log_store and not said.lines.texts and (ran or said.lacks(Part.LINES))
    lacks_use = meter and ran and not is_measured(seen.usage)
    if not (lacks_lines or lacks_use):
        return []
    return [Delivery(ref, "complete", DOSSIER, after_seconds=LATE_SECONDS)]


def is_measured(usage: Usage) -> bool:
    """Whether the peaks are known that every workload has."""
    return usage.peak_memory_bytes is not None and usage.peak_cpu_cores is not None


@dataclass(frozen=True, slots=True)
class Filer:
    """Completes dossiers; without a store and a meter there is nothing to complete them from."""

    outbox: Outbox
    log_store: LogStore | None
    meter: Meter | None

    def deliver(self, due: DueDelivery) -> bool:
        """A ``delivering.Courier``. Raises ``LogStoreUnavailable`` and ``MeterUnavailable``, and
        ``NotYet`` for lines that are still on their way.
        """
        ref = due.delivery.ref
        ended = self.outbox.ended_attempt(ref)
        if ended is None or (self.log_store is None and self.meter is None):
            return False
        dossier = self._file_lines(ended)
        self._file_usage(ended, dossier)
        if self.log_store is not None and not dossier.testimony.lines.texts and due.tries < _TRIES:
            raise NotYet(f"the log store has no line of {ref.name} yet")
        return True

    def _file_lines(self, ended: EndedAttempt) -> Dossier:
        """Before anything is asked of the meter, which may be away."""
        lines = self._lines(ended)
        if not lines.texts or lines == ended.dossier.testimony.lines:
            return ended.dossier
        dossier = ended.dossier.with_lines(lines)
        self.outbox.record_dossier(ended.attempt.ref, dossier, ended.usage)
        return dossier

    def _file_usage(self, ended: EndedAttempt, dossier: Dossier) -> None:
        usage = self._usage(ended)
        if usage != ended.usage:
            self.outbox.record_dossier(ended.attempt.ref, dossier, usage)

    def _lines(self, ended: EndedAttempt) -> LastLines:
        if self.log_store is None or ended.dossier.testimony.lines.texts:
            return ended.dossier.testimony.lines
        found = self.log_store.last_lines(ended.attempt.ref, COUNT)
        texts = [line.text for line in found]
        return lines_of(texts, source=_STORE, from_start=len(texts) < COUNT)

    def _usage(self, ended: EndedAttempt) -> Usage:
        if self.meter is None or ended.started_at is None or is_measured(ended.usage):
            return ended.usage
        found = self.meter.usage(ended.attempt.ref, begin=ended.started_at, end=ended.finished_at)
        return merged(ended.usage, found)


def merged(first: Usage, second: Usage) -> Usage:
    """What the first measured, and what only the second did."""
    missing = {
        each.name: getattr(second, each.name)
        for each in fields(Usage)
        if getattr(first, each.name) is None
    }
    return replace(first, **missing)
