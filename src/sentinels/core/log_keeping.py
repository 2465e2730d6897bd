"""What of logs is caught up, and how long they are kept.

Where the cluster itself brings lines to the log store, what it could not bring when an attempt
ended is due until the store is back. Now and then the store is told what a line is, and days that
are over their time are deleted. Comes in: deliveries, ticks. Goes out: kept lines. Before:
``delivering``, ``functions/notify``. Next: ``Cluster.collect_log``, the ``LogStore`` port.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sentinels.core.errors import ClusterUnavailable, LogStoreUnavailable
from sentinels.core.log_store import LogStore
from sentinels.core.ports import Clock, Cluster
from sentinels.core.queueing import DueDelivery

CHORES_EVERY = timedelta(minutes=10)
TROUBLED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LogCourier:
    """Sees to it that the log store has all of an ended attempt; ``store`` None: there is none."""

    cluster: Cluster
    store: LogStore | None

    def deliver(self, due: DueDelivery) -> bool:
        """A ``delivering.Courier``. Raises ``LogStoreUnavailable`` and ``ClusterUnavailable``."""
        if self.store is None:
            return False
        self.store.check()
        if not self.cluster.collect_log(due.delivery.ref):
            raise ClusterUnavailable(f"the log of {due.delivery.ref.name} is not all sent yet")
        return True


@dataclass(slots=True)
class LogChores:
    """What the store needs now and then, of each process that has ticks; ``days``: how long lines
    are kept. ``told`` is called with what could not be done.
    """

    store: LogStore
    days: int
    clock: Clock
    told: Callable[[str], None]
    _due: datetime | None = None
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def do(self) -> None:
        """Do them, if they are due. Never raises: lines are kept without."""
        now = self.clock()
        if not self._one_at_a_time.acquire(blocking=False):
            return
        try:
            if self._due is None or now >= self._due:
                self._due = now + self._pause(now)
        finally:
            self._one_at_a_time.release()

    def _pause(self, now: datetime) -> timedelta:
        try:
            self.store.check()
            self.store.prepare()
            self.store.expire(days=self.days, today=now)
        except LogStoreUnavailable as trouble:
            self.told(str(trouble))
            return TROUBLED_EVERY
        return CHORES_EVERY
