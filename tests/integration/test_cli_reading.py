"""What people look at: one job, the queue, lists, notices, nodes, health."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.integration.test_cli_canned import (
    LATER,
    Canned,
    Json,
    Person,
    attempt,
    detail,
    event,
    expected,
    job,
    node,
    notice,
    person_at,
    problem,
    why,
)

Desk = tuple[Person, Canned]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A person and a server."""
    with person_at(tmp_path) as found:
        yield found


def test_status_shows_the_place_and_why_a_job_waits(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", expected(detail(), LATER))
    out = person.type("status", "12").out
    assert out.startswith("job 12 digits-logreg  queued\n")
    for line in (
        "  in line     3rd of 9\n",
        "  waits       needs 2 CPUs; 0.5 of 2 are free\n",
        "  needs       2 CPU 4Gi · priority normal\n",
        "  params      C=0.1\n",
        "  expected    at 2999-01-01 12:00 or later\n",
        "  next: sentinels why 12 · sentinels cancel 12\n",
    ):
        assert line in out


def test_why_says_what_it_waits_for_when_it_will_start_and_what_to_type(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12/why", why())
    lines = person.type("why", "12").out.splitlines()
    assert lines[0].startswith("job 12 digits-logreg queued, for ")
    assert lines[1:] == [
        "  Waiting for 2 CPUs. 2 exist: 1 free. It would start now with 1 CPU.",
        "  expected to start at 2999-01-01 12:00 or later",
        "  with 1 CPU:  sentinels cancel 12 && sentinels rerun 12 --cpu 1",
    ]
    change = {"at": "2999-01-01T12:00:00+00:00", "sentence": "no node is ready to take jobs"}
    canned.on("GET /v1/jobs/12/why", why(trouble="no pass for 9m", ways=[], history=[change]))
    out = person.type("why", "12", "--history").out
    assert canned.queries("/v1/jobs/12/why") == [{}, {"history": "true"}]
    assert "  ! no pass for 9m\n" in out
    assert out.endswith("  2999-01-01 12:00:00  no node is ready to take jobs\n")


def test_status_of_a_failed_job_says_why_what_it_used_and_each_attempt(desk: Desk) -> None:
    person, canned = desk
    attempts = [
        attempt(1, state="failed", reason="node_lost", message="the node went away"),
        attempt(2, state="failed", reason="out_of_memory", exit_code=137),
    ]
    failed = {"reason": "out_of_memory", "exit_code": 137, "message": "it used more than 4Gi"}
    canned.on("GET /v1/jobs/12", detail(state="failed", **failed, attempts=attempts))
    out = person.type("status", "12").out
    assert out.startswith("job 12 digits-logreg  failed (out of memory)\n")
    for line in (
        "  why         it used more than 4Gi\n",
        "  ended       2026-11-20 14:03:20, after 2m 20s, exit code 137\n",
        "  used        200Mi of 4Gi memory, 12.3 CPU seconds\n",
        "    1. node lost on laptop 2m 20s: the node went away\n",
        "    2. out of memory on laptop 2m 20s\n",
        "  next: sentinels explain 12 · sentinels logs 12 · sentinels artifacts 12\n",
    ):
        assert line in out


def test_status_without_a_job_shows_the_newest(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs", {"jobs": [], "next_cursor": None})
    said = person.type("status")
    assert said.err == "error: there are no jobs yet\n  → sentinels push ./train\n"
    assert said.code == 2
    canned.on("GET /v1/jobs", {"jobs": [job(13)], "next_cursor": None})
    canned.on("GET /v1/jobs/13", detail(13))
    assert person.type("status").out.startswith("job 13 ")


def test_watch_prints_each_change_once_until_the_end(desk: Desk) -> None:
    person, canned = desk
    running = detail(state="running", event=7)
    canned.on("GET /v1/jobs/12", detail(), detail(), running, detail(state="succeeded", event=8))
    out = person.type("status", "12", "--watch").out
    heads = [line for line in out.splitlines() if line.startswith("job 12")]
    states = ["queued", "running", "succeeded"]
    assert heads == [f"job 12 digits-logreg  {state}" for state in states]


def test_a_watched_name_means_the_job_that_had_it_when_the_watch_began(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/digits", detail(), detail(13, "failed"))
    canned.on("GET /v1/jobs/12", detail(state="succeeded", event=8))
    out = person.type("status", "digits", "--watch").out
    assert "job 12 digits-logreg  succeeded" in out
    assert "job 13" not in out


def test_the_queue_shows_who_is_next_who_runs_where_and_what_is_free(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/queue", _queue())
    said = person.type("queue", "--next", "2")
    assert canned.queries("/v1/queue") == [{"limit": "2", "fold": "true"}]
    assert said.out.splitlines() == [
        "POS  JOB  NAME           USER  PRIORITY  NEEDS      WAITED  EXPECTED  WAITING FOR",
        _row("  1   11  digits-logreg  bob   high      2 CPU 4Gi", "needs 2 CPUs"),
        _row("  2   12  日本語         ann   normal    2 CPU 4Gi", "behind job 11"),
        "… and 38 more (sentinels queue --next 40)",
        "",
        "JOB  NAME           USER  STATE    NEEDS       RAN  NODE",
        "  7  digits-logreg  ann   running  2 CPU 4Gi  0.0s  laptop",
        "",
        "laptop: 0.5 of 2 CPU, 20Gi of 24Gi memory free",
        "! CPUs are full: 40 jobs wait, the oldest for 2h",
    ]


def test_a_sweep_is_one_line_of_the_queue_and_of_the_list(desk: Desk) -> None:
    person, canned = desk
    sweeps = [{"sweep": 12, "jobs": 20, "states": {"queued": 18, "running": 2}}]
    canned.on("GET /v1/queue", {**_queue(), "waiting": [job(14, sweep=12)], "sweeps": sweeps})
    out = person.type("queue").out
    assert "digits-logreg (sweep 12)" in out
    assert "needs 2 CPUs; 0.5 of 2 are free (and 17 more of it)" in out
    assert "… and 22 more (sentinels queue --next 40)" in out
    jobs = [job(31, sweep=12), job(11)]
    canned.on("GET /v1/jobs", {"jobs": jobs, "sweeps": sweeps, "next_cursor": None})
    lines = person.type("jobs").out.splitlines()
    assert "18 queued 2 running" in lines[1]
    assert "queued" in lines[2]
    assert person.type("jobs", "--each").code == person.type("jobs", "-o", "json").code == 0
    assert [query.get("fold") for query in canned.queries("/v1/jobs")] == ["true", None, None]


def test_a_sweep_is_shown_with_what_was_swept_and_the_best_first(desk: Desk) -> None:
    person, canned = desk
    members = [
        {**_member(12, "succeeded"), "params": {"lr": 0.1, "opt": "adam"}},
        {**_member(13, "succeeded"), "params": {"lr": 0.01, "opt": "adam"}},
        {**_member(14, "failed"), "params": {"lr": 1, "opt": "adam"}, "message": "NaN\x1b[31m"},
    ]
    canned.on("GET /v1/sweeps/13", {**_sweep(), "members": members})
    canned.on("GET /v1/metrics", {"metrics": {"12": {"loss": 0.5}, "13": {"loss": 0.4}}})
    out = person.type("sweep", "13", "--sort", "loss").out
    lines = out.splitlines()
    assert lines[0] == "sweep 12 lr  3 jobs: 2 succeeded, 1 failed"
    assert "  swept    lr 0.001..1 (log), opt {adam}" in lines
    assert "  drawn    3 samples, seed 7" in lines
    assert "  at once  2 at most" in lines
    table = [line.split() for line in lines if line.startswith((" 1", "JOB"))]
    assert table[0][:4] == ["JOB", "loss", "lr", "STATE"]
    assert [(row[0], row[1]) for row in table[1:]] == [("13", "0.4"), ("12", "0.5"), ("14", "-")]
    assert "\x1b" not in out
    said = person.type("sweep", "13", "--sort", "accuracy")
    assert (said.code, "known: loss" in said.err) == (2, True)


def _sweep() -> Json:
    return {
        "sweep": 12,
        "name": "lr",
        "user": "ann",
        "team": "default",
        "jobs": 3,
        "states": {"succeeded": 2, "failed": 1},
        "at_once": 2,
        "definition": {
            "sweep": {"lr": {"min": 0.001, "max": 1, "scale": "log"}, "opt": ["adam"]},
            "samples": 3,
            "seed": 7,
        },
        "submitted_at": "2026-11-20T14:00:00+00:00",
        "finished_at": None,
    }


def _member(job_id: int, state: str) -> Json:
    shown = job(job_id, state)
    names = ("id", "state", "reason", "message", "attempt", "submitted_at")
    return {name: shown[name] for name in (*names, "started_at", "finished_at")}


def _queue() -> Json:
    same = "2999-01-01T00:00:00+00:00"  # nothing has passed since: lengths stay what they are
    first = job(11, user="bob", priority="high", submitted_at=same)
    second = job(12, name="日本語", submitted_at=same)
    soon = {"early": "2000-01-01T00:00:00+00:00", "late": "2000-01-01T00:00:00+00:00"}
    places = [{"position": 1, "waiting": 40, "why": "needs 2 CPUs", "expected": soon}]
    places += [{"position": 2, "waiting": 40, "why": "behind job 11", "expected": soon}]
    return {
        "waiting": [{**first, "queue": places[0]}, {**second, "queue": places[1]}],
        "total": 40,
        "running": [job(7, "running", started_at=same)],
        "nodes": [node()],
        "conditions": ["CPUs are full: 40 jobs wait, the oldest for 2h"],
    }


def _row(begin: str, end: str) -> str:
    return f"{begin}    0.0s  now       {end}"


def test_a_list_is_read_page_by_page_and_says_when_there_is_more(desk: Desk) -> None:
    person, canned = desk
    pages: list[Json] = [
        {"jobs": [job(number) for number in range(150, 50, -1)], "next_cursor": "next"},
        {"jobs": [job(number) for number in range(50, 0, -1)], "next_cursor": None},
    ]
    canned.on("GET /v1/jobs", *pages)
    said = person.type("jobs", "--all", "--state", "queued", "--state", "failed", "-o", "json")
    assert [each["id"] for each in json.loads(said.out)] == list(range(150, 0, -1))
    assert [each.get("cursor") for each in canned.queries("/v1/jobs")] == [None, "next"]
    canned.on("GET /v1/jobs", {"jobs": [job(3)], "next_cursor": "next"})
    said = person.type("jobs", "-n", "1")
    assert said.err == "there are more: --limit N or --all\n"


def test_a_list_without_rows_says_so(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs", {"jobs": [], "next_cursor": None})
    assert person.type("jobs", "--user", "bob").out == "There are no such jobs.\n"
    assert person.type("history").out == "No job has ended yet.\n"
    assert json.loads(person.type("jobs", "-o", "json").out) == []


@pytest.mark.parametrize("kind", ["json", "yaml", "csv"])
def test_programs_get_the_same_jobs_in_each_format(desk: Desk, kind: str) -> None:
    person, canned = desk
    jobs = [job(12, name="a,b"), job(11, "failed", reason="killed", name='q"uote')]
    canned.on("GET /v1/jobs", {"jobs": jobs, "next_cursor": None})
    out = person.type("jobs", "-o", kind).out
    if kind == "csv":
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [(row["job"], row["name"]) for row in rows] == [("12", "a,b"), ("11", 'q"uote')]
        assert rows[1]["reason"] == "killed"
    else:
        assert (json.loads(out) if kind == "json" else yaml.safe_load(out)) == jobs


@pytest.mark.parametrize("kind", ["table", "wide", "json", "yaml", "csv"])
@pytest.mark.parametrize("command", ["status 12", "jobs", "queue", "notices", "history 12"])
def test_nothing_that_steers_a_terminal_is_printed(desk: Desk, command: str, kind: str) -> None:
    person, canned = desk
    nasty = "\x1b[31m\x1b]0;x\x07\x9b2Ja\u202eb\rc\nd"
    canned.on("GET /v1/jobs/12", detail(name=nasty, message=nasty))
    canned.on("GET /v1/jobs", {"jobs": [job(name=nasty, user=nasty)], "next_cursor": None})
    queue: Json = {"waiting": [job(name=nasty)], "total": 1, "running": [], "nodes": []}
    canned.on("GET /v1/queue", queue)
    canned.on("GET /v1/notices", {"notices": [notice(text=nasty, channel=nasty)]})
    canned.on("GET /v1/jobs/12/events", {"events": [event(1, None, "queued", detail=nasty)]})
    said = person.type(*command.split(), "-o", kind)
    assert said.code == 0
    assert not set(said.out) & set("\x1b\x07\x9b\r\u202e")


def test_a_jobs_story_is_told_move_by_move(desk: Desk) -> None:
    person, canned = desk
    events = [
        event(1, None, "queued", actor="ann"),
        event(2, "queued", "dispatched"),
        event(3, "dispatched", "failed", reason="out_of_memory", detail="peak 4.0Gi of 4Gi"),
    ]
    canned.on("GET /v1/jobs/12/events", {"events": events})
    out = person.type("history", "12").out.splitlines()
    assert out[1].split()[2:5] == ["queued", "-", "ann"]
    assert "queued → dispatched" in out[2]
    assert out[3].endswith("out of memory  peak 4.0Gi of 4Gi")


def test_the_jobs_that_ended_are_asked_for_by_state(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs", {"jobs": [job(3, "succeeded")], "next_cursor": None})
    said = person.type("history", "--experiment", "digits")
    assert "succeeded" in said.out
    assert canned.asked[0].query["experiment"] == "digits"
    assert "older version" in said.err  # there is nothing at /v1/metrics


def test_notices_show_the_text_and_what_became_of_it(desk: Desk) -> None:
    person, canned = desk
    failed = notice(state="failed", channel="#vision", error="channel_not_found")
    canned.on("GET /v1/notices", {"notices": [failed, notice()]})
    canned.on("GET /v1/jobs/digits", detail())
    out = person.type("notices", "digits").out
    assert canned.queries("/v1/notices") == [{"limit": "20", "job": "12"}]
    assert "to #vision · could not be delivered (channel_not_found)\n" in out
    assert "kept: no messenger is set up\n  ✘ job 12 digits-logreg (ann) failed\n" in out


def test_nodes_show_what_is_used_of_what_there_is(desk: Desk) -> None:
    person, canned = desk
    gpus = {**node("gpu-1", [3, 4]), "gpus": 4, "gpu_type": "a100", "slots": 3}
    canned.on("GET /v1/nodes", {"nodes": [node(), gpus]})
    out = [line.split() for line in person.type("nodes").out.splitlines()]
    assert out[1] == ["laptop", "yes", "1.5/2", "4Gi/24Gi", "-", "-", "7"]
    assert out[2] == ["gpu-1", "yes", "1.5/2", "4Gi/24Gi", "0/4", "a100", "3", "3,", "4"]
    canned.on("GET /v1/nodes", {"nodes": [node()]})
    titles = person.type("nodes").out.splitlines()[0].split()
    assert titles == ["NODE", "READY", "CPU", "MEMORY", "JOBS"]


def test_nodes_that_take_nothing_new_say_why(desk: Desk) -> None:
    person, canned = desk
    states = {
        "retiring": "retired by an operator",
        "cordoned": "",
        "not ready": "kubelet is silent",
    }
    found = [
        {**node(f"n{at}"), "ready": False, "state": state, "detail": detail_}
        for at, (state, detail_) in enumerate(states.items())
    ]
    canned.on("GET /v1/nodes", {"nodes": found})
    listed = list(csv.DictReader(person.type("nodes", "-o", "csv").out.splitlines()))
    assert {row["ready"]: row["why_not_ready"] for row in listed} == states
    canned.on("GET /v1/queue", {"waiting": [], "total": 0, "running": [], "nodes": found})
    lines = person.type("queue").out.splitlines()[-3:]
    assert [line.partition("free, but it ")[2] for line in lines] == [
        "is retiring",
        "is cordoned",
        "is not ready (kubelet is silent)",
    ]


def test_what_others_use_of_a_node_is_not_free(desk: Desk) -> None:
    person, canned = desk
    others = {"cpu": "0.25", "memory": "8Gi", "gpus": 1}
    shared = {**node(), "gpus": 2, "others": others}
    canned.on("GET /v1/nodes", {"nodes": [shared]})
    canned.on("GET /v1/queue", {"waiting": [], "total": 0, "running": [], "nodes": [shared]})
    assert "1.75/2  12Gi/24Gi  1/2" in person.type("nodes").out
    wide = person.type("nodes", "-o", "wide").out
    assert "1.5 CPU 4Gi" in wide
    assert "0.25 CPU 8Gi 1 GPU" in wide
    free = person.type("queue").out.splitlines()[-1]
    assert free == "laptop: 0.25 of 2 CPU, 12Gi of 24Gi memory, 1 of 2 GPU free"


@pytest.mark.parametrize("as_json", [False, True])
def test_doctor_says_what_is_wrong_how_to_mend_it_and_fails(desk: Desk, as_json: bool) -> None:
    person, canned = desk
    checks = [
        {"name": "database", "ok": True, "detail": "PostgreSQL 18.6", "remedy": None},
        {"name": "MLflow", "ok": False, "detail": "does not answer", "remedy": "sentinels up"},
    ]
    canned.on("GET /v1/health", {"ok": False, "checks": checks})
    said = person.type("doctor", *(["--json"] if as_json else []))
    assert said.code == 3
    if as_json:
        assert json.loads(said.out) == {"ok": False, "checks": checks}
    else:
        assert "✔ database       PostgreSQL 18.6\n" in said.out
        assert "✘ MLflow         does not answer\n    → sentinels up\n" in said.out
    canned.on("GET /v1/health", {"ok": True, "checks": checks[:1]})
    assert person.type("doctor").code == 0


def test_a_reference_goes_to_the_server_as_it_is(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/a/b ?é", detail())
    assert person.type("status", "a/b ?é").code == 0


def test_an_ambiguous_reference_lists_what_it_fits(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/dig", problem(409, "dig fits 2 jobs", candidates=["12 a", "13 b"]))
    said = person.type("status", "dig")
    assert said.err == "error: dig fits 2 jobs\n  → say which: 12 a, 13 b\n"
    assert said.code == 2


def test_a_table_at_a_narrow_terminal_is_cut_to_fit_and_coloured(desk: Desk) -> None:
    person, canned = desk
    jobs = [job(12, "running", name="n" * 60, params={"p": "v" * 60})]
    canned.on("GET /v1/jobs", {"jobs": jobs, "next_cursor": None})
    with person.at_terminal("jobs", columns=110) as terminal:
        seen = terminal.read_to_end()
    assert "\x1b[36mrunning\x1b[0m" in seen
    plain = seen.replace("\x1b[36m", "").replace("\x1b[0m", "")
    assert max(map(len, plain.splitlines())) <= 110
    assert "n…" in plain
    person.env["NO_COLOR"] = "1"
    with person.at_terminal("jobs") as terminal:
        assert "\x1b" not in terminal.read_to_end()
