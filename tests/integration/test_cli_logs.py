"""``sentinels logs``: every line once, whatever happens to the connection, and nothing that steers
a terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.test_cli_canned import (
    SECONDS,
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


def cursors(canned: Canned) -> list[str | None]:
    """Where each request began."""
    return [each.get("cursor") for each in canned.queries("/v1/jobs/12/logs")]


def test_a_log_is_read_to_its_end_in_pieces(desk: Desk) -> None:
    person, canned = desk
    canned.on(LOGS, piece("línea 1\nli"), piece("nea 2\n", 11), piece("", 17, ended=True))
    said = person.type("logs", "12")
    assert (said.out, said.err, said.code) == ("línea 1\nlinea 2\n", "", 0)
    assert cursors(canned) == [None, "11", "17"]


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
    assert query == {"limit": str(2**20), "tail": "1", "attempt": "2"}


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


def test_following_goes_on_at_its_cursor_after_broken_connections(desk: Desk) -> None:
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
    assert cursors(canned) == [None, "7", "7", "7", "14"]


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


STAMP = "2026-11-28T12:00:0{}.123456789Z "


def test_only_lines_that_match_are_shown_as_they_are_seen(desk: Desk) -> None:
    person, canned = desk
    canned.on(
        LOGS,
        piece("epoch 1\nlo"),
        piece("ss 0.5\nepoch 2\r loss 9\n", 10),
        piece("", 30, ended=True),
    )
    said = person.type("logs", "12", "--grep", "^loss|l.ss 9")
    assert (said.out, said.code) == ("loss 0.5\n loss 9\n", 0)
    canned.on(LOGS, piece("epoch 1\n", ended=True))
    said = person.type("logs", "12", "--grep", "nothing like it")
    assert (said.out, said.err) == ("", "no line matches\n")


def test_the_last_of_those_that_match_are_found_here_and_of_all_by_the_server(desk: Desk) -> None:
    person, canned = desk
    lines = "".join(f"loss {number}\nother\n" for number in range(5))
    canned.on(LOGS, piece(lines), piece("no newline loss", len(lines), ended=True))
    said = person.type("logs", "12", "--grep", "loss", "-n", "2")
    assert said.out == "loss 4\nno newline loss\n"
    assert all("tail" not in query for query in canned.queries("/v1/jobs/12/logs"))


def test_following_shows_the_last_ones_at_once_and_then_what_comes(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", detail(state="running"), detail(state="succeeded", event=9))
    canned.on(
        LOGS,
        piece("a 1\na 2\na 3\n"),
        piece("", 12),
        piece("b\na 4\n", 12),
        piece("", 18, ended=True),
    )
    assert person.type("logs", "-f", "12", "--grep", "a", "-n", "1").out == "a 3\na 4\n"
    waits = [query["wait"] for query in canned.queries("/v1/jobs/12/logs")]
    assert waits == ["0.0", "0.0", "20.0", "20.0"]


def test_times_are_shown_as_people_here_read_them(desk: Desk) -> None:
    person, canned = desk
    person.env["TZ"] = "Asia/Tokyo"
    first = STAMP.format(1) + "first\n" + STAMP.format(2) + "half"
    canned.on(LOGS, piece(first), piece(" done\n", len(first), ended=True))
    said = person.type("logs", "12", "-t", "--grep", "^(first|half done)$")
    assert said.out == "2026-11-28 21:00:01.123 first\n2026-11-28 21:00:02.123 half done\n"
    assert canned.queries("/v1/jobs/12/logs")[0]["timestamps"] == "true"


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("2026-11-28 14:30", "2026-11-28T05:30:00Z"),
        ("2026-11-28T14:30:00+01:00", "2026-11-28T13:30:00Z"),
    ],
)
def test_since_is_a_time_here_and_asked_for_once(desk: Desk, given: str, asked: str) -> None:
    person, canned = desk
    person.env["TZ"] = "Asia/Tokyo"
    canned.on(LOGS, piece("late\n"), piece("", 5, ended=True))
    assert person.type("logs", "12", "--since", given).out == "late\n"
    assert [query.get("since") for query in canned.queries("/v1/jobs/12/logs")] == [asked, None]


@pytest.mark.parametrize(("given", "seconds"), [("10m", 600), ("90", 90), ("1h30m", 5400)])
def test_since_is_a_length_of_time_too(desk: Desk, given: str, seconds: int) -> None:
    person, canned = desk
    canned.on(LOGS, piece("late\n", ended=True))
    before = datetime.now(UTC)
    person.type("logs", "12", "--since", given)
    asked = datetime.fromisoformat(canned.queries("/v1/jobs/12/logs")[0]["since"])
    assert 0 <= (asked - (before - timedelta(seconds=seconds))).total_seconds() < SECONDS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "yesterday"), "'yesterday' is neither a length of time nor a time"),
        (("--since", "25:99"), "'25:99' is neither"),
        (("--grep", "a("), "'a(' is no regular expression: missing ), unterminated subpattern"),
        (("--tail", "-1"), "--tail"),
    ],
)
def test_what_cannot_be_understood_is_told_with_what_could(
    desk: Desk, words: tuple[str, ...], said: str
) -> None:
    person, canned = desk
    found = person.type("logs", "12", *words)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert canned.queries("/v1/jobs/12/logs") == []


def test_what_could_not_be_asked_is_said_once_beside_the_lines(desk: Desk) -> None:
    person, canned = desk
    away = "the search store does not answer; what only that has is missing here"
    canned.on(
        LOGS,
        piece("a\n", unavailable=away),
        piece("b\n", 2, unavailable=away),
        piece("", 4, ended=True, unavailable=away),
    )
    said = person.type("logs", "12")
    assert (said.out, said.err, said.code) == ("a\nb\n", f"{away}\n", 0)
    canned.on(LOGS, piece("", ended=True, unavailable=away))
    said = person.type("logs", "12")
    assert (said.out, said.code) == ("", 3)
    assert away in said.err


def test_a_megabyte_without_a_newline_is_one_line(desk: Desk) -> None:
    person, canned = desk
    part = "x" * 2**19
    canned.on(LOGS, piece(part), piece(part, 2**19), piece("\nend\n", 2**20, ended=True))
    for words in ((), ("--grep", ".")):
        said = person.type("logs", "12", *words)
        assert said.out == part + part + "\nend\n"
        canned.on(LOGS, piece(part), piece(part, 2**19), piece("\nend\n", 2**20, ended=True))
