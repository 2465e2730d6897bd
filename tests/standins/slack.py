"""A server that speaks Slack's HTTP, on loopback: ``chat.postMessage``, ``auth.test``, webhooks.

It keeps what arrives, with a time stamp a message, and refuses replies to what it does not know.
What it answers to the next requests can be chosen, one ``Answer`` each; ``gap`` makes it hold every
channel to its rate, as Slack does to about one message a second; ``down`` closes its connections.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition
from urllib.parse import parse_qsl

from tests.standins.stand_in import StandIn

CHAT = "/api/chat.postMessage"
AUTH = "/api/auth.test"
WEBHOOK = "/services/T000/B000/a-secret-path"


@dataclass(frozen=True)
class Message:
    """One message as it arrived, and when; ``channel`` is None for the webhook's own."""

    channel: str | None
    text: str
    fields: Mapping[str, object]
    authorization: str
    at: float = 0.0
    ts: str = ""

    @property
    def thread(self) -> str | None:
        """The message that it replies to."""
        return str(self.fields["thread_ts"]) if self.fields.get("thread_ts") else None

    @property
    def is_broadcast(self) -> bool:
        """Whether the channel sees a reply, too."""
        return self.fields.get("reply_broadcast") in ("1", "true", "True", True)


@dataclass(frozen=True)
class Answer:
    """What Slack does with a request. ``keeps``: the message arrives, whatever the sender hears."""

    status: int = 200
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    keeps: bool = False
    hangs: bool = False
    closes: bool = False


def rate_limited(seconds: int) -> Answer:
    """Slack asks to wait."""
    body = '{"ok": false, "error": "ratelimited"}'
    return Answer(status=429, body=body, headers={"Retry-After": str(seconds)})


def broken(status: int = 500) -> Answer:
    """Slack's servers are in trouble."""
    return Answer(status=status, body="<html>upstream trouble</html>")


def refused(word: str) -> Answer:
    """Slack's Web API says no, as it does: with 200."""
    return Answer(body=json.dumps({"ok": False, "error": word}))


def webhook_refused(status: int, word: str) -> Answer:
    """An incoming webhook says no."""
    return Answer(status=status, body=word)


HANGS = Answer(hangs=True)
"""Nothing is ever answered."""
CLOSES = Answer(closes=True)
"""The connection is closed without an answer."""
LOSES_ITS_ANSWER = Answer(keeps=True, closes=True)
"""The message arrives, and the sender never hears so."""


class SlackStandIn(StandIn):
    """Runs in a thread while entered; ``messages`` is what arrived, in order."""

    def __init__(self, *, gap: float = 0.0) -> None:
        self.messages: list[Message] = []
        self.requests = 0
        self.refused_for_rate = 0
        self.gap = gap
        self.down = False
        self._arrived = Condition()
        self._next: deque[Answer] = deque()
        server = _Server(("127.0.0.1", 0), _Handler)
        server.slack = self
        super().__init__(server)

    @property
    def api_url(self) -> str:
        """For ``SENTINELS_SLACK_API_URL``."""
        return f"http://127.0.0.1:{self.port}/api/"

    @property
    def webhook_url(self) -> str:
        """For ``SENTINELS_SLACK_WEBHOOK``."""
        return f"http://127.0.0.1:{self.port}{WEBHOOK}"

    def answer_next(self, *answers: Answer) -> None:
        """What the next requests get; after them, every message is taken."""
        self._next.extend(answers)

    def wait_for(self, count: int, *, seconds: float = 10.0) -> list[Message]:
        """The messages once there are ``count``; fails where they do not come in time."""
        with self._arrived:
            came = self._arrived.wait_for(lambda: len(self.messages) >= count, timeout=seconds)
            assert came, f"{len(self.messages)} of {count} messages came in {seconds} s"
            return list(self.messages)

    def take(self, path: str, authorization: str, fields: Mapping[str, object]) -> Answer:
        """Decide about one request; keep its message."""
        with self._arrived:
            self.requests += 1
            answer = self._answer(path, authorization, fields)
            if answer.keeps:
                channel, text = fields.get("channel"), str(fields.get("text", ""))
                kept = None if channel is None else str(channel)
                now, ts = time.monotonic(), self._ts(len(self.messages))
                self.messages.append(Message(kept, text, fields, authorization, now, ts))
                self._arrived.notify_all()
        if answer.hangs:
            self.over.wait(30)
        return answer

    def _answer(self, path: str, authorization: str, fields: Mapping[str, object]) -> Answer:
        if self._next:
            return self._next.popleft()
        if self.down:
            return CLOSES
        usual = _usual(path, authorization, fields)
        if not usual.keeps or path != CHAT:
            return usual
        if fields.get("thread_ts") and fields["thread_ts"] not in {m.ts for m in self.messages}:
            return refused("thread_not_found")
        wait = self._too_early(fields.get("channel"))
        if wait > 0:
            self.refused_for_rate += 1
            return rate_limited(math.ceil(wait))
        place = place_of(str(fields["channel"]))
        body = {"ok": True, "channel": place, "ts": self._ts(len(self.messages))}
        return Answer(body=json.dumps(body), keeps=True)

    def _too_early(self, channel: object) -> float:
        place = place_of(str(channel))
        before = (m.at for m in self.messages if place_of(str(m.channel)) == place)
        return max(before, default=-math.inf) + self.gap - time.monotonic()

    @staticmethod
    def _ts(number: int) -> str:
        return f"1700000000.{number:06d}"


def place_of(channel: str) -> str:
    """The channel that Slack says a message is in: a member's is one of their own."""
    return f"D{channel[1:]}" if channel[:1] in ("U", "W") else channel


def _usual(path: str, authorization: str, fields: Mapping[str, object]) -> Answer:
    if path == WEBHOOK:
        said = fields.get("text") or fields.get("attachments")
        return Answer(body="ok", keeps=True) if said else webhook_refused(400, "no_text")
    if path not in {CHAT, AUTH}:
        return refused("unknown_method")
    if not authorization.startswith("Bearer xoxb-"):
        return refused("not_authed")
    if path == AUTH:
        return Answer(body=json.dumps({"ok": True, "team": "Acme", "user": "sentinels"}))
    if not fields.get("channel"):
        return refused("channel_not_found")
    return Answer(body='{"ok": true}', keeps=True)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    slack: SlackStandIn


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        if "json" in self.headers.get("Content-Type", ""):
            fields = json.loads(content or "{}")  # auth.test says JSON and sends nothing
        else:
            fields = dict(parse_qsl(content))
        answer = self.server.slack.take(self.path, self.headers.get("Authorization", ""), fields)
        self.close_connection = True
        if not (answer.closes or answer.hangs):
            self._write(answer)

    def _write(self, answer: Answer) -> None:
        body = (answer.body or "").encode()
        kind = "application/json" if answer.body and answer.body.startswith("{") else "text/html"
        self.send_response(answer.status)
        for name, value in {"Content-Type": kind, **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
