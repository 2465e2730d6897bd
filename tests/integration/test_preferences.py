"""``sentinels notify`` and its routes: what people choose is kept, and what comes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping

import pytest

from sentinels.core.address import Service
from sentinels.core.notifying import deliver_due
from sentinels.core.rights import Role
from sentinels.db.people import ensure_user
from sentinels.services.slack import SlackBot
from sentinels.services.smtp import mail_from
from sentinels.settings import Settings
from tests.conftest import TOKEN
from tests.integration.test_settling import finished
from tests.standins.mail import MailStandIn
from tests.standins.slack import SlackStandIn, refused
from tests.support.desk import Desk, ref
from tests.support.front import Client, LoggedCluster, make_door, serving
from tests.support.people import promote

Person = Callable[..., subprocess.CompletedProcess[str]]
PATH = "/v1/preferences"


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def mail() -> Iterator[MailStandIn]:
    with MailStandIn() as server:
        yield server


@pytest.fixture
def client(desk: Desk, slack: SlackStandIn, mail: MailStandIn) -> Iterator[Client]:
    cluster = LoggedCluster()
    desk.cluster = cluster
    desk.messenger = SlackBot("xoxb-test", "#experiments", slack.api_url)
    mailer = mail_from(Settings(smtp_url=mail.url, smtp_from="s@example.org"))
    assert mailer is not None
    desk.others[Service.MAIL] = mailer
    promote(desk.engine, "ann", Role.LEAD)
    with serving(make_door(desk, cluster, None)) as port:
        yield Client(port, TOKEN)


@pytest.fixture
def mate(database_url: str, client: Client) -> Client:
    """Somebody else of the same team."""
    ensure_user(database_url, team="default", user="bob", token="bob-token")
    return Client(client.port, "bob-token")


@pytest.fixture
def person(client: Client) -> Person:
    """Types commands, as ann."""
    place = {"SENTINELS_URL": f"http://127.0.0.1:{client.port}", "SENTINELS_TOKEN": TOKEN}

    def types(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from sentinels.cli.main import run; run()", "notify", *words],
            env={**os.environ, **place, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return types


def chosen(client: Client, whose: str = "user") -> Mapping[str, object]:
    found: Mapping[str, object] = client.get(PATH).json[whose]
    return {key: found[key] for key in ("to", "on")}


def test_who_chose_nothing_is_told_the_usual_in_the_default_channel(client: Client) -> None:
    found = client.get(PATH).json
    usual = ["succeeded", "failed", "preempted", "long_wait", "slipped", "near_limit", "silent"]
    usual += ["delayed"]
    assert found["user"] == {"name": "ann", "to": [], "on": None, "told": usual}
    assert found["team"] == {
        "name": "default",
        "to": [],
        "on": None,
        "told": ["succeeded", "failed"],
    }
    assert found["default"] == "#experiments"
    assert found["services"] == ["slack", "mail"]
    assert found["webhooks"] == ["ci"]


def test_what_is_chosen_is_kept_and_what_is_not_named_stays(client: Client, mate: Client) -> None:
    client.post(PATH, {"user": {"to": ["@U024BE7LH", "Ann@Example.org"]}})
    client.post(PATH, {"user": {"on": ["failed", "silent"]}, "team": {"to": "#vision"}})
    to = ["@U024BE7LH", "ann@example.org"]
    assert chosen(client) == {"to": to, "on": ["failed", "silent"]}
    assert chosen(mate) == {"to": [], "on": None}
    assert chosen(mate, "team") == {"to": ["#vision"], "on": None}
    client.post(PATH, {"user": {"on": []}})
    assert chosen(client) == {"to": to, "on": []}
    client.post(PATH, {"user": {"to": [], "on": None}})
    assert chosen(client) == {"to": [], "on": None}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "must be a mapping"),
        ({"me": {}}, "unknown key"),
        ({"user": {"at": "#x"}}, "unknown key"),
        ({"user": {"to": ["a b", 7], "on": ["fail"]}}, "user.on[0]: 'fail' is no event of a job"),
        ({"user": {"to": "webhook:cl"}}, "there is no such webhook; there are: ci"),
        ({"team": {"to": ["#x"] * 11}}, "10 are allowed"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_with_every_fault(
    client: Client, body: object, says: str
) -> None:
    answer = client.post(PATH, body)
    assert answer.status == 400
    assert says in answer.json["detail"]
    assert chosen(client) == {"to": [], "on": None}


def test_a_push_that_names_a_webhook_that_is_none_is_refused_at_once(client: Client) -> None:
    answer = client.push(notify={"channel": ["#vision", "webhook:cii"]})
    assert answer.status == 422
    [fault] = answer.json["faults"]
    assert (fault["field"], fault["remedy"]) == ("notify.channel", "did you mean webhook:ci?")
    assert client.push(notify={"channel": ["webhook:ci"]}).status == 201


def test_the_next_end_is_told_where_its_owner_chose(
    client: Client, desk: Desk, slack: SlackStandIn, mail: MailStandIn
) -> None:
    job = client.push().json["jobs"][0]["id"]
    client.post(PATH, {"user": {"to": ["@U024BE7LH", "ann@example.org"]}})
    desk.tick()
    desk.cluster.seen[ref(job)] = finished()
    desk.tick()
    deliver_due(desk.notify())
    assert [message.channel for message in slack.messages] == ["U024BE7LH"]
    assert [got.recipients for got in mail.mails] == [("ann@example.org",)]


def test_the_command_shows_chooses_and_goes_back(person: Person, client: Client) -> None:
    first = person().stdout.splitlines()
    assert first[0].startswith("you, ann       in the default channel, #experiments: succeeded, ")
    assert first[0].endswith("(the usual)")
    assert first[1] == "team default   is not told: it named no address"
    assert first[2] == "set up         slack, mail, webhook:ci"
    said = person("--to", "@U024BE7LH", "--to", "ann@example.org", "--on", "failed,silent")
    assert said.stdout.startswith("you, ann       at @U024BE7LH, ann@example.org: failed, silent\n")
    assert "of nothing (at @U024BE7LH" in person("--off").stdout
    team = person("--team", "--to", "#vision").stdout
    assert "team default   at #vision: succeeded, failed (the usual)" in team
    assert chosen(client, "team") == {"to": ["#vision"], "on": None}
    assert "in the default channel" in person("--reset").stdout
    assert chosen(client) == {"to": [], "on": None}
    assert "silent         it has printed nothing for long" in person("-o", "wide").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--on", "failed", "--off"], "contradict each other"),
        (["--reset", "--to", "#x"], "contradict each other"),
        (["--on", "succeded"], "did you mean succeeded?"),
        (["--to", "ann@"], "is no address"),
    ],
)
def test_the_command_says_what_is_wrong(person: Person, words: list[str], says: str) -> None:
    said = person(*words)
    assert said.returncode == 2
    assert says in said.stderr


def test_a_test_message_says_what_each_service_said(
    person: Person, desk: Desk, slack: SlackStandIn, mail: MailStandIn
) -> None:
    person("--to", "@U024BE7LH,ann@example.org,webhook:ci")
    slack.answer_next(refused("user_not_found"))
    said = person("--test")
    assert said.returncode == 3
    lines = said.stdout.splitlines()
    assert lines[0].startswith("✘ @U024BE7LH: Slack refused the message: user_not_found (")
    assert lines[1] == "✔ ann@example.org: mail took it"
    assert lines[2] == "✘ webhook:ci: no webhook is set up: notices are only kept"
    assert "which ann asked for" in mail.mails[0].mail.get_content()
    desk.later(60)
    person("--reset")
    well = person("--test")
    assert (well.stdout, well.returncode) == ("✔ the default channel: slack took it\n", 0)
    assert slack.messages[-1].channel == "#experiments"


def test_test_messages_are_no_way_to_flood_anybody(client: Client, slack: SlackStandIn) -> None:
    tried = [client.post(f"{PATH}/test", {}).json["tried"][0] for _ in range(5)]
    assert [each["arrived"] for each in tried] == [True, False, False, False, False]
    assert "just now" in tried[1]["said"]
    assert len(slack.messages) == 1


def test_a_team_without_an_address_has_nothing_to_test(person: Person) -> None:
    said = person("--team", "--test")
    assert said.returncode == 2
    assert "team default has no address" in said.stderr
