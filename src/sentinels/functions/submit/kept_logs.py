"""Where a log is read: from the cluster, or from the tracker once the cluster has let it go.

Comes in: an attempt. Goes out: its log, of which a piece can be read at any offset. Before:
``logs``. Next: ``Cluster.read_log``, the ``Tracker`` port.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from sentinels.core.errors import NotFound
from sentinels.core.ports import Cluster, LogChunk, Tracker
from sentinels.core.recording import LOG_LIMIT, LOG_PATH
from sentinels.core.workload import WorkloadRef


class Log(Protocol):
    """One attempt's output. Raises ``Unavailable``."""

    def size(self) -> int:
        """Bytes so far."""
        ...

    def read(self, *, offset: int, limit: int) -> LogChunk:
        """Bytes from ``offset``."""
        ...


@dataclass(frozen=True, slots=True)
class ClusterLog:
    """The log as the cluster has it."""

    cluster: Cluster
    ref: WorkloadRef

    def size(self) -> int:
        """See ``Log.size``."""
        return self.cluster.log_size(self.ref)

    def read(self, *, offset: int, limit: int) -> LogChunk:
        """See ``Log.read``."""
        return self.cluster.read_log(self.ref, offset=offset, limit=limit)


@dataclass(frozen=True, slots=True)
class KeptLog:
    """The copy that the tracker has: nothing is added to it."""

    data: bytes

    def size(self) -> int:
        """See ``Log.size``."""
        return len(self.data)

    def read(self, *, offset: int, limit: int) -> LogChunk:
        """See ``Log.read``."""
        piece = self.data[offset : offset + limit]
        return LogChunk(piece, offset + len(piece), ended=offset + limit >= len(self.data))


class KeptLogs:
    """The copies that were read last, ``room`` bytes of them: a log is read piece by piece, and a
    copy comes whole.
    """

    def __init__(self, *, room: int = LOG_LIMIT) -> None:
        """Begin with none."""
        self._room = room
        self._lock = threading.Lock()
        self._copies: OrderedDict[str, bytes] = OrderedDict()

    def find(self, tracker: Tracker, run_id: str) -> KeptLog | None:
        """The run's copy; None where it has none (yet). Raises ``TrackerUnavailable``."""
        with self._lock:
            if run_id in self._copies:
                self._copies.move_to_end(run_id)
                return KeptLog(self._copies[run_id])
        try:
            data = tracker.read_artifact(run_id, LOG_PATH)
        except NotFound:
            return None
        self._remember(run_id, data)
        return KeptLog(data)

    def _remember(self, run_id: str, data: bytes) -> None:
        with self._lock:
            self._copies[run_id] = data
            while sum(map(len, self._copies.values())) > self._room and len(self._copies) > 1:
                self._copies.popitem(last=False)
