"""What is counted where it happens, as a port: launches and ends, each once.

Counted is what was committed, by whoever committed it: dispatch and notify both settle. Comes in: a
launch or an end. Goes out: numbers that grow. Adapter: ``functions/telemetry``. Before:
``settling``, ``launching``.
"""

from __future__ import annotations

from typing import Protocol

from sentinels.core.job import JobState, Reason


class Tally(Protocol):
    """Counts. Never raises."""

    def launched(self, priority: str, waited_seconds: float) -> None:
        """A job's first workload was launched, so long after its push."""
        ...

    def ended(self, state: JobState, reason: Reason | None) -> None:
        """An attempt ended, and its job went to this state; queued: it is tried again."""
        ...


class NoTally:
    """Counts nothing."""

    def launched(self, priority: str, waited_seconds: float) -> None:
        """See ``Tally.launched``."""

    def ended(self, state: JobState, reason: Reason | None) -> None:
        """See ``Tally.ended``."""
