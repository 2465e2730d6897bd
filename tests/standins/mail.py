"""A mail server that speaks SMTP over TCP, on loopback, with STARTTLS and AUTH PLAIN.

It keeps what is handed in, and to whom. ``answers`` are what a command gets instead of what it
would, once each; ``down`` closes its connections.
"""

from __future__ import annotations

import base64
import email
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Condition
from typing import IO, cast

from tests.standins.stand_in import StandIn


@dataclass(frozen=True)
class HandedIn:
    """One mail as it arrived: envelope, content, whether by TLS, as whom."""

    sender: str
    recipients: tuple[str, ...]
    mail: EmailMessage
    raw: bytes
    secure: bool
    user: str | None


@dataclass
class _Session:
    secure: bool
    user: str | None = None
    sender: str = ""
    recipients: list[str] = field(default_factory=list)


class MailStandIn(StandIn):
    """Runs in a thread while entered. With a certificate and its key it offers STARTTLS, or speaks
    TLS from the first byte.
    """

    def __init__(
        self, certificate: tuple[Path, Path] | None = None, *, tls: bool = False, password: str = ""
    ) -> None:
        self.mails: list[HandedIn] = []
        self.answers: dict[str, str] = {}
        self.down = False
        self.password = password
        self.tls = tls
        self.context: ssl.SSLContext | None = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self._arrived = Condition()
        server = _Server(("127.0.0.1", 0), _Handler)
        server.stand_in = self
        super().__init__(server)

    @property
    def url(self) -> str:
        """For ``SENTINELS_SMTP_URL``."""
        return f"smtp://127.0.0.1:{self.port}"

    def wait_for(self, count: int, *, seconds: float = 10.0) -> list[HandedIn]:
        """The mails once there are ``count``; fails where they do not come in time."""
        with self._arrived:
            came = self._arrived.wait_for(lambda: len(self.mails) >= count, timeout=seconds)
            assert came, f"{len(self.mails)} of {count} mails came in {seconds} s"
            return list(self.mails)

    def keep(self, session: _Session, raw: bytes) -> None:
        mail = cast("EmailMessage", email.message_from_bytes(raw, policy=default))
        kept = HandedIn(
            session.sender, tuple(session.recipients), mail, raw, session.secure, session.user
        )
        with self._arrived:
            self.mails.append(kept)
            self._arrived.notify_all()


class _Server(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    stand_in: MailStandIn

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is none of a test's business."""


class _Handler(StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self._stand_in = self.server.stand_in
        self._in: IO[bytes] = self.rfile
        self._out: IO[bytes] = self.wfile
        if self._stand_in.down:
            return
        if self._stand_in.tls:
            self._encrypt()
        self._session = _Session(secure=self._stand_in.tls)
        self._say("220 mail.example.org ESMTP")
        try:
            while line := self._in.readline():
                if not self._take(line.decode().strip()):
                    break
        finally:
            for each in (self._in, self._out, self.connection):
                each.close()

    def _take(self, line: str) -> bool:
        """Answer one command; False: it was the last."""
        word = line.partition(" ")[0].upper()
        chosen = self._stand_in.answers.pop(word, None)
        if chosen is not None:
            self._say(chosen)
            return True
        commands = {
            "EHLO": self._greet,
            "STARTTLS": self._start_tls,
            "AUTH": self._log_in,
            "MAIL": self._begin,
            "RCPT": self._address,
            "DATA": self._take_data,
        }
        if word == "QUIT":
            self._say("221 bye")
            return False
        commands.get(word, lambda _: self._say("250 ok"))(line)
        return True

    def _start_tls(self, _: str) -> None:
        self._say("220 go ahead")
        self._encrypt()
        self._session = _Session(secure=True)

    def _begin(self, line: str) -> None:
        self._session.sender = _in_brackets(line)
        self._say("250 ok")

    def _address(self, line: str) -> None:
        self._session.recipients.append(_in_brackets(line))
        self._say("250 ok")

    def _greet(self, _: str) -> None:
        offers = ["mail.example.org", "8BITMIME"]
        if self._stand_in.context and not self._session.secure:
            offers.append("STARTTLS")
        if self._stand_in.password:
            offers.append("AUTH PLAIN")
        for offer in offers[:-1]:
            self._say(f"250-{offer}")
        self._say(f"250 {offers[-1]}")

    def _log_in(self, line: str) -> None:
        _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
        if password != self._stand_in.password:
            self._say("535 5.7.8 authentication failed")
            return
        self._session.user = user
        self._say("235 welcome")

    def _take_data(self, _: str) -> None:
        self._say("354 go on")
        lines = []
        while (line := self._in.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if chosen := self._stand_in.answers.pop("CONTENT", None):
            self._say(chosen)
            return
        self._stand_in.keep(self._session, b"".join(lines))
        self._say("250 kept")

    def _encrypt(self) -> None:
        assert self._stand_in.context is not None
        secure = self._stand_in.context.wrap_socket(self.connection, server_side=True)
        self.connection = secure
        self._in, self._out = secure.makefile("rb"), secure.makefile("wb", 0)

    def _say(self, line: str) -> None:
        self._out.write(f"{line}\r\n".encode())
        self._out.flush()


def _in_brackets(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]
