"""Slack through its own SDK, with a bot token or an incoming webhook: ``core.ports.Messenger``.

Nothing here tries again: the outbox does, when Slack said it may. Neither a token nor a webhook's
address ever reaches a message or a log. Comes in: plain text. Goes out: one message. Before:
``core/notifying``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from http.client import HTTPException
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookClient

from sentinels.core.address import member_id
from sentinels.core.errors import (
    InvalidRequest,
    MessageRefused,
    MessengerUnavailable,
    ThreadLost,
)
from sentinels.core.ports import Message, Messenger, Thread
from sentinels.core.text import printable
from sentinels.settings import Settings

_TEXT_LIMIT = 3900
_LONGEST_WAIT = 3600.0
_MESSAGE = "the message"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WORD = re.compile(r"[a-z][a-z0-9_]{1,79}")
_NO_ANSWER = (SlackClientError, OSError, HTTPException, ValueError, AttributeError)
"""What the SDK raises for silence, and for answers that are not Slack's: pages of a proxy."""

# The SDK logs webhook addresses, and request headers where one of them is not sound.
_sdk_log = logging.getLogger(f"{__name__}.sdk")
_sdk_log.disabled = True

_TRANSIENT = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
    }
)

_MISCONFIGURED = frozenset(
    {
        "invalid_auth",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "not_authed",
        "missing_scope",
        "no_service",
        "no_active_hooks",
        "invalid_token",
        "action_prohibited",
    }
)
"""Words about the token or the webhook: notices wait until an administrator has mended it."""

_THREAD_LOST = frozenset({"thread_not_found", "message_not_found", "cannot_reply_to_message"})

_REMEDIES: Mapping[str, str] = {
    "user_not_found": "correct the member's id: it is in their profile, as in @U024BE7LH",
    "cannot_dm_bot": "name a person, or a channel",
    "channel_not_found": "create the channel or correct its name; "
    "a person is named by their member id, as in @U024BE7LH",
    "not_in_channel": "invite the bot to the channel: /invite @sentinels",
    "is_archived": "choose another channel",
    "channel_is_archived": "choose another channel",
    "restricted_action": "an administrator of the workspace lets the bot post in this channel",
    "msg_too_long": "make the job's name and labels shorter",
    "no_text": "report this to Sentinels: a notice was empty",
    "invalid_auth": "set a valid bot token",
    "account_inactive": "set the token of an active bot",
    "token_revoked": "set a new bot token",
    "not_authed": "set a bot token",
    "missing_scope": "give the bot the scope chat:write",
    "token_expired": "set a new bot token",
    "no_service": "the webhook was removed: make a new one",
    "no_active_hooks": "the webhook was switched off: make a new one",
    "invalid_token": "the webhook's address is wrong: copy it again",
    "action_prohibited": "an administrator of the workspace lets the webhook post",
}


def messenger_from(settings: Settings, *, timeout: int = 5) -> Messenger | None:
    """The messenger that the settings name; None where notices are only kept. ``timeout`` is in
    seconds.

    Raises ``InvalidRequest`` for addresses and tokens that cannot be Slack's: notices carry names
    and links. A stand-in on this machine is allowed where ``slack_api_url`` names one.
    """
    token, webhook = settings.slack_token.strip(), settings.slack_webhook.strip()
    if token:
        _check_bot(token, settings.slack_api_url)
        return SlackBot(token, settings.slack_channel, settings.slack_api_url, timeout=timeout)
    if webhook:
        _check_webhook(webhook, settings.slack_api_url)
        return SlackWebhook(webhook, timeout=timeout)
    return None


class SlackBot:
    """A bot that posts into any channel it was invited to."""

    def __init__(self, token: str, default_channel: str, api_url: str, *, timeout: int = 5) -> None:
        """``default_channel`` takes what names no channel; ``timeout`` is in seconds."""
        self._client = WebClient(
            token=token, base_url=api_url, timeout=timeout, retry_handlers=[], logger=_sdk_log
        )
        self._default_channel = default_channel

    @property
    def has_threads(self) -> bool:
        """See ``Messenger.has_threads``."""
        return True

    def send(self, message: Message) -> Thread | None:
        """See ``Messenger.send``. Raises ``ThreadLost``, too."""
        thread = message.thread
        try:
            answer = self._client.chat_postMessage(
                channel=thread.place if thread else _channel(message.to or self._default_channel),
                text=escaped(message.text),
                thread_ts=thread.ts if thread else None,
                reply_broadcast=message.broadcast if thread else None,
                unfurl_links=False,
                unfurl_media=False,
            )
        except SlackApiError as error:
            raise _judged(error) from None
        except _NO_ANSWER as error:
            raise _silent(error) from None
        return Thread(str(answer.get("channel") or ""), str(answer.get("ts") or ""))

    def identity(self) -> str:
        """Who the token is, as in ``as sentinels in Acme``. Raises ``MessageRefused`` for a token
        that is none, and ``MessengerUnavailable``.
        """
        try:
            said = self._client.auth_test()
        except SlackApiError as error:
            raise _judged(error, "the token") from None
        except _NO_ANSWER as error:
            raise _silent(error) from None
        user, team = (printable(str(said.get(name) or "?")[:80]) for name in ("user", "team"))
        return f"as {user} in {team}"


