"""E-mail through a mail server: ``core.ports.Messenger``.

A password is never sent in the clear, but to this machine. Nothing here tries again: the outbox
does. Comes in: plain text. Goes out: one plain-text mail. Before: ``core/telling``.
"""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from urllib.parse import unquote, urlsplit

from sentinels.core.address import Service, service_of
from sentinels.core.errors import InvalidRequest, MessageRefused, MessengerUnavailable
from sentinels.core.ports import Message
from sentinels.core.text import one_line, printable
from sentinels.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PORTS = {"smtp": 587, "smtps": 465}
_SUBJECT = 150
_TEXT_LIMIT = 100_000
_GREYLISTED_SECONDS = 60.0
"""When a recipient that was put off is tried again; the server takes mail for others meanwhile."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. ``tls``: from the first byte, else by STARTTLS where there is one;
    with a password there must be one.
    """

    host: str
    port: int
    tls: bool
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def needs_tls(self) -> bool:
        """Whether nothing may be sent in the clear."""
        return bool(self.password) and self.host not in _LOOPBACK


class Mail:
    """Sends from one address through one server; a connection a mail."""

    def __init__(self, server: MailServer, sender: str, *, timeout: float = 10.0) -> None:
        """``sender`` as in ``Sentinels <sentinels@example.org>``; ``timeout`` is in seconds."""
        self._server, self._sender, self._timeout = server, sender, timeout

    @property
    def has_threads(self) -> bool:
        """See ``Messenger.has_threads``."""
        return False

    def send(self, message: Message) -> None:
        """See ``Messenger.send``."""
        if message.to is None or service_of(message.to) is not Service.MAIL:
            raise MessageRefused(f"{message.to!r} is no e-mail address")
        mail = mail_of(message, message.to, self._sender)
        with _in_our_words(self._server), self._connected() as smtp:
            smtp.send_message(mail, parseaddr(self._sender)[1], [message.to])

    def greet(self) -> str:
        """Log in and out again; the server's name. Raises ``MessengerUnavailable``."""
        with _in_our_words(self._server), self._connected() as smtp:
            smtp.noop()
        return f"{self._server.host}:{self._server.port}"

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        server = self._server
        trusted = ssl.create_default_context()
        if server.tls:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=self._timeout, context=trusted
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=self._timeout)
        with smtp:
            smtp.ehlo_or_helo_if_needed()
            if not server.tls and (smtp.has_extn("starttls") or server.needs_tls):
                smtp.starttls(context=trusted)
            if server.password:
                smtp.login(server.user, server.password)
            yield smtp


def mail_from(settings: Settings, *, timeout: float = 10.0) -> Mail | None:
    """The mail server that the settings name; None where there is none.

    Raises ``InvalidRequest``, which repeats no password.
    """
    url = settings.smtp_url.strip()
    if not url:
        return None
    sender = settings.smtp_from.strip()
    name, address = parseaddr(sender)
    if service_of(address) is not Service.MAIL or sender != printable(sender):
        raise InvalidRequest(
            f"SENTINELS_SMTP_FROM={one_line(sender, 80)!r} is no sender",
            remedy="set it, as in Sentinels <sentinels@example.org>",
        )
    return Mail(_server(url), f"{name} <{address}>" if name else address, timeout=timeout)


def _server(url: str) -> MailServer:
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme not in _PORTS or not host or (bool(parts.username) != bool(parts.password)):
        raise InvalidRequest(
            "SENTINELS_SMTP_URL is no mail server's address",
            remedy="it is like smtp://user:password@mail.example.org:587 or smtps://…",
        )
    return MailServer(
        host=host,
        port=port or _PORTS[scheme],
        tls=scheme == "smtps",
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def mail_of(message: Message, to: str, sender: str) -> EmailMessage:
    """A message as a mail from one to another; nothing in it can add a header."""
    mail = EmailMessage(policy=SMTP_POLICY)
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = one_line(message.title, _SUBJECT)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = _message_id(message, domain=parseaddr(sender)[1].partition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    text = printable(message.text, keep_newlines=True)[:_TEXT_LIMIT]
    mail.set_content(text, cte="quoted-printable")
    return mail


def _message_id(message: Message, *, domain: str) -> str:
    """The same when it is sent again, so that a mailbox can tell; another for any other text."""
    digest = hashlib.sha256(f"{message.at.isoformat()}\n{message.text}".encode()).hexdigest()
    return f"<{message.id}.{digest[:16]}@{domain}>"


@contextmanager
def _in_our_words(server: MailServer) -> Iterator[None]:
    where = f"the mail server {server.host}:{server.port}"
    try:
        yield
    except smtplib.SMTPRecipientsRefused as refused:
        raise _recipient_refused(where, refused) from None
    except smtplib.SMTPAuthenticationError as refused:
        raise MessengerUnavailable(
            f"{where} refused the password: {_said(refused.smtp_error)}",
            remedy="correct SENTINELS_SMTP_URL",
        ) from None
    except smtplib.SMTPNotSupportedError:
        raise MessengerUnavailable(
            f"{where} offers no TLS, and a password is not sent in the clear",
            remedy="use smtps://, or a server with STARTTLS",
        ) from None
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as refused:
        said = f"{where} refused the mail: {refused.smtp_code} {_said(refused.smtp_error)}"
        if refused.smtp_code >= 500:
            raise MessageRefused(said) from None
        raise MessengerUnavailable(said) from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise MessengerUnavailable(f"{where} does not answer: {type(error).__name__}") from None


def _recipient_refused(
    where: str, refused: smtplib.SMTPRecipientsRefused
) -> MessageRefused | MessengerUnavailable:
    code, said = next(iter(refused.recipients.values()))
    told = f"{where} refused the recipient: {code} {_said(said)}"
    if code >= 500:
        return MessageRefused(told, remedy="correct the address")
    return MessengerUnavailable(told, retry_after=_GREYLISTED_SECONDS)


def _said(words: bytes | str) -> str:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return one_line(text, 200)
