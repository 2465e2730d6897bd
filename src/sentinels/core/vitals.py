"""Whether events still come: signs of life of what sends them, and events that nobody took.

Comes in: events as ``functions/events`` read them. Goes out: ``DeadLetter``, and the names under
which signs are kept. Before: ``functions/signs``, ``functions/notify``. Next: ``db/vitals``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

TICK_DISPATCH = "tick:dispatch"
TICK_NOTIFY = "tick:notify"
EVENTS_JOBS = "events:jobs"
"""The signs: a source that is heard leaves one of these names."""

KEPT_DAYS = 30
KEPT_MOST = 1000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a Broker could not deliver; every text is bounded and safe to show.

    ``code`` is the HTTP status of the last try, ``destination`` who was to take the event, and
    ``detail`` what was answered; each None where the Broker does not say.
    """

    type: str
    source: str
    subject: str | None
    code: str | None
    destination: str | None
    detail: str | None
    data_excerpt: str


class Vitals(Protocol):
    """Where both are kept. All raise ``QueueUnavailable``."""

    def leave_sign(self, name: str) -> None:
        """A source was heard now."""
        ...

    def record(self, letter: DeadLetter) -> None:
        """Keep a dead letter."""
        ...

    def prune(self) -> None:
        """Forget dead letters but the newest ``KEPT_MOST`` of the last ``KEPT_DAYS`` days."""
        ...
