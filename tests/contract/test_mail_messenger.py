"""The Messenger port over SMTP, against a stand-in that speaks it over TCP."""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.errors import InvalidRequest, MessageRefused, MessengerUnavailable
from sentinels.core.ports import Message
from sentinels.services.smtp import Mail, mail_from, mail_of
from sentinels.settings import Settings
from tests.cluster.certificates import Authority
from tests.standins.mail import MailStandIn

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SENDER = "Sentinels <sentinels@example.org>"
PASSWORD = "a-secret/word@"


def told(text: str, to: str | None = "ann@example.org", title: str = "job 12 failed") -> Message:
    return Message(to, title, text, "notice-7", NOW)


def mail_to(server: MailStandIn, url: str | None = None, timeout: float = 5.0) -> Mail:
    made = mail_from(Settings(smtp_url=url or server.url, smtp_from=SENDER), timeout=timeout)
    assert made is not None
    return made


@pytest.fixture
def server() -> Iterator[MailStandIn]:
    with MailStandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """An authority, and a certificate and key for this machine under two names."""
    authority = Authority(tmp_path_factory.mktemp("mail"))
    issued = authority.issue("mail", "mail", addresses=["127.0.0.1", "localhost"])
    return (authority.certificate, *issued)


def test_a_notice_is_a_plain_text_mail_to_one_recipient(server: MailStandIn) -> None:
    mail_to(server).send(told("✘ job 12 failed\nSee: sentinels logs 12 …\n.\nend"))
    (got,) = server.mails
    assert (got.sender, got.recipients) == ("sentinels@example.org", ("ann@example.org",))
    assert (got.mail["From"], got.mail["To"]) == (SENDER, "ann@example.org")
    assert got.mail["Subject"] == "job 12 failed"
    assert got.mail["Auto-Submitted"] == "auto-generated"
    assert "notice-7" in got.mail["Message-ID"]
    assert got.mail.get_content_type() == "text/plain"
    lines = ["✘ job 12 failed", "See: sentinels logs 12 …", ".", "end"]
    assert got.mail.get_content().splitlines() == lines
    assert all(len(line) < 999 for line in got.raw.splitlines())


def test_a_mail_that_is_sent_again_has_the_same_id_and_any_other_has_not() -> None:
    first, again, other = (
        mail_of(told(text), "ann@example.org", SENDER)["Message-ID"] for text in ("a", "a", "b")
    )
    assert first == again != other


@given(st.text(), st.text())
def test_no_title_or_text_adds_a_header_or_control_bytes(title: str, text: str) -> None:
    sent = mail_of(told(text, title=title), "ann@example.org", SENDER)
    names = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
    assert [
        name for name in list(sent) if not name.lower().startswith(("content", "mime"))
    ] == names
    assert b"\x1b" not in sent.as_bytes()
    assert b"\x00" not in sent.as_bytes()


