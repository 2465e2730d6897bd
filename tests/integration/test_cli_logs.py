"""``sentinels logs``: every line once, whatever happens to the connection, and nothing that steers
a terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_cli_canned import (
    Canned,
    Person,
    Reply,
    detail,
    person_at,
    piece,
    problem,
)

Desk = tuple[Person, Canned]
LOGS = "GET /v1/jobs/12/logs"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A person, and a server that knows a job which has succeeded."""
    with person_at(tmp_path) as (person, canned):
        canned.on("GET /v1/jobs/12", detail(state="succeeded"))
        yield person, canned


def test_a_log_is_read_to_its_end_in_pieces(desk: Desk) -> None:
    person, canned = desk
    canned.on(LOGS, piece("línea 1\nli"), piece("nea 2\n", 11), piece("", 17, ended=True))
    said = person.type("logs", "12")
    assert (said.out, said.err, said.code) == ("línea 1\nlinea 2\n", "", 0)
    assert [each["offset"] for each in canned.queries("/v1/jobs/12/logs")] == ["0", "11", "17"]


def test_a_log_without_a_last_newline_ends_with_one(desk: Desk) -> None:
    person, canned = desk
    canned.on(LOGS, piece("no newline", ended=True))
    assert person.type("logs", "12").out == "no newline\n"


def test_what_is_running_is_printed_as_far_as_it_goes(desk: Desk) -> None:
    person, canned = desk
    canned.on(LOGS, piece("so far\n"), piece("", 7))
    said = person.type("logs", "12")
    assert (said.out, said.code) == ("so far\n", 0)
    canned.on(LOGS, piece("", number=0))
    assert person.type("logs", "12").err == "it has written nothing yet\n"


def test_the_attempt_and_the_last_lines_can_be_chosen(desk: Desk) -> None:
    person, canned = desk
    canned.on(LOGS, piece("last\n", 100, ended=True))
    assert person.type("logs", "12", "--tail", "1", "--attempt", "2").out == "last\n"
    [query] = canned.queries("/v1/jobs/12/logs")
    assert query == {"limit": "65536", "tail": "1", "attempt": "2"}


def test_escape_sequences_never_reach_the_terminal(desk: Desk) -> None:
    person, canned = desk
    nasty = "\x1b]0;owned\x07a\x1b[31mred\x1b[0m\tb\x9b2J\x00\u202ec\n"
    canned.on(LOGS, piece(nasty[:12]), piece(nasty[12:], 12, ended=True))
    out = person.type("logs", "12").out
    assert out == "ared\tb\ufffd\ufffdc\n"


def test_a_line_written_over_and_over_is_printed_as_it_ended(desk: Desk) -> None:
    person, canned = desk
    canned.on(
        LOGS, piece("\r 10%|#"), piece("\r 50%|##", 7), piece("\r100%\r\nok\n", 15, ended=True)
    )
    assert person.type("logs", "12").out == "100%\nok\n"


def test_following_goes_on_at_its_offset_after_broken_connections(desk: Desk) -> None:
    person, canned = desk
    whole = json.dumps(piece("line 1\n", 7)).encode()
    canned.on(
        LOGS,
        piece("line 0\n"),
        Reply(whole, cut=20),
        problem(503, "restarting"),
        Reply(whole, chunked=True),
        piece("line 2\n", 14, ended=True),
    )
    said = person.type("logs", "-f", "12")
    assert said.out == "line 0\nline 1\nline 2\n"
    assert said.err.count("trying again") == 1
    assert "✔ job 12 digits-logreg succeeded" in said.err
    offsets = [each["offset"] for each in canned.queries("/v1/jobs/12/logs")]
    assert offsets == ["0", "7", "7", "7", "14"]


def test_following_waits_for_the_start_and_goes_on_with_the_next_attempt(desk: Desk) -> None:
    person, canned = desk
    again = detail(event=8, attempt=1)
    canned.on(
        "GET /v1/jobs/12",
        detail(),
        detail(state="running", event=7),
        again,
        detail(state="running", event=9, attempt=2),
        detail(state="failed", event=10, attempt=2, message="exit code 3"),
    )
    canned.on(LOGS, piece("first\n", ended=True), piece("second\n", ended=True, number=2))
    said = person.type("logs", "-f", "12")
    assert said.out == "first\nsecond\n"
    assert "attempt 2:\n" in said.err
    assert "✘ job 12 digits-logreg failed after 2m 20s: exit code 3" in said.err
    assert [each["attempt"] for each in canned.queries("/v1/jobs/12/logs")] == ["1", "2"]


def test_a_job_that_never_started_has_no_log_to_follow(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", detail(state="cancelled", attempt=0))
    said = person.type("logs", "-f", "12")
    assert said.out == ""
    assert "job 12 digits-logreg cancelled" in said.err


def test_at_a_terminal_the_line_that_is_being_written_is_shown(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", detail(state="running"), detail(state="succeeded", event=9))
    canned.on(LOGS, piece("\r 10%"), piece("\r 50%", 5), piece("\r100%\n", 10, ended=True))
    with person.at_terminal("logs", "-f", "12") as terminal:
        seen = terminal.read_to_end()
    assert "\r\x1b[K 10%\r\x1b[K 50%\r\x1b[K100%\n" in seen.replace("\r\x1b[K\r\x1b[K", "\r\x1b[K")
    assert terminal.process.returncode == 0
