"""A source that is heard leaves a sign, at most one write of a name in ten seconds of a process.

``sentinels doctor`` tells from them which source has fallen silent. A sign that cannot be written
costs the event nothing. Comes in: the hints of a function. Goes out: names of ``core.vitals``.
Before: ``dispatch/main``, ``notify/main``. Next: ``db/vitals``.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping

from sentinels.core.vitals import EVENTS_JOBS, TICK_DISPATCH, TICK_NOTIFY
from sentinels.functions.events import API_SERVER, PING, Hint

PAUSE_SECONDS = 10.0

DISPATCH_SIGNS: Mapping[str, str] = {PING: TICK_DISPATCH}
NOTIFY_SIGNS: Mapping[str, str] = {PING: TICK_NOTIFY, API_SERVER: EVENTS_JOBS}
"""What the types of events begin with, and the sign that each leaves."""

_log = logging.getLogger("sentinels.signs")


class Signs:
    """Leaves a function's signs; several threads may."""

    def __init__(
        self,
        leave: Callable[[str], None],
        names: Mapping[str, str],
        *,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """``leave`` writes a sign; ``names`` gives one to each beginning of an event's type."""
        self._leave, self._names, self._stopwatch = leave, names, stopwatch
        self._left: dict[str, float] = {}
        self._lock = threading.Lock()

    def before(self, take: Callable[[Hint], None]) -> Callable[[Hint], None]:
        """``take``, with a sign left first."""

        def heard(hint: Hint) -> None:
            self.hear(hint)
            take(hint)

        return heard

    def hear(self, hint: Hint) -> None:
        """Leave the sign of a hint's source, if it has one and it is time. Never raises."""
        name = next((self._names[kind] for kind in self._names if hint.type.startswith(kind)), None)
        if name is None or not self._is_due(name):
            return
        try:
            self._leave(name)
        except Exception as error:  # noqa: BLE001  # whatever it is, the event is not to suffer
            _log.warning("a sign was not left", extra={"sign": name, "why": str(error)})

    def _is_due(self, name: str) -> bool:
        now = self._stopwatch()
        with self._lock:
            due = now - self._left.get(name, -math.inf) >= PAUSE_SECONDS
            if due:
                self._left[name] = now
        return due
