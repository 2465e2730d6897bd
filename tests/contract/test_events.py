"""The Events port over HTTP: pokes arrive, few of them, and nobody waits for them."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest

from sentinels.services.events import HttpEvents


class Sink(ThreadingHTTPServer):
    """Takes pokes; while ``answers`` is clear, they are taken and not answered."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 204
        self.answers = threading.Event()
        self.answers.set()
        self.pokes: list[tuple[float, dict[str, str], bytes]] = []
        self.came = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def wait_for(self, count: int, *, seconds: float = 10.0) -> None:
        """Return when ``count`` pokes came; fail where they do not."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.pokes) >= count, timeout=seconds)


class _Handler(BaseHTTPRequestHandler):
    server: Sink

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.came:
            self.server.pokes.append((time.monotonic(), headers, body))
            self.server.came.notify_all()
        self.server.answers.wait(20)
        self.close_connection = True
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[Sink]:
    server = Sink()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.answers.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as server:
        yield server


def test_a_poke_is_a_binary_cloudevent(sink: Sink) -> None:
    with closing(HttpEvents(sink.url)) as events:
        events.queue_changed()
        sink.wait_for(1)
    ((_, headers, body),) = sink.pokes
    assert headers["ce-type"] == "dev.sentinels.queue.changed"
    assert headers["ce-source"] == "/sentinels/submit"
    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-id"]
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {}


def test_pokes_while_one_is_on_its_way_are_one_that_follows_it(sink: Sink) -> None:
    sink.answers.clear()
    with closing(HttpEvents(sink.url)) as events:
        events.queue_changed()
        sink.wait_for(1)
        start = time.monotonic()
        for _ in range(1000):
            events.queue_changed()
        assert time.monotonic() - start < 1, "nobody waits for a poke"
        assert len(sink.pokes) == 1, "one at a time"
        sink.answers.set()
        sink.wait_for(2)
        events.queue_changed()
        sink.wait_for(3)
    assert len(sink.pokes) == 3
    assert len({headers["ce-id"] for _, headers, _ in sink.pokes}) == 3


def test_pokes_are_at_least_fifty_milliseconds_apart(sink: Sink) -> None:
    with closing(HttpEvents(sink.url)) as events:
        for count in range(1, 5):
            events.queue_changed()
            sink.wait_for(count)
    times = [at for at, _, _ in sink.pokes]
    assert all(later - earlier > 0.045 for earlier, later in pairwise(times))


@pytest.mark.parametrize("status", [400, 503])
def test_a_refused_poke_is_lost_and_the_next_is_sent(
    sink: Sink, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    sink.status = status
    with closing(HttpEvents(sink.url)) as events:
        events.queue_changed()
        sink.wait_for(1)
        events.queue_changed()
        sink.wait_for(2)
    assert f"a poke was answered with {status}" in caplog.text


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:{free}/", "nonsense", "http://[", "ftp://x/"]
)
def test_a_sink_that_cannot_be_reached_harms_nobody(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = address.format(free=nobody.getsockname()[1])
        with closing(HttpEvents(url)) as events:
            for expected in (1, 2):
                events.queue_changed()
                end = time.monotonic() + 10
                while len(caplog.records) < expected:
                    assert time.monotonic() < end, "the second poke is tried as the first was"
                    time.sleep(0.01)
    assert "a poke was lost" in caplog.text


def test_without_a_sink_nothing_is_started() -> None:
    before = threading.active_count()
    with closing(HttpEvents("")) as events:
        events.queue_changed()
        assert threading.active_count() == before


def test_after_close_nothing_is_sent_and_no_thread_is_left(sink: Sink) -> None:
    events = HttpEvents(sink.url)
    events.queue_changed()
    sink.wait_for(1)
    events.close()
    events.queue_changed()
    assert "events" not in [thread.name for thread in threading.enumerate()]
    assert len(sink.pokes) == 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_pokes_go_on_in_a_process_forked_after_the_first(sink: Sink) -> None:
    with closing(HttpEvents(sink.url)) as events:
        events.queue_changed()
        sink.wait_for(1)
        child = os.fork()
        if child == 0:
            events.queue_changed()
            time.sleep(20)
            os._exit(0)
        try:
            sink.wait_for(2)
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
