"""A real HTTP server that stands where MLflow's artifact proxy and notify stand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class Listener:
    """Keeps what is PUT below ``outputs_url`` and POSTed to ``notify_url``.

    ``status`` and ``taken`` are what it answers; ``accepted`` are the events that it took.
    """

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.outputs_url = f"http://{address}:{port}/outputs"
        self.notify_url = f"http://{address}:{port}/notify"
        self.files: dict[str, bytes] = {}
        self.events: list[tuple[dict[str, str], dict[str, int]]] = []
        self.accepted: list[dict[str, str]] = []
        self.status = 200
        self.taken = 204
        self.refused = ""
        self.failing = ""
        self.login: str | None = None
        self.puts: list[str] = []
        self.on_event: Callable[[], None] = lambda: None
        self.put_begun = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def put(self, path: str, body: bytes, login: str | None) -> int:
        self.put_begun.set()
        self.may_answer.wait(20)
        name = unquote(path).removeprefix("/outputs/")
        self.puts.append(name)
        if login != self.login:
            return 401
        if name == self.refused:
            return 400
        if name == self.failing:
            return 500
        if self.status == 200:
            self.files[name] = body
        return self.status

    def post(self, headers: dict[str, str], body: bytes) -> int:
        self.on_event()
        taken = self.taken
        if taken < 300:
            self.accepted.append(headers)
        self.events.append((headers, json.loads(body)))
        return taken


@contextmanager
def listening(port: int = 0, address: str = "127.0.0.1") -> Iterator[Listener]:
    """A listener on a port of this machine; 0: a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._answer(listener.put(self.path, self._body(), self.headers["Authorization"]))

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._answer(listener.post(headers, self._body()))

        def log_message(self, format: str, *args: object) -> None:
            return

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers["Content-Length"]))

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with ThreadingHTTPServer((address, port), Handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients are killed here
        listener = Listener(server.server_address[1], address)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield listener
        finally:
            listener.may_answer.set()
            server.shutdown()
            thread.join()
