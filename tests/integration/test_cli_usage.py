"""``sentinels usage``: numbers against what was asked for, bars over time, and the verdict."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from sentinels.functions.submit.openapi import document
from sentinels.functions.submit.routes import ROUTES
from tests.integration.test_cli_canned import Canned, Json, Person, detail, job, person_at, problem

Desk = tuple[Person, Canned]
GIB = 2**30


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A person and a server."""
    with person_at(tmp_path) as found:
        yield found


def used(*, live: bool = True, **more: object) -> Json:
    """The use of an attempt that began at 14:01 and ran for two minutes and twenty seconds."""
    peaks = {
        "peak_memory_bytes": GIB,
        "cpu_seconds": 12.34,
        "peak_gpu_memory_bytes": None,
        "mean_gpu_percent": None,
        "peak_cpu_cores": 1.5,
    }
    return {
        "job": 12,
        "attempt": 1,
        "live": live,
        "started_at": "2026-11-20T14:01:00+00:00",
        "finished_at": None if live else "2026-11-20T14:03:20+00:00",
        "asked": {"cpu": "2", "memory": "4Gi", "gpu": 0, "gpu_type": None},
        "used": peaks,
        "source": "Prometheus" if live else "kept with the job",
        "unavailable": None,
        "notes": [],
        "quantities": [cores(), memory()],
        "sizing": [],
        **more,
    }


def cores() -> Json:
    samples = [[20.0 * at, 0.25 * at] for at in range(1, 7)]
    numbers = {"now": 1.5, "mean": 0.875, "p95": 1.5, "peak": 1.5}
    return {"name": "cpu_cores", "unit": "cores", "asked": 2.0, **numbers, "samples": samples}


def memory() -> Json:
    samples = [[20.0 * at, GIB] for at in range(1, 7)]
    numbers = {"now": GIB, "mean": GIB, "p95": GIB, "peak": GIB}
    return {
        "name": "memory_bytes",
        "unit": "bytes",
        "asked": 4.0 * GIB,
        **numbers,
        "samples": samples,
    }


def network() -> Json:
    numbers = {"now": 2.0 * 2**20, "mean": 10, "p95": 20, "peak": 3.0 * 2**20}
    return {
        "name": "received_bytes",
        "unit": "bytes a second",
        "asked": None,
        **numbers,
        "samples": [[60.0, 1], [120.0, 2]],
    }


def sized() -> list[Json]:
    sentence = "asked 4Gi, used 1Gi at most (25 %): 1.25Gi would have sufficed"
    return [
        {
            "resource": "memory",
            "share": 0.25,
            "verdict": "less",
            "enough": "1.25Gi",
            "sentence": sentence,
        }
    ]


@pytest.mark.parametrize(
    "sample",
    [used(), used(live=False, sizing=sized(), quantities=[network()])],
)
def test_the_canned_answers_are_such_as_the_api_promises(sample: Json) -> None:
    whole = {**document(ROUTES), "$ref": "#/components/schemas/Usage"}
    jsonschema.Draft202012Validator(whole).validate(sample)


def shown(desk: Desk, answer: Json, *words: str, state: str = "running", columns: int = 80) -> str:
    person, canned = desk
    person.env["COLUMNS"] = str(columns)
    canned.on("GET /v1/jobs/12", detail(state=state))
    canned.on("GET /v1/jobs/12/usage", answer)
    said = person.type("usage", "12", *words)
    assert said.code == 0, said.err
    return said.out


def test_a_running_job_is_shown_with_now_mean_and_peak_against_what_it_asked_for(
    desk: Desk,
) -> None:
    out = shown(desk, used(quantities=[cores(), memory(), network()]))
    lines = out.splitlines()
    assert lines[0].startswith("job 12 digits-logreg  running for ")
    assert lines[0].endswith("measured by Prometheus")
    assert lines[1].split()[:4] == ["now", "mean", "peak", "asked"]
    assert lines[2].startswith("  CPU        1.50  0.88   1.50  2.00 (75 %)  ")
    assert lines[3].startswith("  memory      1Gi   1Gi    1Gi  4Gi (25 %)   ")
    assert lines[4].startswith("  received  2Mi/s  10/s  3Mi/s               ")
    assert lines[3].split()[-1] == "█" * len(lines[3].split()[-1])


