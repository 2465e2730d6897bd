"""Complete a dossier with lines that come late: a pod's log may be gone before anybody looks, and
what keeps logs has it some seconds after the end.

Comes in: a delivery to ``DOSSIER``. Goes out: a dossier with fewer gaps; what was there before
stays. Before: ``delivering``. Next: the ``LogStore`` port.
"""

from __future__ import annotations

from dataclasses import dataclass

from sentinels.core.dossier import Dossier, Part
from sentinels.core.errors import NotYet
from sentinels.core.last_lines import COUNT, lines_of
from sentinels.core.log_store import LogStore
from sentinels.core.observation import Finished
from sentinels.core.queueing import Delivery, DueDelivery, Outbox
from sentinels.core.workload import WorkloadRef

DOSSIER = "dossier"
"""The channel of the outbox."""
LATE_SECONDS = 20.0
"""Lines are on their way for some seconds."""
_TRIES = 5
"""How often lines are looked for before none are believed to have been printed."""
_STORE = "the log store"


def line_filings(ref: WorkloadRef, seen: Finished, dossier: Dossier) -> list[Delivery]:
    """The delivery that completes a dossier without lines of what ran."""
    said, ran = dossier.testimony, seen.started_at is not None
    if said.lines.texts or not (ran or said.lacks(Part.LINES)):
        return []
    return [Delivery(ref, "complete", DOSSIER, after_seconds=LATE_SECONDS)]


@dataclass(frozen=True, slots=True)
class LineFiler:
    """Completes dossiers; ``store`` None: there is nothing to complete them from."""

    outbox: Outbox
    store: LogStore | None

    def deliver(self, due: DueDelivery) -> bool:
        """A ``delivering.Courier``. Raises ``LogStoreUnavailable``, and ``NotYet`` for lines that
        are still on their way.
        """
        ref = due.delivery.ref
        ended = self.outbox.ended_attempt(ref)
        if ended is None or self.store is None:
            return False
        if ended.dossier.testimony.lines.texts:
            return True
        texts = [line.text for line in self.store.last_lines(ref, COUNT)]
        if texts:
            lines = lines_of(texts, source=_STORE, from_start=len(texts) < COUNT)
            self.outbox.record_dossier(ref, ended.dossier.with_lines(lines))
        elif due.tries < _TRIES:
            raise NotYet(f"{_STORE} has no line of {ref.name} yet")
        return True
