"""What ``sentinels doctor`` is told: every part asked at once, each trouble with its remedy."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

import pytest

from sentinels.core.errors import Unavailable
from sentinels.core.vitals import EVENTS_JOBS, TICK_DISPATCH, TICK_NOTIFY, DeadLetter
from sentinels.db.vitals import PostgresVitals
from sentinels.functions.submit.health_probes import Check, Probe, ask_all
from sentinels.services.search import greet_search_store
from sentinels.settings import Settings
from tests.conftest import TOKEN
from tests.standins.mail import MailStandIn
from tests.standins.pages import Pages
from tests.standins.slack import HANGS, SlackStandIn, broken, rate_limited, refused
from tests.support.desk import Desk
from tests.support.front import Client, LoggedCluster, make_door, serving

SECRET = "hush-hush"
Found = dict[str, dict[str, object]]
ELASTICSEARCH = {
    "name": "sentinels-elasticsearch-0",
    "version": {"number": "9.1.4"},
    "tagline": "You Know, for Search",
}
OPENSEARCH = {"name": "one", "version": {"number": "3.1.0", "distribution": "opensearch"}}


class Doctor:
    """Asks a door for its checks; ``settings`` and ``hears_jobs`` may be changed before."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.settings = Settings()
        self.hears_jobs = False
        self._stack = ExitStack()
        self._client: Client | None = None

    def __enter__(self) -> Doctor:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def client(self) -> Client:
        if self._client is None:
            made = make_door(
                self.desk,
                LoggedCluster(),
                None,
                settings=self.settings,
                hears_jobs=self.hears_jobs,
            )
            self._client = Client(self._stack.enter_context(serving(made)), TOKEN)
        return self._client

    def checks(self) -> Found:
        answer = self.client.get("/v1/health")
        assert answer.status == 200
        found = {check["name"]: check for check in answer.json["checks"]}
        assert [check for check in found.values() if not check["ok"] and not check["remedy"]] == []
        assert SECRET not in answer.body.decode()
        return found


@pytest.fixture
def doctor(desk: Desk) -> Iterator[Doctor]:
    with Doctor(desk) as made:
        yield made


@pytest.fixture
def pages() -> Iterator[Pages]:
    with Pages() as made:
        yield made


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as made:
        yield made


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of somebody who takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def heard(desk: Desk, name: str, *, seconds: float = 0) -> None:
    """A sign left so long ago, and first left a day ago."""
    PostgresVitals(desk.engine).leave_sign(name)
    desk.change(
        f"UPDATE signs SET at = now() - interval '{seconds} seconds',"
        f" since = now() - interval '1 day' WHERE name = '{name}'"
    )


def test_what_is_not_configured_is_well_and_says_so(doctor: Doctor) -> None:
    found = doctor.checks()
    for name in ("mlflow", "slack", "search store", "prometheus"):
        assert found[name]["ok"] is True
        assert str(found[name]["detail"]).startswith("not configured: ")


def test_a_source_that_never_ticked_or_fell_silent_is_named(doctor: Doctor, desk: Desk) -> None:
    never = doctor.checks()["sources"]
    assert never["ok"] is False
    assert never["detail"] == "dispatch was never ticked, notify was never ticked"
    heard(desk, TICK_DISPATCH, seconds=4.5)
    heard(desk, TICK_NOTIFY, seconds=700)
    late = doctor.checks()["sources"]
    assert late["ok"] is False
    assert late["detail"] == "dispatch ticked 4s ago, notify ticked 11m40s ago"
    heard(desk, TICK_NOTIFY)
    assert doctor.checks()["sources"]["ok"] is True


def passed(desk: Desk, *, settled: int, seconds: float) -> None:
    """A pass so long ago that moved so many jobs."""
    desk.tick()
    desk.change(
        f"UPDATE passes SET settled = {settled}, at = now() - interval '{seconds} seconds'"
        " WHERE id = (SELECT max(id) FROM passes)"
    )


