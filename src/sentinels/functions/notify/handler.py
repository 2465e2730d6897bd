"""What an event makes notify do: look at a workload, deliver what is due, or keep a dead letter.

Comes in: a hint. Goes out: moved jobs and delivered notices. Before: ``main``. Next:
``core/notifying``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter

from sentinels.core.vitals import Vitals
from sentinels.core.workload import WorkloadRef
from sentinels.functions.dead_letters import dead_letter_of
from sentinels.functions.events import PING, Hint

_log = logging.getLogger("sentinels.notify")


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


def after_ticks(take: Callable[[Hint], None], do: Callable[[], None]) -> Callable[[Hint], None]:
    """``take``, and after each tick something that is due now and then."""

    def taken(hint: Hint) -> None:
        take(hint)
        if hint.type == PING:
            do()

    return taken


class DeadLetters:
    """Keeps what a Broker could not deliver; the sweep of a dispatch pass makes up for it."""

    def __init__(self, vitals: Vitals, registry: CollectorRegistry) -> None:
        """Counts from zero."""
        self._vitals = vitals
        self._kept = Counter(
            "sentinels_dead_letters", "Events a Broker could not deliver.", registry=registry
        )

    def keep(self, hint: Hint) -> None:
        """Keep an event that nobody took. Raises ``QueueUnavailable``."""
        letter = dead_letter_of(hint)
        self._vitals.record(letter)
        self._kept.inc()
        told = {"type": letter.type, "code": letter.code, "why": letter.detail}
        _log.warning("dead letter", extra=told)

    def prune_after(self, take: Callable[[Hint], None]) -> Callable[[Hint], None]:
        """``take``, and after each tick the old ones are forgotten."""

        def taken(hint: Hint) -> None:
            take(hint)
            if hint.type == PING:
                self._vitals.prune()

        return taken
