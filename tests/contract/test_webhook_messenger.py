"""The Messenger port over signed webhooks, against a real HTTP server that checks signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from sentinels.core.errors import InvalidRequest, MessageRefused, MessengerUnavailable
from sentinels.core.ports import Message
from sentinels.services.webhooks import Webhooks, webhooks_from
from sentinels.settings import Settings

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a-secret-of-24-bytes-long").decode()


class Program:
    """What a webhook leads to; ``status`` and ``headers`` are what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.address = f"http://127.0.0.1:{self.server.server_port}"


def _handler(program: Program) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            program.got.append((self.path, headers, body))
            self.send_response(program.status)
            for name, value in {"Content-Length": "0", **program.headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def program() -> Iterator[Program]:
    made = Program()
    thread = Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join(timeout=5)


def webhooks(text: str) -> Webhooks:
    made = webhooks_from(Settings(webhooks=text))
    assert made is not None
    return made


def told(to: str = "webhook:ci", **facts: Any) -> Message:
    return Message(to, "a title", "job 12 failed", "notice-7", NOW, "job.failed", facts)


def verified(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """The recipe of Standard Webhooks, as a receiver follows it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(
        hmac.compare_digest(signature.partition(",")[2], expected)
        for signature in headers["webhook-signature"].split()
        if signature.startswith("v1,")
    )


def test_a_program_gets_type_time_and_facts_and_can_check_who_sent_them(program: Program) -> None:
    webhooks(f"ci {program.address}/hook?x=1 {SECRET}").send(told(job=12, text="grün <!channel>"))
    [(path, headers, body)] = program.got
    assert path == "/hook?x=1"
    assert json.loads(body) == {
        "type": "job.failed",
        "timestamp": "2026-11-23T12:00:00+00:00",
        "data": {"job": 12, "text": "grün <!channel>"},
    }
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "notice-7"
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    assert verified(SECRET, headers, body)
    assert not verified(SECRET, headers, body + b" ")
    other = "whsec_" + base64.b64encode(b"another-secret-of-24-byte").decode()
    assert not verified(other, headers, body)


def test_the_recipes_own_example_is_signed_alike() -> None:
    from sentinels.services.webhooks import signed

    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    moment = datetime.fromtimestamp(1614265330, UTC)
    headers = signed(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', moment)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_webhook_is_found_by_its_name(program: Program) -> None:
    both = webhooks(f"ci {program.address}/ci {SECRET}; board-2 {program.address}/board {SECRET}")
    assert both.names == ("board-2", "ci")
    both.send(told("webhook:board-2"))
    assert [path for path, _, _ in program.got] == ["/board"]
    with pytest.raises(MessageRefused, match="no webhook 'gone'; there are: board-2, ci"):
        both.send(told("webhook:gone"))


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 429, 500, 503])
def test_whatever_is_no_success_is_sent_again_later_and_no_redirect_is_followed(
    program: Program, status: int
) -> None:
    program.status, program.headers = status, {"Location": f"{program.address}/elsewhere"}
    with pytest.raises(MessengerUnavailable, match=f"webhook ci answered {status}"):
        webhooks(f"ci {program.address} {SECRET}").send(told())
    assert len(program.got) == 1


def test_a_program_says_when_to_come_again(program: Program) -> None:
    program.status, program.headers = 429, {"Retry-After": "17"}
    with pytest.raises(MessengerUnavailable) as caught:
        webhooks(f"ci {program.address} {SECRET}").send(told())
    assert caught.value.retry_after == 17.0


def test_a_program_that_is_gone_is_not_told_again(program: Program) -> None:
    program.status = 410
    with pytest.raises(MessageRefused, match="410"):
        webhooks(f"ci {program.address} {SECRET}").send(told())


def test_a_program_that_is_away_is_tried_later_and_no_secret_is_told(program: Program) -> None:
    program.server.shutdown()
    program.server.server_close()
    with pytest.raises(MessengerUnavailable, match="webhook ci does not answer") as caught:
        webhooks(f"ci {program.address}/a-secret-path {SECRET}").send(told())
    said = "".join(traceback.format_exception(caught.value))
    assert "a-secret-path" not in str(caught.value)
    assert SECRET not in said


@pytest.mark.parametrize(
    "text",
    [
        f"ci https://ci.example.org a-secret {SECRET}",
        "ci https://ci.example.org",
        "ci https://ci.example.org a-secret",
        "ci https://ci.example.org whsec_a-secret",
        "ci https://ci.example.org whsec_YS1zZWNyZXQ=",
        f"CI https://ci.example.org {SECRET}",
        f"ci ftp://ci.example.org {SECRET}",
        f"ci ci.example.org {SECRET}",
        f"ci https://ann:a-secret@ci.example.org {SECRET}",
        f"ci https:// {SECRET}",
    ],
)
def test_settings_that_cannot_be_right_are_refused_without_telling_them(text: str) -> None:
    with pytest.raises(InvalidRequest, match="SENTINELS_WEBHOOKS") as caught:
        webhooks_from(Settings(webhooks=text))
    told_ = f"{caught.value} {caught.value.remedy}"
    assert "a-secret" not in told_
    assert SECRET not in told_
    assert "YS1z" not in told_


def test_without_webhooks_there_are_none() -> None:
    assert webhooks_from(Settings(webhooks=" \n;")) is None
