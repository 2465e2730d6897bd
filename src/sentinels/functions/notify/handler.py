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

from sentinels.core.errors import SentinelsError
from sentinels.core.vitals import Vitals
from sentinels.core.workload import WorkloadRef
from sentinels.functions.dead_letters import dead_letter_of
from sentinels.functions.events import PING, Hint

_MOST_ROUNDS = 3
"""On behalf of one tick or event; after that the next one goes on."""

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


class Teller:
    """Tells in one thread at a time; whoever comes meanwhile makes it go round once more.

    Telling waits for bursts to end and for recipients to be told again: a tick waits for it, an
    event does not. What is left over when a process ends, the next tick tells.
    """

    def __init__(self, tell: Callable[[], int]) -> None:
        """``tell`` tells what is due, and says how much arrived."""
        self._tell = tell
        self._lock = threading.Lock()
        self._under_way = False
        self._wanted = False

    def run(self) -> int:
        """Tell, or see to it that whoever does goes round again; how much arrived by this thread.

        Raises ``QueueUnavailable``.
        """
        return self._rounds() if self._begin() else 0

    def start(self) -> None:
        """The same in a thread of its own. Never raises: the next tick makes up for it."""
        if not self._begin():
            return
        try:
            threading.Thread(target=self._alone, name="tell", daemon=True).start()
        except RuntimeError as error:
            self._end()
            _log.warning("nobody could be told now", extra={"why": str(error)})

    def _alone(self) -> None:
        try:
            self._rounds()
        except SentinelsError as error:
            _log.warning("telling broke off", extra={"why": str(error)})
        except Exception:  # noqa: BLE001  # a thread's last line of defence
            _log.exception("telling broke off")

    def _rounds(self) -> int:
        arrived = 0
        try:
            for _ in range(_MOST_ROUNDS):
                arrived += self._tell()
                if not self._once_more():
                    return arrived
        except BaseException:
            self._end()
            raise
        self._end()
        return arrived

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
