"""What an event makes notify do: look at a workload, or deliver what is due.

Comes in: a hint. Goes out: moved jobs and delivered notices. Before: ``main``. Next:
``core/notifying``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sentinels.core.workload import WorkloadRef
from sentinels.functions.events import PING, Hint


@dataclass(frozen=True, slots=True)
class Ear:
    """``look`` settles the job of a workload, ``deliver`` works off the outbox."""

    look: Callable[[WorkloadRef], None]
    deliver: Callable[[], int]

    def hear(self, hint: Hint) -> None:
        """Act on an event; of no interest or nonsense is nothing. Raises ``Unavailable``."""
        if hint.type == PING:
            self.deliver()
        elif ref := hint.workload():
            self.look(ref)
