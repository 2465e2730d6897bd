"""A dispatch pass for every poke, and one for many that come at once.

Comes in: an event of any type; a tick and a poke mean the same. Goes out: passes. Before: ``main``.
Next: ``core/dispatching``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram

from sentinels.core.queueing import PassReport
from sentinels.functions.events import Hint

_MOST_ROUNDS = 20
"""Passes on behalf of one poke at most; after that the next tick goes on."""

_log = logging.getLogger("sentinels.dispatch")


class Passes:
    """Makes one pass at a time; a poke that comes during one makes it go round once more.

    No poke is lost: one that finds a pass under way is answered at once, and a whole pass begins
    after it.
    """

    def __init__(self, run: Callable[[], PassReport], registry: CollectorRegistry) -> None:
        """``run`` makes a pass."""
        self._run = run
        self._lock = threading.Lock()
        self._under_way = False
        self._poked = False
        self._passes = Counter("sentinels_passes", "Dispatch passes made here.", registry=registry)
        self._failed = Counter("sentinels_failed_passes", "Passes broken off.", registry=registry)
        self._moved = Counter(
            "sentinels_settled_jobs", "Jobs that passes moved.", registry=registry
        )
        self._launched = Counter("sentinels_launches", "Workloads launched.", registry=registry)
        self._seconds = Histogram("sentinels_pass_seconds", "Time of a pass.", registry=registry)

    def poke(self, hint: Hint) -> None:  # noqa: ARG002  # whatever it is, a pass is the answer
        """Make a pass, or see to it that one follows. Raises ``Unavailable``."""
        if not self._begin():
            return
        try:
            for _ in range(_MOST_ROUNDS):
                self._pass()
                if not self._once_more():
                    return
        except BaseException:
            self._end()
            raise
        self._end()

    def _begin(self) -> bool:
        with self._lock:
            self._poked = self._under_way
            begun, self._under_way = not self._under_way, True
            return begun

    def _once_more(self) -> bool:
        """Whether somebody poked meanwhile; if not, the next poke begins anew."""
        with self._lock:
            self._under_way, self._poked = self._poked, False
            return self._under_way

    def _end(self) -> None:
        with self._lock:
            self._under_way = self._poked = False

    def _pass(self) -> None:
        with self._seconds.time(), self._failed.count_exceptions():
            report = self._run()
        self._passes.inc()
        self._moved.inc(report.settled)
        self._launched.inc(report.launched)
        if report.settled or report.launched or report.error:
            _log.info(
                "pass",
                extra={
                    "settled": report.settled,
                    "launched": report.launched,
                    "waiting_lanes": report.waiting_lanes,
                    "milliseconds": round(report.milliseconds, 1),
                    "trouble": report.error,
                },
            )
