"""The web page over real HTTP and PostgreSQL: who gets in, what it shows, what never runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine, text

from sentinels.clock import utc_now
from sentinels.core.dossier import LastLines
from sentinels.core.dossier import Testimony as Said
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.job import JobState, Reason
from sentinels.core.log_position import Position
from sentinels.core.observation import Finished, Running
from sentinels.core.ports import LogChunk, LogTail
from sentinels.core.workload import WorkloadRef
from sentinels.db.people import ensure_user
from tests.conftest import TOKEN
from tests.support.desk import Desk, ref
from tests.support.front import Client, FileTracker, LoggedCluster, make_door, serving

_HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


@dataclass
class PagedCluster(LoggedCluster):
    """A cluster whose logs can be out of reach."""

    is_away: bool = False

    def read_log(
        self, ref: WorkloadRef, *, after: Position, limit: int, timed: bool = False
    ) -> LogChunk | None:
        self._check()
        return super().read_log(ref, after=after, limit=limit, timed=timed)

    def log_tail(self, ref: WorkloadRef, lines: int) -> LogTail | None:
        self._check()
        return super().log_tail(ref, lines)

    def _check(self) -> None:
        if self.is_away:
            raise ClusterUnavailable("the cluster does not answer")


@dataclass
class Browser:
    """Keeps cookies and follows nothing."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> Seen:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = urlencode(form) if form is not None else None
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, body, headers)
            got = connection.getresponse()
            seen = Seen(got.status, dict(got.getheaders()), got.read().decode())
        finally:
            connection.close()
        if cookie := seen.headers.get("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return seen

    def get(self, path: str) -> Seen:
        return self.ask("GET", path)

    def enter(self) -> Browser:
        assert self.ask("POST", "/login", {"token": TOKEN, "next": "/"}).status == 303
        return self


@dataclass(frozen=True)
class Seen:
    """What a browser got."""

    status: int
    headers: Mapping[str, str]
    text: str


@pytest.fixture
def cluster(desk: Desk) -> PagedCluster:
    made = PagedCluster()
    desk.cluster = made
    return made


@pytest.fixture
def tracker(desk: Desk) -> FileTracker:
    made = FileTracker()
    desk.tracker = made
    return made


@pytest.fixture
def port(desk: Desk, cluster: PagedCluster, tracker: FileTracker) -> Iterator[int]:
    with serving(make_door(desk, cluster, tracker)) as port:
        yield port


@pytest.fixture
def browser(port: int) -> Browser:
    return Browser(port)


@pytest.fixture
def client(port: int) -> Client:
    return Client(port, TOKEN)


def code_of(client: Client) -> str:
    """A link's path, as ``sentinels web`` gets it."""
    made = client.post("/v1/sessions")
    assert made.status == 201
    return str(made.json["path"])


# Who gets in


def test_whoever_is_unknown_is_led_to_the_entrance_and_back_to_where_they_wanted(
    browser: Browser,
) -> None:
    led = browser.get("/jobs?state=failed")
    assert (led.status, led.headers["Location"]) == (303, "/login?next=%2Fjobs%3Fstate%3Dfailed")

    entrance = browser.get(led.headers["Location"])
    assert 'value="/jobs?state=failed"' in entrance.text

    entered = browser.ask("POST", "/login", {"token": TOKEN, "next": "/jobs?state=failed"})
    assert (entered.status, entered.headers["Location"]) == (303, "/jobs?state=failed")
    assert browser.get("/jobs?state=failed").status == 200


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "x"],
)
def test_nobody_is_led_to_another_site(browser: Browser, elsewhere: str) -> None:
    entered = browser.ask("POST", "/login", {"token": TOKEN, "next": elsewhere})

    assert entered.headers["Location"] == "/"


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 600, TOKEN + "x"])
def test_a_token_that_is_nobodys_does_not_enter(browser: Browser, token: str) -> None:
    refused = browser.ask("POST", "/login", {"token": token})

    assert refused.status == 401
    assert "Nobody has this token" in refused.text
    assert browser.cookies == {}


def test_a_code_enters_once(browser: Browser, client: Client) -> None:
    path = code_of(client)
    assert browser.ask("HEAD", path).status == 200  # a preview does not use it up

    assert browser.get(path).status == 303
    assert browser.get("/").status == 200
    again = Browser(browser.port).get(path)
    assert again.status == 401
    assert "used before or is too old" in again.text


def test_a_code_is_good_for_a_minute(browser: Browser, client: Client, engine: Engine) -> None:
    path = code_of(client)
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE tokens SET expires_at = expires_at - interval '61 seconds'"
                " WHERE kind = 'code'"
            )
        )

    assert browser.get(path).status == 401