@pytest.mark.parametrize(
    ("event_seconds", "move_seconds", "well"),
    [
        (3600, None, True),  # a quiet cluster
        (3600, 600, False),  # a pass moved jobs long after the last event, and none came
        (600, 3000, True),  # an event came after the move
        (630, 600, True),  # the event that announced the move
        (3600, 5, True),  # the event may still come
        (None, 600, False),  # there never was one
        (None, None, True),
        (90000, 7200, True),  # too long ago to tell anything of now
    ],
)
def test_silent_job_events_are_trouble_only_where_jobs_moved_meanwhile(
    doctor: Doctor,
    desk: Desk,
    event_seconds: float | None,
    move_seconds: float | None,
    well: bool,
) -> None:
    doctor.hears_jobs = True
    for tick in (TICK_DISPATCH, TICK_NOTIFY):
        heard(desk, tick)
    if event_seconds is not None:
        heard(desk, EVENTS_JOBS, seconds=event_seconds)
    if move_seconds is not None:
        passed(desk, settled=2, seconds=move_seconds)
    found = doctor.checks()["sources"]
    assert found["ok"] is well, found
    if not well:
        assert "2 moves of jobs seen by passes alone" in str(found["detail"])
        assert "ApiServerSource" in str(found["remedy"])


def test_moves_before_signs_were_kept_are_no_trouble(doctor: Doctor, desk: Desk) -> None:
    doctor.hears_jobs = True
    passed(desk, settled=2, seconds=600)
    for tick in (TICK_DISPATCH, TICK_NOTIFY):
        PostgresVitals(desk.engine).leave_sign(tick)
    assert doctor.checks()["sources"]["ok"] is True


def test_a_machine_without_job_events_does_not_miss_them(doctor: Doctor, desk: Desk) -> None:
    for tick in (TICK_DISPATCH, TICK_NOTIFY):
        heard(desk, tick)
    passed(desk, settled=2, seconds=600)
    assert doctor.checks()["sources"]["ok"] is True


def letter(kind: str, **told: str) -> DeadLetter:
    plain = DeadLetter(kind, "/source", None, None, None, None, "")
    return replace(plain, **told)


def test_dead_letters_are_counted_and_the_newest_told_with_why(doctor: Doctor, desk: Desk) -> None:
    vitals = PostgresVitals(desk.engine)
    assert doctor.checks()["dead letters"]["detail"] == "none in the last day"
    vitals.record(letter("of.old"))
    desk.change("UPDATE dead_letters SET at = now() - interval '25 hours'")
    assert doctor.checks()["dead letters"]["ok"] is True
    vitals.record(letter("of.old"))
    vitals.record(letter("dev.sentinels.queue.changed", code="503", detail="the cluster is away"))
    found = doctor.checks()["dead letters"]
    assert found["ok"] is False
    assert found["detail"] == (
        "2 events not delivered in the last day,"
        " the newest of type dev.sentinels.queue.changed (503, the cluster is away)"
    )
    desk.change("UPDATE dead_letters SET at = now() - interval '2 hours'")
    calm = doctor.checks()["dead letters"]
    assert calm["ok"] is True
    assert str(calm["detail"]).endswith("; none in the last hour")


def test_dead_letters_and_silence_are_gauges(doctor: Doctor, desk: Desk) -> None:
    PostgresVitals(desk.engine).record(letter("of.ours"))
    heard(desk, TICK_NOTIFY, seconds=50)
    samples = Client(doctor.client.port).get("/metrics").body.decode()
    assert "sentinels_dead_letters_last_day 1.0" in samples
    beginning = f'sentinels_source_heard_timestamp_seconds{{source="{TICK_NOTIFY}"}} '
    [line] = [x for x in samples.splitlines() if x.startswith(beginning)]
    assert 50 <= time.time() - float(line.removeprefix(beginning)) < 60


@pytest.mark.parametrize(
    ("root", "said"),
    [(ELASTICSEARCH, "Elasticsearch 9.1.4 answers"), (OPENSEARCH, "OpenSearch 3.1.0 answers")],
)
def test_a_search_store_that_answers_is_named(
    doctor: Doctor, pages: Pages, root: object, said: str
) -> None:
    pages.pages["/"] = (200, root)
    secret = f"http://elastic:{SECRET}@127.0.0.1:{pages.port}/"
    doctor.settings = Settings(search_url=secret)
    assert doctor.checks()["search store"] == {
        "name": "search store",
        "ok": True,
        "detail": said,
        "remedy": None,
    }
    assert pages.authorizations[0].startswith("Basic ")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ((401, {"error": "who?"}), "does not let us in: 401"),
        ((503, "no master"), "answered 503"),
        ((200, "<html>a router</html>"), "is no search store"),
        ((200, ["version"]), "is no search store"),
        ((200, {"version": "9"}), "is no search store"),
        ((200, "[" * 60000), "is no search store"),
    ],
)
def test_a_search_store_in_trouble_is_told_without_its_password(
    doctor: Doctor, pages: Pages, page: tuple[int, object], said: str
) -> None:
    pages.pages["/"] = page
    secret = f"http://elastic:{SECRET}@127.0.0.1:{pages.port}"
    doctor.settings = Settings(search_url=secret)
    found = doctor.checks()["search store"]
    assert found["ok"] is False
    assert said in str(found["detail"])
    assert pages.url in str(found["detail"])


