"""The clock: sends a function the CloudEvent that Knative's PingSource would send.

Dispatch makes a pass at each tick, notify delivers what is due. A slow answer delays the next tick,
and a lost one costs nothing but time. Comes in: a function's address, when to tick. Goes out:
events. Next: ``delivering``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from sentinels.clock import utc_now
from sentinels.core.errors import InvalidRequest
from sentinels.sources.delivering import deliver

_ATTRIBUTES = {
    "type": "dev.knative.sources.ping",
    "source": "/apis/v1/namespaces/sentinels/pingsources/tick",
}


class Ticker:
    """A thread that ticks from ``start`` until ``stop``."""

    def __init__(self, url: str, wait_seconds: Callable[[], float]) -> None:
        """Tick the function at ``url``; ``wait_seconds`` says how long to wait for the next."""
        self._url = url
        self._wait_seconds = wait_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self.run, name="ticker", daemon=True)

    def start(self) -> None:
        """Begin with a tick at once."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no other tick. One that is on its way ends with the function."""
        self._stopped.set()

    def run(self) -> None:
        """Tick in this thread until ``stop``."""
        tick(self._url)
        while not self._stopped.wait(self._wait_seconds()):
            tick(self._url)


def tick(url: str) -> bool:
    """Send one tick; True if the function took it."""
    return deliver(url, _ATTRIBUTES, {})


def by_cron(schedule: str) -> Callable[[], float]:
    """How long it is to the next moment of a cron schedule of five fields, or of six with seconds
    in front, as PingSource takes it. Raises ``InvalidRequest``.
    """
    from croniter import CroniterError, croniter

    seconds_first = len(schedule.split()) == 6
    try:
        moments = croniter(schedule, utc_now(), second_at_beginning=seconds_first)
    except CroniterError as error:
        raise InvalidRequest(
            f"schedule {schedule!r}: {error}", remedy="write cron, as in '*/10 * * * * *'"
        ) from error

    def wait_seconds() -> float:
        now = utc_now()
        moments.set_current(now)
        found: datetime = moments.get_next(datetime)
        return max(0.0, (found - now).total_seconds())

    return wait_seconds


def every(seconds: float) -> Callable[[], float]:
    """Always so long after the answer to the tick before."""
    return lambda: seconds