@pytest.mark.parametrize("tls", [False, True])
def test_a_password_is_sent_by_tls_alone(
    certificate: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    authority, *own = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with MailStandIn((own[0], own[1]), tls=tls, password=PASSWORD) as server:
        login = f"ann:{PASSWORD.replace('/', '%2F').replace('@', '%40')}"
        scheme = "smtps" if tls else "smtp"
        mail_to(server, f"{scheme}://{login}@localhost:{server.port}").send(told("hello"))
        assert [(got.secure, got.user) for got in server.mails] == [(True, "ann")]


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(
    certificate: tuple[Path, Path, Path],
) -> None:
    with MailStandIn((certificate[1], certificate[2]), password=PASSWORD) as server:
        url = f"smtp://ann:x@localhost:{server.port}"
        with pytest.raises(MessengerUnavailable, match="does not answer"):
            mail_to(server, url).send(told("hello"))
        assert server.mails == []


def test_without_tls_a_password_stays_here(
    server: MailStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentinels.services.smtp._LOOPBACK", ())
    with pytest.raises(MessengerUnavailable, match="offers no TLS"):
        mail_to(server, f"smtp://ann:secret@127.0.0.1:{server.port}").send(told("hello"))
    assert server.mails == []


@pytest.mark.parametrize(
    ("command", "answer", "kind", "says"),
    [
        ("RCPT", "550 5.1.1 no such user", MessageRefused, "550 5.1.1 no such user"),
        ("RCPT", "450 4.2.0 greylisted", MessengerUnavailable, "450 4.2.0 greylisted"),
        ("MAIL", "553 not from you", MessageRefused, "553"),
        ("CONTENT", "554 5.7.1 spam", MessageRefused, "554 5.7.1 spam"),
        ("CONTENT", "452 4.3.1 full", MessengerUnavailable, "452"),
        ("MAIL", "421 closing", MessengerUnavailable, "421 closing"),
    ],
)
def test_what_a_server_says_no_to_for_good_is_told_apart_from_what_may_pass(
    server: MailStandIn, command: str, answer: str, kind: type[Exception], says: str
) -> None:
    server.answers[command] = answer
    with pytest.raises(kind, match=says):
        mail_to(server).send(told("hello"))
    assert server.mails == []


def test_a_greylisted_recipient_is_tried_later_and_holds_up_nobody(server: MailStandIn) -> None:
    server.answers["RCPT"] = "450 4.2.0 greylisted"
    with pytest.raises(MessengerUnavailable) as caught:
        mail_to(server).send(told("hello"))
    assert caught.value.retry_after == 60.0


def test_a_wrong_password_is_waited_for_and_not_told() -> None:
    with MailStandIn(password=PASSWORD) as server:
        wrong = mail_to(server, f"smtp://ann:an-older-secret@127.0.0.1:{server.port}")
        with pytest.raises(MessengerUnavailable, match="refused the password") as caught:
            wrong.send(told("hello"))
        assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_a_server_that_is_away_or_silent_is_given_up_on_in_time(server: MailStandIn) -> None:
    server.down = True
    with pytest.raises(MessengerUnavailable):
        mail_to(server).send(told("hello"))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        with pytest.raises(MessengerUnavailable):
            mail_to(server, f"smtp://127.0.0.1:{silent.getsockname()[1]}", timeout=0.5).send(
                told("hello")
            )
        assert time.monotonic() - start < 4


def test_it_says_which_server_answers(server: MailStandIn) -> None:
    assert mail_to(server).greet() == f"127.0.0.1:{server.port}"


def test_what_is_no_address_is_refused(server: MailStandIn) -> None:
    for to in (None, "#vision"):
        with pytest.raises(MessageRefused):
            mail_to(server).send(told("hello", to))


@pytest.mark.parametrize(
    "settings",
    [
        Settings(smtp_url="mail.example.org", smtp_from=SENDER),
        Settings(smtp_url="http://mail.example.org", smtp_from=SENDER),
        Settings(smtp_url="smtp://ann@mail.example.org", smtp_from=SENDER),
        Settings(smtp_url="smtp://ann:a-secret@mail.example.org:port", smtp_from=SENDER),
        Settings(smtp_url="smtp://ann:a-secret@mail.example.org"),
        Settings(smtp_url="smtp://ann:a-secret@mail.example.org", smtp_from="Sentinels"),
        Settings(
            smtp_url="smtp://ann:a-secret@m.example.org", smtp_from="a@example.org\r\nBcc: b@c"
        ),
    ],
)
def test_settings_that_cannot_be_right_are_refused_without_telling_them(settings: Settings) -> None:
    with pytest.raises(InvalidRequest, match="SENTINELS_SMTP") as caught:
        mail_from(settings)
    assert "a-secret" not in f"{caught.value} {caught.value.remedy}"


def test_without_a_server_there_is_no_mail() -> None:
    assert mail_from(Settings()) is None