def test_a_service_that_drips_for_ever_is_left_in_time(pages: Pages) -> None:
    pages.pages["/"], pages.drips = (200, ""), True
    begin = time.monotonic()
    with pytest.raises(Unavailable):
        greet_search_store(pages.url, seconds=0.5)
    assert time.monotonic() - begin < 2


def test_prometheus_is_asked_whether_it_is_ready(doctor: Doctor, pages: Pages) -> None:
    doctor.settings = Settings(prometheus_url=f"{pages.url}/prefix/")
    assert "answered 404" in str(doctor.checks()["prometheus"]["detail"])
    pages.pages["/prefix/-/ready"] = (503, "Service Unavailable")
    assert doctor.checks()["prometheus"]["ok"] is False
    pages.pages["/prefix/-/ready"] = (200, "Prometheus Server is Ready.\n")
    assert doctor.checks()["prometheus"]["ok"] is True


def test_who_does_not_listen_is_said_not_to_answer_at_which_address(
    doctor: Doctor, nobody: int
) -> None:
    url = f"http://ann:{SECRET}@127.0.0.1:{nobody}"
    doctor.settings = Settings(
        tracker_url=url,
        search_url=url,
        prometheus_url=url,
        slack_token="xoxb-1",
        slack_api_url=f"http://127.0.0.1:{nobody}/api/",
    )
    found = doctor.checks()
    for name in ("search store", "prometheus"):
        assert found[name]["ok"] is False
        told = f"at http://127.0.0.1:{nobody} does not answer: Connection refused"
        assert told in str(found[name]["detail"])
    assert "Slack does not answer" in str(found["slack"]["detail"])


def test_an_address_that_is_none_is_said_to_be(doctor: Doctor) -> None:
    doctor.settings = Settings(search_url="http://[::1", prometheus_url="localhost:9090")
    found = doctor.checks()
    assert (found["search store"]["ok"], found["prometheus"]["ok"]) == (False, False)


def test_slack_is_asked_who_the_bot_is_and_sent_nothing(
    doctor: Doctor, slack: SlackStandIn
) -> None:
    doctor.settings = Settings(slack_token=f"xoxb-{SECRET}", slack_api_url=slack.api_url)
    found = doctor.checks()["slack"]
    assert (found["ok"], found["detail"]) == (
        True,
        "answers as sentinels in Acme; to #experiments by default",
    )
    assert (slack.requests, slack.messages) == (1, [])


def test_slack_in_trouble_is_told_with_what_to_do(doctor: Doctor, slack: SlackStandIn) -> None:
    doctor.settings = Settings(slack_token=f"xoxb-{SECRET}", slack_api_url=slack.api_url)
    slack.answer_next(refused("invalid_auth"), rate_limited(30), broken())
    first = doctor.checks()["slack"]
    assert first["ok"] is False
    assert "Slack refused the token: invalid_auth" in str(first["detail"])
    assert first["remedy"] == "set a valid bot token"
    assert "429" in str(doctor.checks()["slack"]["detail"])
    assert "500" in str(doctor.checks()["slack"]["detail"])


def test_a_webhook_is_not_asked_and_that_is_said(doctor: Doctor, slack: SlackStandIn) -> None:
    doctor.settings = Settings(slack_webhook=slack.webhook_url, slack_api_url=slack.api_url)
    found = doctor.checks()["slack"]
    assert found["ok"] is True
    assert "only a notice shows whether it works" in str(found["detail"])
    assert slack.requests == 0


def test_a_mail_server_is_greeted_and_sent_nothing(doctor: Doctor, nobody: int) -> None:
    with MailStandIn() as server:
        doctor.settings = Settings(smtp_url=server.url, smtp_from="s@example.org")
        found = doctor.checks()["mail"]
        assert (found["ok"], found["detail"]) == (
            True,
            f"127.0.0.1:{server.port} takes mail from s@example.org",
        )
        assert server.mails == []


