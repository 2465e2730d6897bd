"""The tracker's copies of logs, which are read piece by piece and come whole.

Comes in: a run. Goes out: its copy. Before: ``logs``, ``core/log_reading``. Next: the ``Tracker``
port.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from sentinels.core.errors import NotFound
from sentinels.core.log_lines import TimedText
from sentinels.core.ports import Tracker
from sentinels.core.recording import LOG_LIMIT, LOG_PATH


class KeptLogs:
    """The copies that were read last, ``room`` bytes of them."""

    def __init__(self, tracker: Tracker, *, room: int = LOG_LIMIT) -> None:
        """Begin with none."""
        self._tracker = tracker
        self._room = room
        self._lock = threading.Lock()
        self._copies: OrderedDict[str, TimedText] = OrderedDict()

    def find(self, run_id: str) -> TimedText | None:
        """The run's copy; None where it has none (yet). Raises ``TrackerUnavailable``."""
        with self._lock:
            if run_id in self._copies:
                self._copies.move_to_end(run_id)
                return self._copies[run_id]
        try:
            copy = TimedText(self._tracker.read_artifact(run_id, LOG_PATH))
        except NotFound:
            return None
        self._remember(run_id, copy)
        return copy

    def _remember(self, run_id: str, copy: TimedText) -> None:
        with self._lock:
            self._copies[run_id] = copy
            while self._size() > self._room and len(self._copies) > 1:
                self._copies.popitem(last=False)

    def _size(self) -> int:
        return sum(len(copy.data) for copy in self._copies.values())