@pytest.mark.parametrize("columns", [40, 60, 80, 160, 400])
def test_the_bars_take_the_room_that_the_terminal_has(desk: Desk, columns: int) -> None:
    out = shown(desk, used(), columns=columns)
    longest = max(map(len, out.splitlines()[1:]))
    assert longest <= max(columns, 60)
    assert longest >= min(columns - 10, 150)


def test_the_axis_says_from_when_to_when(desk: Desk) -> None:
    out = shown(desk, used(live=False), state="succeeded")
    assert "2026-11-20 14:01:00" in out.splitlines()[1]
    wide = shown(desk, used(live=False), state="succeeded", columns=120)
    assert wide.splitlines()[1].endswith("2026-11-20 14:03:20")


def test_an_ended_job_is_shown_with_what_would_have_sufficed(desk: Desk) -> None:
    out = shown(desk, used(live=False, sizing=sized()), state="succeeded")
    assert out.splitlines()[0] == "job 12 digits-logreg  succeeded after 2m 20s"
    assert "now" not in out
    assert "  memory  asked 4Gi, used 1Gi at most (25 %): 1.25Gi would have sufficed\n" in out


def test_of_a_job_that_failed_it_is_said_only_as_far_as_it_got(desk: Desk) -> None:
    out = shown(desk, used(live=False, sizing=sized()), state="failed")
    assert "  memory  as far as it got: asked 4Gi" in out


def test_what_is_not_available_is_said_and_what_is_known_is_shown(desk: Desk) -> None:
    trouble = {"detail": "Prometheus at http://p:9090 does not answer", "remedy": "start it"}
    answer = used(live=False, quantities=[], unavailable=trouble, sizing=sized())
    out = shown(desk, answer, state="succeeded")
    assert "  not available now: Prometheus at http://p:9090 does not answer\n    start it\n" in out
    assert "1.25Gi would have sufficed" in out


def test_what_is_not_measured_is_said_with_why(desk: Desk) -> None:
    assert "  nobody counts bytes\n" in shown(desk, used(notes=["nobody counts bytes"]))


def test_a_terminal_without_bars_is_shown_plain_characters(desk: Desk) -> None:
    person, _ = desk
    person.env["PYTHONIOENCODING"] = "ascii"
    out = shown(desk, used())
    assert "#" in out
    assert "?" not in out


def test_wide_shows_the_usual_use_too(desk: Desk) -> None:
    assert "p95" in shown(desk, used(), "-o", "wide")


def test_json_is_the_answer_and_csv_a_line_a_sample(desk: Desk) -> None:
    assert json.loads(shown(desk, used(), "-o", "json")) == used()
    rows = list(csv.DictReader(io.StringIO(shown(desk, used(), "-o", "csv"))))
    assert len(rows) == 12
    assert rows[0] == {
        "quantity": "cpu_cores",
        "unit": "cores",
        "at": "2026-11-20T14:01:20+00:00",
        "value": "0.25",
    }


def test_an_attempt_can_be_named_and_the_newest_job_is_meant_where_none_is(desk: Desk) -> None:
    person, canned = desk
    shown(desk, used(), "--attempt", "2")
    assert canned.queries("/v1/jobs/12/usage")[-1]["attempt"] == "2"
    canned.on("GET /v1/jobs", {"jobs": [job()], "next_cursor": None})
    assert person.type("usage").code == 0


def test_watching_ends_with_the_attempt(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", detail(state="running"), detail(state="succeeded"))
    canned.on("GET /v1/jobs/12/usage", used(), used(live=False, sizing=sized()))
    said = person.type("usage", "12", "--watch")
    assert said.code == 0
    assert "running for" in said.out
    assert said.out.rstrip().endswith("1.25Gi would have sufficed")


def test_watching_bears_with_a_server_that_restarts(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", detail(state="running"))
    away = problem(503, "PostgreSQL does not answer")
    canned.on("GET /v1/jobs/12/usage", used(), away, used(live=False))
    said = person.type("usage", "12", "--watch")
    assert said.code == 0
    assert "trying again" in said.err


def test_a_job_that_has_not_started_is_shown_as_such(desk: Desk) -> None:
    waiting = used(quantities=[], notes=["it has not started yet"], started_at=None, source=None)
    out = shown(desk, {**waiting, "attempt": 0}, state="queued")
    assert out == "job 12 digits-logreg  queued\n  it has not started yet\n"
