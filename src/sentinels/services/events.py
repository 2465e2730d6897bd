"""The poke that something changed, as a CloudEvent over HTTP: ``core.ports.Events``.

A background thread sends it, so that nobody waits; pokes that come close together are one. Comes
in: ``queue_changed``. Goes out: ``dev.sentinels.queue.changed`` to the sink. Next:
``functions/dispatch``.
"""

from __future__ import annotations

import logging
import threading

import httpx
from cloudevents.conversion import to_binary
from cloudevents.http import CloudEvent

QUEUE_CHANGED = "dev.sentinels.queue.changed"
_PAUSE = 0.05
_TIMEOUT = httpx.Timeout(30.0, connect=2.0)
_log = logging.getLogger(__name__)


class HttpEvents:
    """Pokes one sink; without a sink it does nothing."""

    def __init__(self, sink: str, *, source: str = "/sentinels/submit") -> None:
        """``source`` says in the event who pokes."""
        self._sink, self._source = sink, source
        self._wanted = threading.Event()
        self._over = threading.Event()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def queue_changed(self) -> None:
        """See ``Events.queue_changed``."""
        if not self._sink:
            return
        self._wanted.set()
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="events", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Send nothing more."""
        self._over.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _work(self) -> None:
        with httpx.Client(timeout=_TIMEOUT) as http:
            while self._wanted.wait() and not self._over.is_set():
                self._wanted.clear()
                self._send(http)
                self._over.wait(_PAUSE)

    def _send(self, http: httpx.Client) -> None:
        event = CloudEvent({"type": QUEUE_CHANGED, "source": self._source}, {})
        event["datacontenttype"] = "application/json"
        headers, body = to_binary(event)
        try:
            http.post(self._sink, headers=headers, content=body)
        except httpx.HTTPError as error:
            _log.info("a poke was lost: %s", type(error).__name__)
