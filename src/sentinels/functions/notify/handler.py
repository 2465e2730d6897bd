"""What an event makes notify do: look at a workload, deliver what is due, or keep a dead letter.

Comes in: a hint. Goes out: moved jobs and delivered notices. Before: ``main``. Next:
``core/notifying``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter

from sentinels.core.vitals import Vitals
from sentinels.core.workload import WorkloadRef
from sentinels.functions.dead_letters import dead_letter_of
from sentinels.functions.events import PING, Hint

_MOST_ROUNDS = 2
"""On behalf of one event; after that the next tick goes on."""

_log = logging.getLogger("sentinels.notify")


@dataclass(frozen=True, slots=True)
class Ear:
    """``look`` settles the job of a workload, ``deliver`` works off the outbox; ``watch`` is done
    at each tick before that, and none of it keeps the others away.
    """

    look: Callable[[WorkloadRef], None]
    deliver: Callable[[], int]
    watch: Sequence[Callable[[], None]] = ()

    def hear(self, hint: Hint) -> None:
        """Act on an event; of no interest or nonsense is nothing. Raises ``Unavailable``."""
        if hint.type == PING:
            for look in self.watch:
                _tried(look)
            self.deliver()
        elif ref := hint.workload():
            self.look(ref)


def _tried(look: Callable[[], None]) -> None:
    try:
        look()
    except Exception:  # noqa: BLE001  # what is only looked at must not keep anybody from being told
        _log.exception("what is looked at now and then could not be")


class OneAtATime:
    """Does something in one thread at a time; whoever comes meanwhile makes it go round once more.

    Telling waits for bursts to end and for recipients to be told again: one thread that does is
    enough, and the others stay free for events.
    """

    def __init__(self, work: Callable[[], int]) -> None:
        """``work`` says how much it has done."""
        self._work = work
        self._lock = threading.Lock()
        self._under_way = False
        self._wanted = False

    def run(self) -> int:
        """Do it, or see to it that it is done again; how much was done by this thread."""
        if not self._begin():
            return 0
        done = 0
        try:
            for _ in range(_MOST_ROUNDS):
                done += self._work()
                if not self._once_more():
                    return done
        except BaseException:
            self._end()
            raise
        self._end()
        return done

    def _begin(self) -> bool:
        with self._lock:
            self._wanted = self._under_way
            begun, self._under_way = not self._under_way, True
            return begun

    def _once_more(self) -> bool:
        """Whether somebody came meanwhile; if not, the next one begins anew."""
        with self._lock:
            self._under_way, self._wanted = self._wanted, False
            return self._under_way

    def _end(self) -> None:
        with self._lock:
            self._under_way = self._wanted = False


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