def test_a_session_ends_when_it_is_left_and_opens_pages_alone(
    browser: Browser, client: Client
) -> None:
    browser.enter()
    session = browser.cookies["sentinels_session"]

    assert Client(browser.port, session).get("/v1/jobs").status == 401
    assert Browser(browser.port, {"sentinels_session": TOKEN}).get("/").status == 303
    code = code_of(client).partition("=")[2]
    assert Client(browser.port, code).get("/v1/jobs").status == 401

    left = browser.ask("POST", "/logout")
    assert left.headers["Location"] == "/login"
    assert Browser(browser.port, {"sentinels_session": session}).get("/").status == 303


def test_the_cookie_is_kept_from_programs_and_from_other_sites(browser: Browser) -> None:
    entered = browser.ask("POST", "/login", {"token": TOKEN})

    cookie = entered.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie  # over plain HTTP it would not come back


# What it shows


def end(desk: Desk, job: int, reason: Reason | None = None) -> None:
    now = utc_now()
    desk.cluster.seen[ref(job)] = Finished("uid", reason, 1 if reason else 0, now, now)
    desk.tick()


def test_the_queue_shows_who_runs_who_waits_and_why(
    desk: Desk, cluster: PagedCluster, browser: Browser
) -> None:
    desk.job(name="runs-now", resources={"cpu": 4})
    desk.tick()
    desk.job(name="waits", params={"lr": 0.1}, resources={"cpu": 4})
    desk.tick()

    shown = browser.enter().get("/")

    assert "1 waiting, 1 running" in shown.text
    assert 'http-equiv="refresh" content="5"' in shown.text
    for words in ("runs-now", "lr=0.1", "needs 4 CPUs", 'aria-label="0 of 4 CPUs held"'):
        assert words in shown.text, words
    assert 'http-equiv="refresh"' not in browser.get("/?still=yes").text


def test_a_waiting_jobs_page_says_who_holds_what_and_when_it_is_expected_to_start(
    desk: Desk, client: Client, browser: Browser
) -> None:
    desk.job(resources={"cpu": 4}, time_limit="2h")
    desk.tick()
    waiting = client.push(resources={"cpu": 2}).json["jobs"][0]["id"]
    desk.tick()

    shown = browser.enter().get(f"/jobs/{waiting}").text
    assert "Waiting for 2 CPUs. 4 exist: team default holds 4" in shown
    assert re.search(r"Expected to start in (29|30)m to (1h59m|2h)", shown)
    assert re.search(r"in (29|30)m to (1h59m|2h)</td>", browser.get("/").text)


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "failed", "cancelled"])
def test_a_job_in_any_state_has_its_page(
    desk: Desk, cluster: PagedCluster, client: Client, browser: Browser, state: str
) -> None:
    job = desk.job(name="one", time_limit="1h", labels={"ticket": "ML-1"})
    if state != "queued":
        desk.tick()
        cluster.logs[ref(job)] = b"epoch 1\nepoch 2\n"
    if state == "running":
        cluster.seen[ref(job)] = Running("uid", utc_now(), "n1")
        desk.tick()
    if state == "cancelled":
        client.post(f"/v1/jobs/{job}/cancel")
    if state in ("succeeded", "failed", "cancelled"):
        end(desk, job, None if state == "succeeded" else Reason.EXITED_NONZERO)

    shown = browser.enter().get(f"/jobs/{job}")

    assert shown.status == 200
    assert f'class="badge {state}"' in shown.text
    assert ('http-equiv="refresh"' in shown.text) is (state in ("queued", "running"))
    assert ("epoch 2" in shown.text) is (state != "queued")
    assert browser.get("/jobs/one").status == 200


def test_a_whole_log_is_plain_text(desk: Desk, cluster: PagedCluster, browser: Browser) -> None:
    job = desk.job()
    desk.tick()
    cluster.logs[ref(job)] = b"<b>bold</b> \x1b[31mred\n" * 40_000
    cluster.closed.add(ref(job))

    shown = browser.enter().get(f"/jobs/{job}/log")

    assert shown.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert shown.text == "<b>bold</b> red\n" * 40_000


def test_what_a_job_left_can_be_fetched_and_is_never_shown_as_a_page(
    desk: Desk, tracker: FileTracker, browser: Browser
) -> None:
    tracker.files = {"plots/<i>.html": b"<script>alert(1)</script>"}
    job = desk.job()
    desk.tick()
    end(desk, job)

    shown = browser.enter().get(f"/jobs/{job}")
    [link] = re.findall(r'href="(/jobs/\d+/artifacts/[^"]+)"', shown.text)
    got = browser.get(link)

    assert got.text == "<script>alert(1)</script>"
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["Content-Type"] == "application/octet-stream"


