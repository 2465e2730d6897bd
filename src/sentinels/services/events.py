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
_TIMEOUT = httpx.Timeout(30.0, connect=2.0)  # dispatch answers when its pass is over
_FRESH = httpx.Limits(max_keepalive_connections=0)  # a kept one may be closed as the poke is sent
_log = logging.getLogger(__name__)


class HttpEvents:
    """Pokes one sink, at most once at a time and once in 50 ms; without a sink it does nothing.

    A poke that comes while another is on its way is sent after it.
    """

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
            if self._over.is_set() or (self._thread and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._work, name="events", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:
                self._thread = None
                _log.warning("a poke was lost: %s", error)

    def close(self) -> None:
        """Send nothing more; what is on its way may arrive."""
        self._over.set()
        self._wanted.set()
        with self._start:
            thread = self._thread
        if thread is not None:
            thread.join(timeout=2)

    def _work(self) -> None:
        with httpx.Client(timeout=_TIMEOUT, limits=_FRESH) as http:
            while self._wanted.wait() and not self._over.is_set():
                self._wanted.clear()
                self._send(http)
                self._over.wait(_PAUSE)

    def _send(self, http: httpx.Client) -> None:
        event = CloudEvent({"type": QUEUE_CHANGED, "source": self._source}, {})
        event["datacontenttype"] = "application/json"
        headers, body = to_binary(event)
        try:
            answer = http.post(self._sink, headers=headers, content=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            _log.warning("a poke was lost: %s: %s", type(error).__name__, error)
        else:
            if not answer.is_success:
                _log.warning("a poke was answered with %d", answer.status_code)
