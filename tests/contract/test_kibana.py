"""The view that Kibana gets, over real HTTP against a stand-in that wants what Kibana wants."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sentinels.clusters.kubernetes.api import Api
from sentinels.core.errors import Unavailable
from sentinels.install.checklist import Checklist
from sentinels.install.logs import bring_views, prepare_store
from sentinels.install.plan import KnativePlan, Plan
from sentinels.install.waiting import Site
from sentinels.services.kibana import import_objects

_VIEWS = b'{"type":"search","id":"sentinels-logs"}\n'


@dataclass
class Kibana:
    """Takes saved objects as Kibana does; ``refusals`` are what it says before."""

    url: str = ""
    refusals: list[tuple[int, bytes]] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)

    def take(self, path: str, headers: Message, body: bytes) -> tuple[int, bytes]:
        if self.refusals:
            return self.refusals.pop(0)
        if "kbn-xsrf" not in headers:
            return 400, b'{"message":"Request must contain a kbn-xsrf header."}'
        if path != "/api/saved_objects/_import?overwrite=true":
            return 404, b"{}"
        kind = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        parts = message_from_bytes(kind + body).get_payload()
        assert isinstance(parts, list)
        (part,) = parts
        assert isinstance(part, Message)
        assert (part.get_param("name", header="content-disposition"), part.get_filename()) == (
            "file",
            "sentinels.ndjson",
        )
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        self.taken.append(content)
        return 200, json.dumps({"success": True, "successCount": 1}).encode()


@pytest.fixture
def kibana() -> Iterator[Kibana]:
    found = Kibana()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, said = found.take(self.path, self.headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join(10)


def test_the_view_is_brought_as_often_as_one_likes(kibana: Kibana) -> None:
    for _ in range(2):
        import_objects(kibana.url + "/", _VIEWS, seconds=5)
    assert [taken.strip() for taken in kibana.taken] == [_VIEWS.strip()] * 2


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (503, b"Kibana server is not ready yet"),
        (200, b'{"success":false,"errors":[{"error":{"type":"missing_references"}}]}'),
        (200, b"<html>"),
    ],
)
def test_what_was_not_taken_is_told(kibana: Kibana, status: int, said: bytes) -> None:
    kibana.refusals = [(status, said)]
    with pytest.raises(Unavailable, match=f"answered {status}") as raised:
        import_objects(kibana.url, _VIEWS, seconds=5)
    assert "by hand" in str(raised.value.remedy)


def test_nobody_there_is_told_without_the_password() -> None:
    with pytest.raises(Unavailable, match=r"Kibana at http://127\.0\.0\.1:9 does not answer"):
        import_objects("http://user:secret@127.0.0.1:9", _VIEWS, seconds=1)


def site(seconds: float) -> Site:
    return Site(Api(""), time.monotonic() + seconds, Checklist())


def plan(kibana_url: str) -> Plan:
    knative = KnativePlan(wanted=False, install=False)
    return Plan("r", "n", 9, True, knative, [], [], kibana=kibana_url, views=_VIEWS)


def test_a_kibana_that_is_not_ready_yet_is_asked_again(
    kibana: Kibana, capsys: pytest.CaptureFixture[str]
) -> None:
    kibana.refusals = [(503, b"not ready yet")] * 2
    here = site(20)
    bring_views(here, plan(kibana.url))
    assert len(kibana.taken) == 1
    assert here.checklist.ok
    assert "✔ Kibana" in capsys.readouterr().out


def test_neither_a_kibana_nor_a_store_that_is_away_fails_an_installation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = site(0.2)
    bring_views(here, plan("http://127.0.0.1:9"))
    prepare_store(here, "http://127.0.0.1:9")
    bring_views(here, plan(""))
    prepare_store(here, "")
    said = capsys.readouterr().out
    assert here.checklist.ok
    assert said.count("! Kibana") == said.count("! search store") == 1
    assert "→" in said
