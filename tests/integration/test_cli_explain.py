"""``sentinels explain``: one screen that a tired person understands, and nothing that steers it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.integration.test_cli_canned import (
    Canned,
    Json,
    Person,
    attempt,
    dossier,
    job,
    person_at,
)

Desk = tuple[Person, Canned]
PATH = "GET /v1/jobs/12/dossier"
WARNING: Json = {
    "at": "2026-11-20T14:03:19+00:00",
    "about": "pod",
    "reason": "Evicted",
    "message": "The node was low on resource: memory.",
    "warns": True,
    "count": 2,
}
PRESSURE: Json = {
    "name": "MemoryPressure",
    "bad": True,
    "message": "kubelet has insufficient memory",
    "since": "2026-11-20T14:03:00+00:00",
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A person and a server."""
    with person_at(tmp_path) as found:
        yield found


def test_a_failure_is_explained_on_one_screen(desk: Desk) -> None:
    person, canned = desk
    canned.on(
        PATH,
        dossier(
            said=["ModuleNotFoundError: No module named 'apex'"],
            advice=["Python found no module apex: add it to the image, or correct the import."],
            lines={"texts": ["one", "two"], "source": "its pod's log", "whole": True},
        ),
    )
    said = person.type("explain", "12")
    assert said.code == 0
    assert said.out.splitlines() == [
        "✘ job 12 digits-logreg failed (exited nonzero)",
        "  why         the program ended with a non-zero exit code",
        "  whose doing the job's own: its program, or what it asked for",
        "  it said     ModuleNotFoundError: No module named 'apex'",
        "  do          Python found no module apex: add it to the image, or correct the import.",
        "  ended       2026-11-20 14:03:20, after 2m 20s, on laptop, exit code 1",
        "  memory      ███████████████░░░░░ 3Gi of 4Gi, 75%",
        "  image       /home/ann/train (sha256:9f3c0d2b7a)",
        "  all that it printed, from its pod's log",
        "    one",
        "    two",
        "  next: sentinels logs 12 · sentinels status 12",
    ]


def test_warnings_the_node_the_attempts_and_what_is_missing_are_told(desk: Desk) -> None:
    person, canned = desk
    grown = {"cpu": "2", "memory": "6Gi", "gpu": 0, "gpu_type": None}
    first = attempt(1, state="failed", reason="out_of_memory")
    second = attempt(2, state="failed", reason="evicted", resources=grown, node="gpu-3")
    calm = {**WARNING, "warns": False, "reason": "Scheduled"}
    canned.on(
        PATH,
        dossier(
            attempt=second,
            attempts=[first, second],
            events=[calm, WARNING],
            conditions=[{**PRESSURE, "name": "Ready", "bad": False}, PRESSURE],
            gaps=[{"part": "lines", "why": "its pod was gone before its log could be read"}],
        ),
    )
    out = person.type("explain", "12").out
    assert "failed (exited nonzero), attempt 2 of 2\n" in out
    for line in (
        "  node        gpu-3: MemoryPressure since 2026-11-20 14:03:00: kubelet has insufficient "
        "memory\n",
        "  events      2026-11-20 14:03:19 pod Evicted ×2: The node was low on resource: memory.\n",
        "              1 more: -o wide\n",
        "  attempts    1. out of memory on laptop after 2m 20s, with 2 CPU 4Gi\n",
        "              2. evicted on gpu-3 after 2m 20s, with 2 CPU 6Gi\n",
        "  missing     its pod was gone before its log could be read\n",
    ):
        assert line in out
    assert "Scheduled" not in out
    assert "Scheduled" in person.type("explain", "12", "-o", "wide").out


def test_a_success_says_what_would_have_sufficed(desk: Desk) -> None:
    person, canned = desk
    canned.on(PATH, dossier("succeeded", advice=["It would have sufficed to ask for --cpu 1."]))
    out = person.type("explain", "12").out
    assert out.startswith("✔ job 12 digits-logreg succeeded after 2m 20s\n")
    assert "  next time   It would have sufficed to ask for --cpu 1.\n" in out
    assert "whose doing" not in out


def test_what_has_not_ended_is_not_explained(desk: Desk) -> None:
    person, canned = desk
    earlier, live = attempt(1, state="failed", reason="node_lost"), attempt(2)
    canned.on(PATH, dossier("running", attempt=live, attempts=[earlier, live], cause=None))
    said = person.type("explain", "12")
    assert said.code == 0
    assert said.out.splitlines() == [
        "job 12 digits-logreg is running: it has not ended",
        "  where it is: sentinels status 12",
        "  how attempt 1 ended: sentinels explain 12 --attempt 1",
    ]


def test_a_job_that_was_never_launched_is_explained_by_what_ended_it(desk: Desk) -> None:
    person, canned = desk
    whose = "another job's: the one it was to start after"
    cause = {"reason": "dependency_failed", "class": "operator", "whose": whose}
    cause |= {"sentence": "s", "detail": "job 3"}
    found = job(state="cancelled", reason="dependency_failed")
    nothing: Json = {"attempt": None, "attempts": [], "used": [], "exit_code": None}
    lines = {"texts": [], "source": "", "whole": True}
    canned.on(PATH, dossier("cancelled", job=found, cause=cause, lines=lines, **nothing))
    out = person.type("explain", "12").out
    assert out.startswith("■ job 12 digits-logreg cancelled (dependency failed)\n")
    assert "  why         job 3\n" in out
    assert "another job's" in out
    assert "ended" not in out


def test_an_attempt_and_a_number_of_lines_may_be_named(desk: Desk) -> None:
    person, canned = desk
    texts = [f"line {number}" for number in range(200)]
    canned.on(PATH, dossier(lines={"texts": texts, "source": "its log", "whole": False}))
    out = person.type("explain", "12", "--attempt", "3", "--lines", "2").out
    assert canned.queries("/v1/jobs/12/dossier") == [{"attempt": "3"}]
    assert "  the last 2 lines, from its log\n    line 198\n    line 199\n" in out
    assert "line 197" not in out
    assert "from its log" not in person.type("explain", "12", "-n", "0").out
    assert "  the last 12 lines" in person.type("explain", "12").out


def test_programs_read_all_of_it(desk: Desk) -> None:
    person, canned = desk
    nasty = dossier(lines={"texts": ["\x1b[31m<!channel>\u202e"], "source": "", "whole": True})
    canned.on(PATH, nasty)
    assert json.loads(person.type("explain", "12", "-o", "json").out) == nasty
    assert yaml.safe_load(person.type("explain", "12", "-o", "yaml").out) == nasty
    assert "\x1b" not in person.type("explain", "12", "-o", "yaml").out
    assert person.type("explain", "12", "-o", "csv").code == 2


def test_nothing_of_it_steers_the_terminal_or_fills_it(desk: Desk) -> None:
    person, canned = desk
    bad = "\x1b]0;title\x07\x1b[2J\u202egnp"
    canned.on(
        PATH,
        dossier(
            said=[bad],
            advice=[bad],
            lines={"texts": [bad, "x" * 4000, "\ttabs"], "source": bad, "whole": False},
            events=[{**WARNING, "message": bad, "reason": bad}],
            conditions=[{**PRESSURE, "message": bad}],
            gaps=[{"part": "lines", "why": bad}],
        ),
    )
    with person.at_terminal("explain", "12", columns=90) as terminal:
        seen = terminal.read_to_end()
    assert "\x1b]" not in seen
    assert "\x1b[2J" not in seen
    assert "\u202e" not in seen
    assert "    tabs" in seen
    assert len(seen) < 3000
