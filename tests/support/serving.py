"""A functions-framework source served on a port of this process, in a thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import functions_framework
from werkzeug.serving import make_server


@contextmanager
def served(target: str, source: Path) -> Iterator[int]:
    """The port on which the source's function answers."""
    app = functions_framework.create_app(target, str(source), "http")
    for leaked in ("FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE"):
        os.environ.pop(leaked, None)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
