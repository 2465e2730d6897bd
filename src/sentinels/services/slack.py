"""Slack through its own SDK, with a bot token or an incoming webhook: ``core.ports.Messenger``.

Nothing here tries again: the outbox does, when Slack said it may. Neither a token nor a webhook's
address ever reaches a message or a log. Comes in: plain text. Goes out: one message. Before:
``core/notifying``.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookClient

from sentinels.core.errors import InvalidRequest, MessageRefused, MessengerUnavailable
from sentinels.core.ports import Messenger
from sentinels.core.text import printable
from sentinels.settings import Settings

_TEXT_LIMIT = 3900
_TIMEOUT = 5
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

_REMEDIES: Mapping[str, str] = {
    "channel_not_found": "create the channel or correct its name in notify.channel",
    "not_in_channel": "invite the bot to the channel: /invite @sentinels",
    "is_archived": "choose another channel",
    "invalid_auth": "set a valid bot token",
    "account_inactive": "set the token of an active bot",
    "token_revoked": "set a new bot token",
    "not_authed": "set a bot token",
    "missing_scope": "give the bot the scope chat:write",
    "no_service": "the webhook was removed: make a new one",
    "invalid_token": "the webhook's address is wrong: copy it again",
}


def messenger_from(settings: Settings) -> Messenger | None:
    """The messenger that the settings name; None where notices are only kept.

    Raises ``InvalidRequest`` for a webhook that is not Slack's own: notices carry names and links.
    """
    if settings.slack_token:
        return SlackBot(settings.slack_token, settings.slack_channel, settings.slack_api_url)
    if settings.slack_webhook:
        _check_webhook(settings)
        return SlackWebhook(settings.slack_webhook)
    return None


class SlackBot:
    """A bot that posts into any channel it was invited to."""

    def __init__(self, token: str, default_channel: str, api_url: str) -> None:
        """``default_channel`` takes what names no channel."""
        self._client = WebClient(token=token, base_url=api_url, timeout=_TIMEOUT, retry_handlers=[])
        self._default_channel = default_channel

    def send(self, *, channel: str | None, text: str) -> None:
        """See ``Messenger.send``."""
        try:
            self._client.chat_postMessage(
                channel=channel or self._default_channel,
                text=escaped(text),
                unfurl_links=False,
                unfurl_media=False,
            )
        except SlackApiError as error:
            raise _judged(error) from None
        except (SlackClientError, OSError) as error:
            raise _silent(error) from None


class SlackWebhook:
    """An incoming webhook; it has one channel, whatever a job names."""

    def __init__(self, url: str) -> None:
        """The webhook's secret address."""
        self._client = WebhookClient(url, timeout=_TIMEOUT, retry_handlers=[])

    def send(self, *, channel: str | None, text: str) -> None:  # noqa: ARG002  # a webhook has its own
        """See ``Messenger.send``."""
        try:
            answer = self._client.send(text=escaped(text), unfurl_links=False, unfurl_media=False)
        except (SlackClientError, OSError) as error:
            raise _silent(error) from None
        if answer.status_code != 200:
            raise _verdict(answer.status_code, answer.body, answer.headers)


def escaped(text: str) -> str:
    """Plain text as Slack takes it: three characters escaped, so that no mention or link works."""
    clean = printable(text, keep_newlines=True)
    clean = clean if len(clean) <= _TEXT_LIMIT else clean[: _TEXT_LIMIT - 1] + "…"
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _check_webhook(settings: Settings) -> None:
    address, api = urlsplit(settings.slack_webhook), urlsplit(settings.slack_api_url)
    stand_in = api.hostname in ("127.0.0.1", "localhost") and address.hostname == api.hostname
    if not stand_in and (address.scheme, address.hostname) != ("https", "hooks.slack.com"):
        raise InvalidRequest(
            "SENTINELS_SLACK_WEBHOOK is not an address of Slack's",
            remedy="it begins with https://hooks.slack.com/",
        )


def _judged(error: SlackApiError) -> MessageRefused | MessengerUnavailable:
    answer = error.response
    word = str(answer.get("error") or "")
    return _verdict(answer.status_code, word, answer.headers)


def _verdict(
    status: int, word: str, headers: Mapping[str, str]
) -> MessageRefused | MessengerUnavailable:
    if status == 429 or status >= 500 or word in _TRANSIENT:
        wait = _retry_after(headers)
        return MessengerUnavailable(f"Slack answered {status} {word}".strip(), retry_after=wait)
    remedy = _REMEDIES.get(word, "see Slack's documentation of this word")
    return MessageRefused(f"Slack refused the message: {printable(word)[:80]} ({remedy})")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    found = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    try:
        return max(1.0, float(found))
    except ValueError:
        return None


def _silent(error: Exception) -> MessengerUnavailable:
    return MessengerUnavailable(f"Slack does not answer: {type(error).__name__}")
