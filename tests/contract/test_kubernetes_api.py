"""Many calls at once take no longer than they may, whoever of those asked is silent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sentinels.clusters.kubernetes.api import Answer, Api, Request
from sentinels.core.errors import ClusterUnavailable

_over = threading.Event()


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/silent":
            _over.wait(30)
            return
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """Against a server that answers some and lets others wait."""
    _over.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    named = {"name": "here"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{**named, "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{**named, "user": {}}],
        "contexts": [{**named, "context": {"cluster": "here", "user": "here"}}],
        "current-context": "here",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    made = Api(str(path))
    try:
        yield made
    finally:
        _over.set()
        made.close()
        server.shutdown()
        server.server_close()
        thread.join()


def test_all_are_answered_within_the_time_for_all_of_them(api: Api) -> None:
    requests = [Request("GET", "/silent") for _ in range(40)] + [Request("GET", "/quick")] * 3
    began = time.monotonic()
    answers = dict(api.many(requests, in_flight=8, within=0.5))
    assert time.monotonic() - began < 5
    assert len(answers) == 43
    assert all(isinstance(answer, ClusterUnavailable) for answer in answers.values())


def test_the_silent_keep_nothing_from_the_others(api: Api) -> None:
    requests = [Request("GET", "/silent"), Request("GET", "/quick"), Request("GET", "/quick")]
    answers = dict(api.many(requests, within=1.0))
    assert isinstance(answers[0], ClusterUnavailable)
    assert isinstance(answers[1], Answer)
    assert isinstance(answers[2], Answer)


def test_without_a_bound_each_takes_the_time_it_may(api: Api) -> None:
    [(_, answer)] = api.many([Request("GET", "/silent", seconds=0.3)])
    assert isinstance(answer, ClusterUnavailable)
