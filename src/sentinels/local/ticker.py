"""The clock of one machine: sends a function the CloudEvent that Knative's PingSource would send.

Dispatch does a pass at each tick, notify delivers what is due. Comes in: a function's port and the
seconds between two ticks. Goes out: HTTP requests, one after the other; a slow answer delays the
next tick, and a lost one costs nothing but time. Next: ``functions``.
"""

from __future__ import annotations

import http.client
import threading
import uuid
from datetime import UTC, datetime

_TIMEOUT_SECONDS = 60.0


class Ticker:
    """A thread that ticks from ``start`` until ``stop``."""

    def __init__(self, *, port: int, seconds: float) -> None:
        """Tick the function on ``port``, ``seconds`` after the answer to the tick before."""
        self._port = port
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def start(self) -> None:
        """Begin with a tick at once."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no other tick. One that is on its way ends with the function."""
        self._stopped.set()

    def _run(self) -> None:
        tick(self._port)
        while not self._stopped.wait(self._seconds):
            tick(self._port)


def tick(port: int) -> bool:
    """Send one tick; True if the function took it."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": str(uuid.uuid4()),
        "ce-type": "dev.knative.sources.ping",
        "ce-source": "/apis/v1/namespaces/sentinels/pingsources/tick",
        "ce-time": datetime.now(UTC).isoformat(),
        "content-type": "application/json",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("POST", "/", body=b"{}", headers=headers)
        return connection.getresponse().status == http.HTTPStatus.NO_CONTENT
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
