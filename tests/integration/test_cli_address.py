"""Where the server is, who asks, and what is said when there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_cli_canned import (
    Canned,
    Json,
    Person,
    Reply,
    detail,
    person_at,
    problem,
)

Desk = tuple[Person, Canned]
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A person who has named no server, and one that could be named."""
    with person_at(tmp_path) as (person, canned):
        canned.on("GET /v1/jobs/12", detail())
        person.env = {}
        yield person, canned


def _bearer(canned: Canned) -> str:
    return canned.asked[-1].headers["Authorization"].removeprefix("Bearer").strip()


def _runs_here(person: Person, url: str) -> None:
    (person.home / "data").mkdir(exist_ok=True)
    server = {"url": url, "token": "here", "pid": 1, "mlflow_url": ""}
    (person.home / "data" / "server.json").write_text(json.dumps(server))


def test_without_a_server_it_is_said_how_to_start_one(desk: Desk) -> None:
    person, _ = desk
    for words in (["status", "12"], ["queue"], ["doctor"], ["push", "."], ["logs", "-f", "12"]):
        said = person.type(*words)
        assert said.err.startswith("error: Sentinels is not running here")
        assert "sentinels up" in said.err
        assert (said.out, said.code) == ("", 3)
    doctor: Json = json.loads(person.type("doctor", "--json").out)
    assert doctor["ok"] is False


def test_a_server_that_was_killed_is_one_that_is_not_running(desk: Desk) -> None:
    person, _ = desk
    _runs_here(person, NOWHERE)
    said = person.type("status", "12")
    assert said.err == (
        f"error: Sentinels is not running here: nothing answers at {NOWHERE}\n"
        "  → start it: sentinels up\n"
    )
    assert said.code == 3


def test_flags_win_over_the_environment_that_over_the_login(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs", {"jobs": [], "next_cursor": None})
    person.env = {"SENTINELS_HOME": ""}
    assert person.type("login", canned.url, stdin="from-login\n").code == 0
    assert person.type("status", "12").code == 0
    assert _bearer(canned) == "from-login"
    person.env = {"SENTINELS_URL": canned.url, "SENTINELS_TOKEN": "from-environment"}
    assert person.type("status", "12").code == 0
    assert _bearer(canned) == "from-environment"
    person.env = {"SENTINELS_URL": NOWHERE, "SENTINELS_TOKEN": "from-environment"}
    assert person.type("--url", canned.url, "--token", "flag", "status", "12").code == 0
    assert _bearer(canned) == "flag"


def test_a_data_folder_that_was_named_wins_over_the_login(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs", {"jobs": [], "next_cursor": None})
    assert person.type("login", canned.url, stdin="from-login\n").code == 0
    assert person.type("status", "12").code == 3
    _runs_here(person, canned.url)
    assert person.type("status", "12").code == 0
    assert _bearer(canned) == "here"


def test_a_named_server_is_not_shown_another_servers_token(desk: Desk) -> None:
    person, canned = desk
    _runs_here(person, NOWHERE)
    person.type("--url", canned.url, "status", "12")
    assert _bearer(canned) == ""
    _runs_here(person, canned.url)
    person.type("--url", canned.url, "status", "12")
    assert _bearer(canned) == "here"


def test_login_keeps_the_token_from_others_and_only_if_it_is_good(desk: Desk) -> None:
    person, canned = desk
    kept = person.home / ".config" / "sentinels" / "login.json"
    canned.on("GET /v1/jobs", problem(401, "nobody has this token", remedy="ask for one"))
    said = person.type("login", canned.url, stdin="wrong\n")
    assert (said.code, said.err) == (5, "error: nobody has this token\n  → ask for one\n")
    assert not kept.exists()
    canned.on("GET /v1/jobs", {"jobs": [], "next_cursor": None})
    said = person.type("login", canned.url + "/", stdin="right\n")
    assert said.out == f"logged in at {canned.url}; kept in {kept}\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(kept.read_text()) == {"url": canned.url, "token": "right"}
    assert [path.name for path in kept.parent.iterdir()] == ["login.json"]


def test_at_a_terminal_the_token_is_asked_for_and_not_shown(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs", {"jobs": [], "next_cursor": None})
    with person.at_terminal("login", canned.url) as terminal:
        terminal.read_until("token: ")
        terminal.type("secret-word\n")
        seen = terminal.read_to_end()
    assert "logged in" in seen
    assert "secret-word" not in seen


@pytest.mark.parametrize("token", ["", "two words", "sm\u00f6rg\u00e5s", "\x07bell"])
def test_a_token_that_cannot_be_one_is_refused_and_not_repeated(desk: Desk, token: str) -> None:
    person, canned = desk
    said = person.type("login", canned.url, stdin=f"{token}\n")
    assert said.code == 2
    assert not token or token not in said.err
    assert canned.asked == []


@pytest.mark.parametrize(
    "url", ["localhost:80", "ftp://x", "http://", "http://x:99999", "http://[::1", "http://a b"]
)
def test_an_address_that_is_none_is_refused(desk: Desk, url: str) -> None:
    person, _ = desk
    said = person.type("--url", url, "status", "12")
    assert said.err.startswith(f"error: {url} is no server's address")
    assert said.code == 2


def test_a_file_that_is_broken_is_named(desk: Desk) -> None:
    person, _ = desk
    _runs_here(person, NOWHERE)
    path = person.home / "data" / "server.json"
    path.write_text("{")
    said = person.type("status", "12")
    assert said.err == f"error: {path} cannot be read\n  → remove it: rm {path}\n"


@pytest.mark.parametrize(
    ("reply", "code", "message"),
    [
        (problem(401, "no token", remedy="sentinels login URL"), 5, "no token"),
        (problem(403, "not yours"), 5, "not yours"),
        (problem(404, "no job 12"), 4, "no job 12"),
        (problem(400, "what?"), 2, "what?"),
        (problem(500, "the log knows it as 1"), 3, "the log knows it as 1"),
        (problem(503, "PostgreSQL does not answer"), 3, "PostgreSQL does not answer"),
        (Reply(b"<html>Bad gateway", 502), 3, "the server answered 502"),
        (Reply(b"moved", 302), 3, "the server answered 302"),
        (Reply(b"<html>hello"), 2, "is not Sentinels"),
        (Reply(b"[1]"), 2, "is not Sentinels"),
        (Reply(b'{"id": 1', cut=3), 3, "the connection broke off"),
        (problem(503, "\x1b[31mred\x07"), 3, "red\ufffd"),
    ],
)
def test_every_answer_that_is_none_is_one_message_and_an_exit_code(
    desk: Desk, reply: Reply, code: int, message: str
) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", reply)
    said = person.type("--url", canned.url, "status", "12")
    assert said.code == code
    assert said.err.startswith("error: ")
    assert message in said.err
    assert "Traceback" not in said.err
