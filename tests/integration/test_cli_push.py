"""``sentinels push``: checked before it is sent, sent once, told in the terms of the next step."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_cli_canned import (
    LATER,
    Canned,
    Json,
    Person,
    canned_server,
    detail,
    expected,
    job,
    person_at,
    piece,
    problem,
    pushed,
)

Desk = tuple[Person, Canned]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A person with a folder of code, and a server that takes pushes."""
    (tmp_path / "train").mkdir()
    with person_at(tmp_path) as (person, canned):
        canned.on("POST /v1/jobs", pushed())
        yield person, canned


def test_a_push_says_the_id_the_place_why_it_waits_and_what_to_type_next(desk: Desk) -> None:
    person, canned = desk
    said = person.type("push", "train")
    assert said.out == (
        "job 12 queued · 3rd of 9 · digits-logreg\n"
        "  waits: needs 2 CPUs; 0.5 of 2 are free\n"
        "  status: sentinels status 12    follow: sentinels logs -f 12"
        "    cancel: sentinels cancel 12\n"
    )
    assert (said.err, said.code) == ("", 0)
    [asked] = canned.asked
    assert asked.body == {"image": str(person.home / "train"), "config": {}}
    assert asked.headers["Authorization"] == "Bearer s3cret-token"
    assert asked.headers["Idempotency-Key"]


def test_a_push_says_when_it_is_expected_to_start_and_the_right_size(desk: Desk) -> None:
    person, canned = desk
    fit: Json = {
        "runs": 10,
        "taken": False,
        "sentences": ["memory: asked 4Gi, used 1Gi at most (25 %): 1.25Gi would have sufficed"],
        "resources": {"cpu": "2", "memory": "1280Mi", "gpu": 0, "gpu_type": None},
        "sooner_seconds": 4000.0,
    }
    canned.on("POST /v1/jobs", {**pushed(expected(job(), LATER)), "fit": fit})
    out = person.type("push", "train").out
    assert "  expected to start at 2999-01-01 12:00 or later\n" in out
    assert out.endswith(
        "  the last 10 runs of its name say: memory: asked 4Gi, used 1Gi at most (25 %):"
        " 1.25Gi would have sufficed\n"
        "  with --fit it asks for 2 CPU 1280Mi, and starts about 1h 06m sooner\n"
    )
    canned.on("POST /v1/jobs", {**pushed(), "fit": {**fit, "taken": True}})
    out = person.type("push", "train", "--fit").out
    assert canned.asked[-1].body == {"image": str(person.home / "train"), "config": {}, "fit": True}
    assert out.endswith("  so it asks for 2 CPU 1280Mi\n")


def test_a_sweep_is_told_as_one(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/jobs", pushed(*[job(number, sweep=12) for number in range(12, 18)]))
    said = person.type("push", "train", "--sweep", "C=0.1,1")
    assert said.out.startswith("jobs 12–17 queued · 6 jobs of sweep 12 · 3rd of 9 · ")
    assert "sentinels cancel --sweep 12" in said.out


def test_flags_win_over_the_file_and_the_words_after_dashes_are_the_command(desk: Desk) -> None:
    person, canned = desk
    (person.home / "c.yaml").write_text("params: {C: 1, solver: lbfgs}\nresources: {cpu: 1}\n")
    words = ("-c", "c.yaml", "-p", "C=0.5", "--cpu", "2", "--", "python", "a.py", "--fast")
    assert person.type("push", "train", *words).code == 0
    assert canned.asked[0].body["config"] == {
        "params": {"C": 0.5, "solver": "lbfgs"},
        "resources": {"cpu": "2"},
        "command": ["python", "a.py", "--fast"],
    }


def test_a_config_may_come_from_standard_input(desk: Desk) -> None:
    person, canned = desk
    assert person.type("push", "train", "-c", "-", stdin="name: piped\n").code == 0
    assert canned.asked[0].body["config"] == {"name": "piped"}


@pytest.mark.parametrize(
    ("image", "sent"), [("team/train:1.4", "team/train:1.4"), (".", ""), ("./train", "train")]
)
def test_a_directory_is_sent_as_an_absolute_path_and_an_image_as_it_is(
    desk: Desk, image: str, sent: str
) -> None:
    person, canned = desk
    assert person.type("push", image).code == 0
    wanted = sent if ":" in sent else str((person.home / sent).resolve())
    assert canned.asked[0].body["image"] == wanted


def test_every_fault_is_told_at_once_with_its_line_before_anything_is_sent(desk: Desk) -> None:
    person, canned = desk
    (person.home / "c.yaml").write_text("nam: x\ntime_limit: 2h\ntime_limit: 3h\nafter: [no]\n")
    words = ("-c", "c.yaml", "-p", "novalue", "--cpu", "64x", "--retry-exit", "x=3")
    said = person.type("push", "./nowhere", *words)
    assert (said.out, said.code, canned.asked) == ("", 2, [])
    assert said.err.startswith("error: nothing was pushed; 7 faults:\n")
    for fault in (
        f"  image: is no directory here (it is {person.home}/nowhere)",
        "  line 1: nam: unknown key\n    → did you mean name?",
        "  line 3: time_limit: stands on line 2 already",
        "  line 4: after[0]: ",
        "  --param: novalue is not NAME=VALUE",
        "  --cpu: is no number of cores",
        "  --retry-exit x: is no exit code",
    ):
        assert fault in said.err


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("none.yaml", "none.yaml cannot be read: No such file or directory"),
        ("train", "train cannot be read: Is a directory"),
        ("bytes.yaml", "bytes.yaml is not UTF-8 text"),
    ],
)
def test_a_config_that_cannot_be_read_is_named(desk: Desk, config: str, message: str) -> None:
    person, canned = desk
    (person.home / "bytes.yaml").write_bytes(b"name: \xff\n")
    said = person.type("push", "train", "-c", config)
    assert message in said.err
    assert (said.code, canned.asked) == (2, [])


