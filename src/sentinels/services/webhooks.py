"""Signed webhooks, by the Standard Webhooks specification: ``core.ports.Messenger``.

A user names a webhook, an administrator says where that is: nobody makes Sentinels call addresses
of their own. Redirects are not followed. ``webhook-id`` stays the same when a notice is sent again,
so that a program can drop what it has already. Comes in: a notice. Goes out: one POST of JSON.
Before: ``core/telling``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

from sentinels.clock import utc_now
from sentinels.core.address import webhook_name
from sentinels.core.errors import InvalidRequest, MessageRefused, MessengerUnavailable
from sentinels.core.ports import Message
from sentinels.settings import Settings

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_PREFIX = "whsec_"
_FEWEST_BYTES = 16
_LONGEST_WAIT = 3600.0
_NO_KEEPING = httpx.Limits(max_keepalive_connections=0)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a program is told, and the key that its messages are signed with."""

    url: str
    key: bytes = field(repr=False)


class Webhooks:
    """The administrator's webhooks."""

    def __init__(
        self,
        webhooks: Mapping[str, Webhook],
        *,
        timeout: float = 10.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """By name; ``timeout`` is in seconds."""
        self._webhooks, self._timeout, self._clock = webhooks, timeout, clock

    @property
    def has_threads(self) -> bool:
        """See ``Messenger.has_threads``."""
        return False

    @property
    def names(self) -> tuple[str, ...]:
        """What users can name."""
        return tuple(sorted(self._webhooks))

    def send(self, message: Message) -> None:
        """See ``Messenger.send``."""
        name = webhook_name(message.to or "")
        webhook = self._webhooks.get(name)
        if webhook is None:
            known = ", ".join(self.names) or "none"
            raise MessageRefused(f"there is no webhook {name!r}; there are: {known}")
        body = body_of(message)
        headers = signed(webhook.key, message.id, body, self._clock())
        try:
            with (
                httpx.Client(timeout=self._timeout, limits=_NO_KEEPING) as http,
                http.stream("POST", webhook.url, content=body, headers=headers) as answer,
            ):
                status, answered = answer.status_code, answer.headers
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = type(error).__name__
            raise MessengerUnavailable(f"webhook {name} does not answer: {why}") from None
        _judge(name, status, answered)


def webhooks_from(settings: Settings, *, timeout: float = 10.0) -> Webhooks | None:
    """The webhooks that the settings name; None where there are none.

    Raises ``InvalidRequest``, which repeats no secret.
    """
    lines = [line.strip() for line in re.split(r"[\n;]", settings.webhooks) if line.strip()]
    if not lines:
        return None
    return Webhooks(dict(map(_read, lines)), timeout=timeout)


def body_of(message: Message) -> bytes:
    """What is sent: the type, the time of the notice, and its facts."""
    body = {
        "type": message.type,
        "timestamp": message.at.astimezone(UTC).isoformat(),
        "data": message.facts or {"text": message.text},
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def signed(key: bytes, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that say who sent this, and when."""
    moment = str(int(now.timestamp()))
    content = b".".join((message_id.encode(), moment.encode(), body))
    digest = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{digest}",
    }


def _judge(name: str, status: int, headers: Mapping[str, str]) -> None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if status == HTTPStatus.GONE:
        raise MessageRefused(f"webhook {name} answered 410: it does not want to be told any more")
    said = headers.get("retry-after", "")
    wait = min(max(1.0, float(said)), _LONGEST_WAIT) if said.isdecimal() else None
    raise MessengerUnavailable(f"webhook {name} answered {status}", retry_after=wait)


def _read(line: str) -> tuple[str, Webhook]:
    name, *rest = line.split()
    wrong = f"SENTINELS_WEBHOOKS: {name[:40]!r}"
    if not _NAME.fullmatch(name) or len(rest) != 2:
        raise InvalidRequest(
            f"{wrong} is no webhook", remedy="write NAME ADDRESS SECRET, the name in small letters"
        )
    address, secret = rest
    url = httpx.URL(address) if address.isascii() else httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise InvalidRequest(
            f"{wrong} has no address", remedy="it is like https://ci.example.org/x"
        )
    return name, Webhook(address, _key(wrong, secret))


def _key(wrong: str, secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) < _FEWEST_BYTES:
        raise InvalidRequest(
            f"{wrong} has no sound secret",
            remedy=f"it is {_PREFIX} and at least {_FEWEST_BYTES} random bytes in base64",
        )
    return key