def test_a_mail_server_that_is_away_and_webhooks_without_secrets_are_told(
    doctor: Doctor, nobody: int
) -> None:
    doctor.settings = Settings(
        smtp_url=f"smtp://ann:{SECRET}@127.0.0.1:{nobody}",
        smtp_from="s@example.org",
        webhooks=f"ci https://ci.example.org/{SECRET}",
    )
    found = doctor.checks()
    assert "does not answer" in str(found["mail"]["detail"])
    assert found["mail"]["ok"] is found["webhooks"]["ok"] is False
    assert "'ci' is no webhook" in str(found["webhooks"]["detail"])


def test_webhooks_are_named(doctor: Doctor) -> None:
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    doctor.settings = Settings(webhooks=f"ci https://ci.example.org/x {key}")
    assert doctor.checks()["webhooks"]["detail"] == "signed for: ci"


def test_what_is_full_is_mentioned_and_is_no_fault(doctor: Doctor, desk: Desk) -> None:
    assert doctor.checks()["capacity"]["detail"] == "nothing has been full for long"
    desk.change(
        "INSERT INTO conditions (name, line, told_at) VALUES ('full:cpu', 'CPUs are full', now())"
    )
    found = doctor.checks()["capacity"]
    assert (found["ok"], found["detail"]) == (True, "CPUs are full")


def test_notices_that_wait_for_a_silent_slack_are_held_up_by_it_and_not_forgotten(
    doctor: Doctor, desk: Desk
) -> None:
    desk.change(
        "INSERT INTO outbox (job_id, attempt, kind, channel, error, due_at)"
        " VALUES (1, 1, 'failed', 'messenger', 'Slack is away', now() - interval '1 hour')"
    )
    assert "start the notify function" in str(doctor.checks()["outbox"]["remedy"])
    desk.change("INSERT INTO recipients (address, next_at) VALUES ('', now() + interval '1 min')")
    assert "held up by: Slack is away" in str(doctor.checks()["outbox"]["detail"])


def test_a_token_that_cannot_be_one_is_told(doctor: Doctor) -> None:
    doctor.settings = Settings(slack_token=f"xoxb {SECRET}")
    found = doctor.checks()["slack"]
    assert found["ok"] is False
    assert "SENTINELS_SLACK_TOKEN" in str(found["detail"])


def test_all_that_hang_together_are_told_of_within_three_seconds(
    doctor: Doctor, silent: int, slack: SlackStandIn, pages: Pages
) -> None:
    url, pages.drips = f"http://127.0.0.1:{silent}", True
    pages.pages["/"] = (200, "")
    doctor.settings = Settings(
        search_url=pages.url,
        prometheus_url=url,
        slack_token="xoxb-1",
        slack_api_url=slack.api_url,
    )
    slack.answer_next(HANGS)
    assert doctor.client.get("/readyz").status == 200
    begin = time.monotonic()
    found = doctor.checks()
    assert time.monotonic() - begin < 3
    wrong = {name for name, check in found.items() if not check["ok"]}
    assert {"search store", "prometheus", "slack"} <= wrong
    assert found["database"]["ok"] is True
    assert found["prometheus"]["detail"] == (f"Prometheus at {url} does not answer: timed out")


def probe(name: str, found: Sequence[Check]) -> Probe:
    return Probe(name, lambda: found, "see to it")


def test_a_part_that_hangs_is_told_after_the_limit_and_the_others_as_they_are() -> None:
    let_go = threading.Event()

    def hang() -> Sequence[Check]:
        let_go.wait(30)
        return [Check("hangs", True, "at last")]

    def fail() -> Sequence[Check]:
        raise RuntimeError(SECRET)

    probes = [
        Probe("hangs", hang, "start it"),
        probe("one", [Check("one", True, "fine")]),
        Probe("fails", fail, "mend it"),
        Probe("hangs too", hang, "start it, too"),
        probe("two", [Check("two", True, "fine"), Check("three", True, "fine")]),
    ]
    begin = time.monotonic()
    try:
        found = ask_all(probes, seconds=0.3)
        assert 0.3 <= time.monotonic() - begin < 2
    finally:
        let_go.set()
    assert found == [
        Check("hangs", False, "no answer within 0.3 s", "start it"),
        Check("one", True, "fine"),
        Check("fails", False, "could not be looked at: RuntimeError", "mend it"),
        Check("hangs too", False, "no answer within 0.3 s", "start it, too"),
        Check("two", True, "fine"),
        Check("three", True, "fine"),
    ]
