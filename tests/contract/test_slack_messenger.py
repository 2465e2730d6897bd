"""The Messenger port over HTTP, against a stand-in that speaks Slack's."""

from __future__ import annotations

import logging
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.errors import (
    InvalidRequest,
    MessageRefused,
    MessengerUnavailable,
    ThreadLost,
)
from sentinels.core.ports import Message, Messenger, Thread
from sentinels.core.text import has_control
from sentinels.services.slack import SlackBot, SlackWebhook, escaped, messenger_from
from sentinels.settings import Settings
from tests.standins.slack import (
    CLOSES,
    HANGS,
    Answer,
    SlackStandIn,
    broken,
    rate_limited,
    refused,
    webhook_refused,
)

TOKEN = "xoxb-0123-a-secret"

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

Maker = Callable[[SlackStandIn], Messenger]


def told(text: str, to: str | None = None, **more: Any) -> Message:
    return Message(to, "a title", text, "notice-1", NOW, **more)


def bot(slack: SlackStandIn) -> Messenger:
    return SlackBot(TOKEN, "#experiments", slack.api_url)


def webhook(slack: SlackStandIn) -> Messenger:
    return SlackWebhook(slack.webhook_url)


both = pytest.mark.parametrize("make", [bot, webhook])


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as stand_in:
        yield stand_in


def test_the_bot_posts_into_the_named_channel_and_else_into_the_default(
    slack: SlackStandIn,
) -> None:
    messenger = bot(slack)
    messenger.send(told("job 7 succeeded", "#vision"))
    messenger.send(told("job 8 failed"))
    first, second = slack.messages
    assert (first.channel, first.text) == ("#vision", "job 7 succeeded")
    assert (second.channel, second.text) == ("#experiments", "job 8 failed")
    assert first.authorization == f"Bearer {TOKEN}"


def test_the_webhook_posts_into_its_own_channel(slack: SlackStandIn) -> None:
    webhook(slack).send(told("job 7 succeeded", "#vision"))
    (message,) = slack.messages
    assert (message.channel, message.text) == (None, "job 7 succeeded")


@both
def test_links_are_not_unfolded_and_nobody_is_mentioned(slack: SlackStandIn, make: Maker) -> None:
    make(slack).send(told("a & b <!channel> <https://x|y>\nsecond line"))
    (message,) = slack.messages
    assert message.text == "a &amp; b &lt;!channel&gt; &lt;https://x|y&gt;\nsecond line"
    assert message.fields["unfurl_links"] in (False, "false", "0")
    assert message.fields["unfurl_media"] in (False, "false", "0")


@both
def test_a_long_text_is_cut_with_an_ellipsis(slack: SlackStandIn, make: Maker) -> None:
    make(slack).send(told("x" * 5000))
    assert slack.messages[0].text == "x" * 3899 + "…"


@given(st.text())
def test_no_text_reaches_slack_with_control_bytes_or_markup(text: str) -> None:
    sent = escaped(text)
    assert "<" not in sent
    assert ">" not in sent
    assert not has_control(sent.replace("\n", "").replace("\t", ""))


@both
@pytest.mark.parametrize(("said", "wait"), [(7, 7.0), (0, 1.0), (10**9, 3600.0)])
def test_a_rate_limit_says_how_long_to_wait_within_an_hour(
    slack: SlackStandIn, make: Maker, said: int, wait: float
) -> None:
    slack.answer_next(rate_limited(said))
    with pytest.raises(MessengerUnavailable) as caught:
        make(slack).send(told("hello"))
    assert caught.value.retry_after == wait
    assert slack.requests == 1, "the outbox tries again, not the adapter"


@both
@pytest.mark.parametrize(
    "answer",
    [
        broken(500),
        broken(503),
        CLOSES,
        Answer(status=403, body="<html>a proxy says no</html>"),
        Answer(status=429, body="", headers={"Retry-After": "soon"}),
    ],
)
def test_trouble_on_the_way_is_worth_another_try_which_the_adapter_does_not_make(
    slack: SlackStandIn, make: Maker, answer: Answer
) -> None:
    slack.answer_next(answer)
    with pytest.raises(MessengerUnavailable) as caught:
        make(slack).send(told("hello"))
    assert caught.value.retry_after is None
    assert slack.requests == 1
    make(slack).send(told("hello again"))
    assert [message.text for message in slack.messages] == ["hello again"]


@pytest.mark.parametrize("body", ["<html>sign in to the hotel</html>", "[]", '"ok"', "null", ""])
def test_a_page_that_is_not_slacks_is_no_delivery_and_no_refusal(
    slack: SlackStandIn, body: str
) -> None:
    slack.answer_next(Answer(body=body))
    with pytest.raises(MessengerUnavailable):
        bot(slack).send(told("hello"))


def test_a_webhook_is_delivered_only_where_slack_says_so(slack: SlackStandIn) -> None:
    slack.answer_next(Answer(body="<html>sign in to the hotel</html>"))
    with pytest.raises(MessengerUnavailable):
        webhook(slack).send(told("hello"))