def _channel(address: str) -> str:
    """What Slack takes: a member by their bare id, which is a direct message."""
    return member_id(address) or address


class SlackWebhook:
    """An incoming webhook; it has one channel, whatever a job names."""

    def __init__(self, url: str, *, timeout: int = 5) -> None:
        """``url`` is the webhook's secret address; ``timeout`` is in seconds."""
        self._client = WebhookClient(url, timeout=timeout, retry_handlers=[], logger=_sdk_log)

    @property
    def has_threads(self) -> bool:
        """See ``Messenger.has_threads``: its answer names no message."""
        return False

    def send(self, message: Message) -> None:
        """See ``Messenger.send``."""
        text = escaped(message.text)
        try:
            answer = self._client.send(text=text, unfurl_links=False, unfurl_media=False)
        except _NO_ANSWER as error:
            raise _silent(error) from None
        if (answer.status_code, answer.body.strip()) != (200, "ok"):
            raise _verdict(answer.status_code, answer.body, answer.headers)


def escaped(text: str) -> str:
    """Plain text as Slack takes it: three characters escaped, so that no mention or link works."""
    clean = printable(text, keep_newlines=True)
    clean = clean if len(clean) <= _TEXT_LIMIT else clean[: _TEXT_LIMIT - 1] + "…"
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _check_bot(token: str, api_url: str) -> None:
    if not re.fullmatch(r"[!-~]+", token):
        raise InvalidRequest(
            "SENTINELS_SLACK_TOKEN holds spaces or characters that no token has",
            remedy="copy it again; a bot token begins with xoxb-",
        )
    if urlsplit(api_url).scheme != "https" and not _is_loopback(api_url):
        raise InvalidRequest(
            f"SENTINELS_SLACK_API_URL={api_url!r} would send the token in the clear",
            remedy="leave it out: it is https://slack.com/api/",
        )


def _check_webhook(webhook: str, api_url: str) -> None:
    address = urlsplit(webhook)
    if _is_loopback(webhook) and _is_loopback(api_url):
        return
    if (address.scheme, address.hostname) != ("https", "hooks.slack.com"):
        raise InvalidRequest(
            "SENTINELS_SLACK_WEBHOOK is not an address of Slack's",
            remedy="it begins with https://hooks.slack.com/",
        )


def _is_loopback(address: str) -> bool:
    return urlsplit(address).hostname in _LOOPBACK


def _judged(error: SlackApiError, refused: str = _MESSAGE) -> MessageRefused | MessengerUnavailable:
    answer = error.response
    word = str(answer.data.get("error") or "") if isinstance(answer.data, dict) else ""
    return _verdict(answer.status_code, word, answer.headers, refused)


def _verdict(
    status: int, word: str, headers: Mapping[str, str], refused: str = _MESSAGE
) -> MessageRefused | MessengerUnavailable:
    word = word.strip()
    foreign = _WORD.fullmatch(word) is None
    if status == 429 or status >= 500 or word in _TRANSIENT or foreign:
        said = "and not as Slack does" if foreign else word
        wait = _retry_after(headers)
        return MessengerUnavailable(f"Slack answered {status} {said}", retry_after=wait)
    remedy = _REMEDIES.get(word, "see Slack's documentation of this word")
    if word in _MISCONFIGURED and refused == _MESSAGE:
        return MessengerUnavailable(f"Slack refused {refused}: {word} ({remedy})", remedy=remedy)
    kind = ThreadLost if word in _THREAD_LOST else MessageRefused
    return kind(f"Slack refused {refused}: {word} ({remedy})", remedy=remedy)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    found = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    return min(max(1.0, float(found)), _LONGEST_WAIT) if found.isdecimal() else None


def _silent(error: Exception) -> MessengerUnavailable:
    return MessengerUnavailable(f"Slack does not answer: {type(error).__name__}")