def test_jobs_are_listed_by_pages_that_keep_their_filters(desk: Desk, browser: Browser) -> None:
    for _ in range(51):
        desk.job(name="many", experiment="e & f")
    desk.job(name="other")

    shown = browser.enter().get("/jobs?name=&user=&experiment=e+%26+f&state=queued")
    [older] = re.findall(r'href="(\?[^"]+cursor=[^"]+)"', shown.text)

    assert shown.text.count(">many ") == 50
    assert "other" not in shown.text
    following = browser.get("/jobs" + older.replace("&amp;", "&"))
    assert following.text.count(">many ") == 1
    assert 'value="e &amp; f"' in following.text


# What it never does


@pytest.mark.parametrize(
    "path", ["/", "/jobs", "/jobs/1", "/nodes", "/login", "/jobs/99", "/jobs/1/log"]
)
def test_no_page_lets_anything_run_or_be_kept(desk: Desk, browser: Browser, path: str) -> None:
    desk.job()

    headers = browser.enter().get(path).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_whatever_people_and_programs_write_is_text(
    desk: Desk, cluster: PagedCluster, browser: Browser, engine: Engine
) -> None:
    job = desk.job(name="one", params={"p": "<img src=x onerror=alert(1)>"})
    desk.tick()
    cluster.logs[ref(job)] = f"{_HOSTILE}\xff<!channel>\n".encode("latin-1", "replace") * 3
    with engine.begin() as connection:  # whatever the checks at push let through one day
        connection.execute(text("UPDATE jobs SET name = :name"), {"name": _HOSTILE})
    now = utc_now()
    desk.cluster.seen[ref(job)] = Finished(
        "uid", Reason.KILLED, 137, now, now, message=f"said {_HOSTILE}"
    )
    desk.tick()

    browser.enter()
    for path in (f"/jobs/{job}", "/jobs", "/", f"/jobs?name={'%3Cscript%3E'}"):
        shown = browser.get(path)
        assert shown.status == 200, shown.text
        assert "<script" not in shown.text
        assert "<img" not in shown.text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown.text)


def test_another_teams_job_is_not_there(
    desk: Desk, database_url: str, browser: Browser, port: int
) -> None:
    job = desk.job(name="secret-name")
    ensure_user(database_url, team="others", user="eve", token="eve-token")
    eve = Browser(port)
    eve.ask("POST", "/login", {"token": "eve-token"})

    for path in (
        f"/jobs/{job}",
        f"/jobs/{job}/log",
        f"/jobs/{job}/artifacts/x",
        "/jobs/secret-name",
    ):
        refused = eve.get(path)
        assert refused.status == 404
        assert "there is no job" in refused.text
    assert "secret-name" not in eve.get("/jobs").text + eve.get("/").text


@pytest.mark.parametrize(
    "path", ["/jobs?state=odd", "/jobs?cursor=zzz", "/jobs?limit=9", "/?x=1", "/jobs?sweep=-1"]
)
def test_a_wrong_address_is_explained(browser: Browser, path: str) -> None:
    refused = browser.enter().get(path)

    assert refused.status == 400
    assert "That did not work" in refused.text


def test_how_a_job_ended_is_explained(desk: Desk, cluster: PagedCluster, browser: Browser) -> None:
    job = desk.job()
    desk.tick()
    lines = ("Traceback (most recent call last):", "ModuleNotFoundError: No module named 'apex'")
    cluster.said[ref(job)] = Said(LastLines(lines, "its log"))
    end(desk, job, Reason.EXITED_NONZERO)

    shown = browser.enter().get(f"/jobs/{job}").text

    assert "the job&#39;s own: its program" in shown
    assert "Python found no module apex" in shown
    assert "<code>ModuleNotFoundError: No module named &#39;apex&#39;</code>" in shown


def test_what_is_away_is_said_in_its_place(
    desk: Desk, cluster: PagedCluster, tracker: FileTracker, browser: Browser
) -> None:
    job = desk.job()
    desk.tick()
    end(desk, job, Reason.EXITED_NONZERO)
    cluster.is_away = tracker.down = True

    shown = browser.enter().get(f"/jobs/{job}")

    assert shown.status == 200
    assert "the cluster does not answer" in shown.text
    assert "MLflow does not answer" in shown.text
    assert JobState.FAILED.value in shown.text