def test_a_silent_slack_is_given_up_on_in_time(slack: SlackStandIn) -> None:
    slack.answer_next(HANGS, HANGS)
    for messenger in (
        SlackBot(TOKEN, "#experiments", slack.api_url, timeout=1),
        SlackWebhook(slack.webhook_url, timeout=1),
    ):
        start = time.monotonic()
        with pytest.raises(MessengerUnavailable):
            messenger.send(told("hello"))
        assert 0.9 < time.monotonic() - start < 4


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("channel_not_found", "correct its name"),
        ("not_in_channel", "/invite"),
        ("user_not_found", "member"),
        ("msg_too_long", "shorter"),
        ("a_word_of_tomorrow", "Slack's documentation"),
    ],
)
def test_a_refusal_keeps_slacks_word_and_says_what_to_do(
    slack: SlackStandIn, word: str, remedy: str
) -> None:
    slack.answer_next(refused(word))
    with pytest.raises(MessageRefused, match=word) as caught:
        bot(slack).send(told("hello", "#gone"))
    assert remedy in str(caught.value)


def test_a_webhooks_refusal_keeps_slacks_word(slack: SlackStandIn) -> None:
    slack.answer_next(webhook_refused(400, "no_text"))
    with pytest.raises(MessageRefused, match=r"no_text.*report this"):
        webhook(slack).send(told("hello"))


@pytest.mark.parametrize(
    ("make", "answer", "says"),
    [
        (bot, refused("invalid_auth"), r"invalid_auth.*valid bot token"),
        (bot, refused("token_revoked"), r"token_revoked.*new bot token"),
        (webhook, webhook_refused(404, "no_service"), r"no_service.*make a new one"),
    ],
)
def test_what_an_administrator_has_to_mend_is_waited_for(
    slack: SlackStandIn, make: Maker, answer: Answer, says: str
) -> None:
    slack.answer_next(answer)
    with pytest.raises(MessengerUnavailable, match=says):
        make(slack).send(told("hello"))


def test_a_message_says_where_replies_go_and_replies_go_there(slack: SlackStandIn) -> None:
    messenger = bot(slack)
    thread = messenger.send(told("the first", "@U024BE7LH"))
    assert thread is not None
    assert thread.place == "D024BE7LH"
    messenger.send(told("a reply", "U024BE7LH", thread=thread))
    messenger.send(told("for all", "U024BE7LH", thread=thread, broadcast=True))
    first, reply, shown = slack.messages
    assert (first.thread, first.is_broadcast) == (None, False)
    assert (reply.channel, reply.thread, reply.is_broadcast) == ("D024BE7LH", first.ts, False)
    assert (shown.channel, shown.thread, shown.is_broadcast) == ("D024BE7LH", first.ts, True)


def test_a_reply_to_what_is_not_there_any_more_is_told_apart(slack: SlackStandIn) -> None:
    gone = Thread("#vision", "1600000000.000000")
    with pytest.raises(ThreadLost, match="thread_not_found"):
        bot(slack).send(told("a reply", "#vision", thread=gone))


def test_a_webhook_has_no_threads(slack: SlackStandIn) -> None:
    assert not webhook(slack).has_threads
    assert webhook(slack).send(told("hello")) is None


def test_words_for_passing_trouble_are_no_refusals(slack: SlackStandIn) -> None:
    slack.answer_next(refused("internal_error"))
    with pytest.raises(MessengerUnavailable):
        bot(slack).send(told("hello"))


@both
@pytest.mark.parametrize("answer", [Answer(), broken(), CLOSES, refused("invalid_auth")])
def test_no_secret_is_logged_or_told(
    slack: SlackStandIn, make: Maker, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    slack.answer_next(answer)
    with pytest.raises((MessengerUnavailable, MessageRefused)) as caught:
        make(slack).send(told("hello"))
    said = "".join(traceback.format_exception(caught.value))
    assert "a-secret" not in said + caplog.text


def test_a_host_that_nobody_listens_on_is_trouble_on_the_way() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/api/"
        with pytest.raises(MessengerUnavailable):
            SlackBot(TOKEN, "#experiments", address).send(told("hello"))


def test_the_environments_proxy_is_not_asked_for_what_no_proxy_names(
    slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for make in (bot, webhook):
        make(slack).send(told("hello"))
    assert len(slack.messages) == 2


def test_the_settings_choose_the_messenger(slack: SlackStandIn) -> None:
    assert messenger_from(Settings()) is None
    by_token = Settings(
        slack_token=f" {TOKEN}\n", slack_webhook="unused", slack_api_url=slack.api_url
    )
    by_webhook = Settings(slack_webhook=slack.webhook_url, slack_api_url=slack.api_url)
    for settings, kind in ((by_token, SlackBot), (by_webhook, SlackWebhook)):
        messenger = messenger_from(settings)
        assert isinstance(messenger, kind)
        messenger.send(told("hello"))
    assert slack.messages[0].authorization == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "settings",
    [
        Settings(slack_webhook="https://hooks.slack.com.evil.example/services/a-secret"),
        Settings(slack_webhook="https://hooks.slack.com@evil.example/services/a-secret"),
        Settings(slack_webhook="http://hooks.slack.com/services/a-secret"),
        Settings(slack_webhook="http://169.254.169.254/a-secret"),
        Settings(slack_webhook="http://127.0.0.1:1/a-secret"),
        Settings(slack_webhook="http://10.0.0.1/a-secret", slack_api_url="http://127.0.0.1:1/"),
        Settings(slack_token="xoxb-a-secret", slack_api_url="http://slack.example/api/"),
        Settings(slack_token="xoxb-a-secret and more"),
    ],
)
def test_settings_that_would_send_notices_elsewhere_are_refused_without_telling_them(
    settings: Settings,
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        messenger_from(settings)
    assert "a-secret" not in f"{caught.value} {caught.value.remedy}"
    assert "SENTINELS_SLACK" in str(caught.value)
