"""A server that answers with what was laid down for a path, hangs, or drips for ever.

For Elasticsearch and Prometheus as far as only being up, down or stuck matters.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.standins.stand_in import StandIn


class Pages(StandIn):
    """Runs in a thread while entered. ``pages`` are status and body, by path."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, object]] = {}
        self.authorizations: list[str] = []
        self.hangs = False
        self.drips = False
        server = _Server(("127.0.0.1", 0), _Handler)
        server.pages = self
        super().__init__(server)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Server(ThreadingHTTPServer):
    pages: Pages


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        pages = self.server.pages
        pages.authorizations.append(self.headers.get("Authorization", ""))
        self.close_connection = True
        if pages.hangs:
            pages.over.wait(30)
            return
        status, body = pages.pages.get(self.path, (404, "there is no such page"))
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        if pages.drips:
            self.end_headers()
            self._drip()
            return
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.do_GET()

    def _drip(self) -> None:
        try:
            while not self.server.pages.over.wait(0.1):
                self.wfile.write(b" ")
                self.wfile.flush()
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""
