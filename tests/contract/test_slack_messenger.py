"""The Messenger port over HTTP, against a stand-in that speaks Slack's."""

from __future__ import annotations

import logging
import socket
import time
import traceback
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.errors import InvalidRequest, MessageRefused, MessengerUnavailable
from sentinels.core.ports import Messenger
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

Maker = Callable[[SlackStandIn], Messenger]


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
    messenger.send(channel="#vision", text="job 7 succeeded")
    messenger.send(channel=None, text="job 8 failed")
    first, second = slack.messages
    assert (first.channel, first.text) == ("#vision", "job 7 succeeded")
    assert (second.channel, second.text) == ("#experiments", "job 8 failed")
    assert first.authorization == f"Bearer {TOKEN}"


def test_the_webhook_posts_into_its_own_channel(slack: SlackStandIn) -> None:
    webhook(slack).send(channel="#vision", text="job 7 succeeded")
    (message,) = slack.messages
    assert (message.channel, message.text) == (None, "job 7 succeeded")


@both
def test_links_are_not_unfolded_and_nobody_is_mentioned(slack: SlackStandIn, make: Maker) -> None:
    make(slack).send(channel=None, text="a & b <!channel> <https://x|y>\nsecond line")
    (message,) = slack.messages
    assert message.text == "a &amp; b &lt;!channel&gt; &lt;https://x|y&gt;\nsecond line"
    assert message.fields["unfurl_links"] in (False, "false", "0")
    assert message.fields["unfurl_media"] in (False, "false", "0")


@both
def test_a_long_text_is_cut_with_an_ellipsis(slack: SlackStandIn, make: Maker) -> None:
    make(slack).send(channel=None, text="x" * 5000)
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
        make(slack).send(channel=None, text="hello")
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
        make(slack).send(channel=None, text="hello")
    assert caught.value.retry_after is None
    assert slack.requests == 1
    make(slack).send(channel=None, text="hello again")
    assert [message.text for message in slack.messages] == ["hello again"]


@pytest.mark.parametrize("body", ["<html>sign in to the hotel</html>", "[]", '"ok"', "null", ""])
def test_a_page_that_is_not_slacks_is_no_delivery_and_no_refusal(
    slack: SlackStandIn, body: str
) -> None:
    slack.answer_next(Answer(body=body))
    with pytest.raises(MessengerUnavailable):
        bot(slack).send(channel=None, text="hello")


def test_a_webhook_is_delivered_only_where_slack_says_so(slack: SlackStandIn) -> None:
    slack.answer_next(Answer(body="<html>sign in to the hotel</html>"))
    with pytest.raises(MessengerUnavailable):
        webhook(slack).send(channel=None, text="hello")


def test_a_silent_slack_is_given_up_on_in_time(slack: SlackStandIn) -> None:
    slack.answer_next(HANGS, HANGS)
    for messenger in (
        SlackBot(TOKEN, "#experiments", slack.api_url, timeout=1),
        SlackWebhook(slack.webhook_url, timeout=1),
    ):
        start = time.monotonic()
        with pytest.raises(MessengerUnavailable):
            messenger.send(channel=None, text="hello")
        assert 0.9 < time.monotonic() - start < 4


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("channel_not_found", "correct its name"),
        ("not_in_channel", "/invite"),
        ("invalid_auth", "valid bot token"),
        ("msg_too_long", "shorter"),
        ("a_word_of_tomorrow", "Slack's documentation"),
    ],
)
def test_a_refusal_keeps_slacks_word_and_says_what_to_do(
    slack: SlackStandIn, word: str, remedy: str
) -> None:
    slack.answer_next(refused(word))
    with pytest.raises(MessageRefused, match=word) as caught:
        bot(slack).send(channel="#gone", text="hello")
    assert remedy in str(caught.value)


def test_a_webhooks_refusal_keeps_slacks_word(slack: SlackStandIn) -> None:
    slack.answer_next(webhook_refused(404, "no_service"))
    with pytest.raises(MessageRefused, match=r"no_service.*make a new one"):
        webhook(slack).send(channel=None, text="hello")


def test_words_for_passing_trouble_are_no_refusals(slack: SlackStandIn) -> None:
    slack.answer_next(refused("internal_error"))
    with pytest.raises(MessengerUnavailable):
        bot(slack).send(channel=None, text="hello")


@both
@pytest.mark.parametrize("answer", [Answer(), broken(), CLOSES, refused("invalid_auth")])
def test_no_secret_is_logged_or_told(
    slack: SlackStandIn, make: Maker, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    slack.answer_next(answer)
    with pytest.raises((MessengerUnavailable, MessageRefused)) as caught:
        make(slack).send(channel=None, text="hello")
    told = "".join(traceback.format_exception(caught.value))
    assert "a-secret" not in told + caplog.text


def test_a_host_that_nobody_listens_on_is_trouble_on_the_way() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/api/"
        with pytest.raises(MessengerUnavailable):
            SlackBot(TOKEN, "#experiments", address).send(channel=None, text="hello")


def test_the_environments_proxy_is_not_asked_for_what_no_proxy_names(
    slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for make in (bot, webhook):
        make(slack).send(channel=None, text="hello")
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
        messenger.send(channel=None, text="hello")
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