def test_the_servers_faults_are_told_like_the_commands_own(desk: Desk) -> None:
    person, canned = desk
    fault = {
        "field": "resources.cpu",
        "message": "64 CPUs; the largest node (laptop) has 2",
        "value": None,
        "remedy": "ask for less",
        "line": None,
    }
    canned.on("POST /v1/jobs", problem(422, "1 fault", faults=[fault]))
    said = person.type("push", "train", "--cpu", "64")
    assert said.err == (
        "error: nothing was pushed; 1 fault:\n"
        "  resources.cpu: 64 CPUs; the largest node (laptop) has 2\n    → ask for less\n"
    )
    assert said.code == 2


def test_a_server_in_trouble_is_asked_again_with_the_same_key(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/jobs", problem(503, "PostgreSQL does not answer"), pushed())
    said = person.type("push", "train", "-q")
    assert (said.out, said.code) == ("12\n", 0)
    assert "PostgreSQL does not answer; trying again for 20 s …" in said.err
    first, second = canned.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body


def test_a_push_reaches_a_server_that_starts_meanwhile(desk: Desk) -> None:
    person, _ = desk
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    person.env["SENTINELS_URL"] = f"http://127.0.0.1:{port}"
    with person.start("push", "train", "-q") as process:
        assert process.stderr is not None
        assert process.stdout is not None
        try:
            assert "trying again" in process.stderr.readline()
            with canned_server(port) as canned:
                canned.on("POST /v1/jobs", pushed())
                assert process.stdout.read() == "12\n"
        finally:
            process.kill()


def test_the_key_can_be_named_and_a_replay_is_told(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/jobs", pushed(replayed=True))
    said = person.type("push", "train", "--key", "nightly-7")
    assert "pushed before, nothing new was queued" in said.out
    assert canned.asked[0].headers["Idempotency-Key"] == "nightly-7"


def test_a_program_gets_the_answer_and_nothing_else_on_standard_output(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/jobs/12", detail(), detail(state="succeeded", event=6))
    said = person.type("push", "train", "-o", "json", "--wait")
    assert json.loads(said.out) == pushed()
    assert "✔ job 12 digits-logreg succeeded after 2m 20s" in said.err
    said = person.type("push", "train", "--quiet", "--wait")
    assert (said.out, said.code) == ("12\n", 0)


@pytest.mark.parametrize(("state", "code"), [("succeeded", 0), ("failed", 1), ("cancelled", 1)])
def test_wait_tells_each_change_and_exits_by_the_outcome(desk: Desk, state: str, code: int) -> None:
    person, canned = desk
    first = detail(event=5)
    running = detail(state="running", event=7)
    canned.on("GET /v1/jobs/12", first, first, running, detail(state=state, event=8))
    said = person.type("push", "train", "--wait")
    assert said.code == code
    told = said.out.splitlines()[3:]
    assert told[0].startswith("job 12 digits-logreg queued · 3rd of 9 · needs 2 CPUs")
    assert told[1] == "job 12 digits-logreg running"
    assert told[2].endswith(f"job 12 digits-logreg {state} after 2m 20s")
    assert {"wait": "20.0", "after_event": "7"} in canned.queries("/v1/jobs/12")


def test_follow_prints_the_log_and_then_the_outcome_of_each_job(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/jobs", pushed(job(12), job(13)))
    for number, state in ((12, "failed"), (13, "succeeded")):
        canned.on(f"GET /v1/jobs/{number}", detail(number), detail(number, state, event=9))
        canned.on(f"GET /v1/jobs/{number}/logs", piece(f"log of {number}\n", ended=True))
    said = person.type("push", "train", "--follow")
    assert said.out.splitlines()[3:] == ["log of 12", "log of 13"]
    assert "✘ job 12 digits-logreg failed" in said.err
    assert "✔ job 13 digits-logreg succeeded" in said.err
    assert said.code == 1
