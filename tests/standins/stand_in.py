"""What every stand-in is: a server on a free port of loopback, in a thread while it is entered."""

from __future__ import annotations

from socketserver import BaseServer, TCPServer
from threading import Event, Thread
from types import TracebackType
from typing import Self


class StandIn:
    """``over`` is set when it is left, for handlers that hold their answer back."""

    def __init__(self, server: TCPServer) -> None:
        self.over = Event()
        self._server: BaseServer = server
        self.port = int(server.server_address[1])
        self._thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)
