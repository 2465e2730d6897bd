"""Logs of the one-machine mode in a real search store: live, whole, once each, whatever is down."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from sentinels.clusters.local.folders import Layout, read_record
from sentinels.core.errors import LogStoreUnavailable
from sentinels.core.job import JobId
from sentinels.core.log_documents import INDICES
from sentinels.core.workload import WorkloadRef
from sentinels.services.log_store import SearchLogStore
from tests.acceptance.conftest import OneMachine, await_true
from tests.support.search_node import SearchNode

pytestmark = pytest.mark.timeout(300)

_SMALL = ("--cpu", "0.1", "--memory", "64Mi")
_NUMBERS = """
import pathlib, sys, time
go = pathlib.Path(sys.argv[1])
print("begun", flush=True)
n = 0
while not go.exists():
    n += 1
    print(f"line {n}", flush=True)
    time.sleep(0.02)
print(f"over after {n}")
sys.exit(int(sys.argv[2]))
"""
_WEIRD = r"""
import sys
out = sys.stdout.buffer
out.write(b"\x1b]0;title\x07\x1b[31mred\x1b[0m <!channel> \x00 tab\tend\r\n")
out.write(b"invalid \xff\xfe\xc3( and cut \xe2\x82\n\n")
out.write(b"m" * 2**20 + b"\n")
out.write(("\u00e4" * 40_000).encode() + b"\n")
out.write(b" 10%\r 50%\r100%\n")
out.write(b"no newline")
"""


@pytest.fixture
def machine(machine: OneMachine, search_node: SearchNode) -> Iterator[OneMachine]:
    """Sentinels, up, with the search store."""
    machine.env |= {
        "SENTINELS_SEARCH_URL": search_node.url,
        "SENTINELS_LOGS_PAGE_URL": "http://kibana.test/discover?job={job}",
    }
    machine.up("--no-mlflow")
    return machine


@pytest.fixture
def store(search_node: SearchNode) -> Iterator[SearchLogStore]:
    made = SearchLogStore(search_node.url, seconds=20, rest_seconds=0)
    yield made
    made.close()


def printed(store: SearchLogStore, job: int, text: str) -> bool:
    """Whether the text is in one of the last lines. An index that was just made has a moment
    without anything to look into.
    """
    with suppress(LogStoreUnavailable):
        return any(text in line.text for line in store.last_lines(WorkloadRef(JobId(job), 1), 5))
    return False


def pushed(machine: OneMachine, folder: Path, program: str, *arguments: str) -> int:
    """A job that runs the program."""
    code = folder / "train"
    code.mkdir(exist_ok=True)
    (code / "main.py").write_text(program)
    command = ("--", "python", "main.py", *arguments)
    words = ("push", str(code), *_SMALL, "--experiment", "digits", "--quiet")
    return int(machine.run(*words, *command))


def status(machine: OneMachine, job: int) -> dict[str, Any]:
    found = json.loads(machine.run("status", str(job), "-o", "json"))
    assert isinstance(found, dict)
    return found


def await_state(machine: OneMachine, job: int, *states: str) -> None:
    await_true(lambda: status(machine, job)["state"] in states, seconds=60)


def documents(node: SearchNode, job: int) -> list[dict[str, Any]]:
    """All that is kept of a job, in order."""
    node.refresh()
    asked = {"size": 10_000, "query": {"term": {"job": job}}, "sort": ["at_ns"]}
    answer = httpx.post(f"{node.url}/{INDICES}/_search", json=asked, timeout=30).json()
    return [hit["_source"] for hit in answer.get("hits", {"hits": []})["hits"]]


def kept(node: SearchNode, job: int) -> str:
    """The same as text."""
    return "".join(
        line["message"] + ("\n" if line.get("ends", True) else "") for line in documents(node, job)
    )


def log_file(machine: OneMachine, job: int) -> str:
    name = WorkloadRef(JobId(job), 1).name
    return Layout(machine.home).folder(name).log.read_bytes().decode("utf-8", "replace")


def test_lines_are_in_the_store_while_the_job_runs_and_say_whose_they_are(
    machine: OneMachine, search_node: SearchNode, store: SearchLogStore, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    job = pushed(machine, tmp_path, _NUMBERS, str(go), "0")
    ref = WorkloadRef(JobId(job), 1)
    await_true(lambda: printed(store, job, "line"))
    assert status(machine, job)["state"] == "running"
    assert abs(store.last_output([ref])[ref].timestamp() - time.time()) < 60
    go.touch()
    await_state(machine, job, "succeeded")
    await_true(lambda: printed(store, job, "over after"))
    assert kept(search_node, job) == log_file(machine, job)
    first = documents(search_node, job)[0]
    assert {name: first[name] for name in ("job", "attempt", "workload", "team", "experiment")} == {
        "job": job,
        "attempt": 1,
        "workload": ref.name,
        "team": "default",
        "experiment": "digits",
    }
    assert first["user"]
    assert first["node"] == status(machine, job)["attempts"][0]["node"]
    assert first["@timestamp"].endswith("Z")
    assert status(machine, job)["links"]["logs"] == f"http://kibana.test/discover?job={job}"
    assert f"http://kibana.test/discover?job={job}" in machine.run("status", str(job))


def test_weird_lines_harm_neither_terminal_nor_store(
    machine: OneMachine, search_node: SearchNode, tmp_path: Path
) -> None:
    job = pushed(machine, tmp_path, _WEIRD)
    await_state(machine, job, "succeeded")
    await_true(lambda: "no newline" in kept(search_node, job))
    assert kept(search_node, job) == log_file(machine, job)
    assert max(len(line["message"]) for line in documents(search_node, job)) <= 32 * 1024
    shown = machine.run("logs", str(job))
    assert not set(map(chr, [*range(9), *range(11, 32), 127])) & set(shown)
    assert shown == (
        "red <!channel> \ufffd tab\tend\n"
        "invalid \ufffd\ufffd\ufffd( and cut \ufffd\n\n"
        f"{'m' * 2**20}\n{'ä' * 40_000}\n100%\nno newline\n"
    )
    assert machine.run("logs", str(job), "--grep", "^m+$") == f"{'m' * 2**20}\n"
    assert machine.run("logs", str(job), "--tail", "2") == "100%\nno newline\n"


def test_with_the_store_down_jobs_run_and_all_is_delivered_when_it_comes_back(
    machine: OneMachine, search_node: SearchNode, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    through = pushed(machine, tmp_path, _NUMBERS, str(go), "0")
    await_true(lambda: "begun" in kept(search_node, through))
    search_node.stop()
    try:
        meanwhile = pushed(machine, tmp_path, "print('printed while it was down')")
        await_state(machine, meanwhile, "succeeded")
        for words in (("logs", str(meanwhile)), ("status", str(meanwhile)), ("logs", "-n1", "1")):
            began = time.monotonic()
            said = machine.run(*words)
            assert time.monotonic() - began < 2, words
        assert "printed while" in machine.run("logs", str(meanwhile))
        said = machine.run("status", str(meanwhile))
        assert f"the search store at {search_node.url} does not answer: Connection refused" in said
        assert "Connection refused" in machine.run("doctor", code=3)
        assert status(machine, through)["state"] == "running"
    finally:
        search_node.start()
    await_true(lambda: "printed while" in kept(search_node, meanwhile), seconds=90)
    go.touch()
    await_state(machine, through, "succeeded")
    await_true(lambda: "over after" in kept(search_node, through), seconds=90)
    for job in (through, meanwhile):
        assert kept(search_node, job) == log_file(machine, job)
    await_true(lambda: status(machine, meanwhile)["unavailable"] == [])


def test_a_silent_store_holds_up_neither_jobs_nor_answers(
    machine: OneMachine, search_node: SearchNode, tmp_path: Path
) -> None:
    with search_node.silent():
        job = pushed(machine, tmp_path, "print('printed in silence')")
        await_state(machine, job, "succeeded")
        for words in (("logs", str(job)), ("status", str(job))):
            began = time.monotonic()
            machine.run(*words)
            assert time.monotonic() - began < 2.5, words  # half a second of it is the command's own
    await_true(lambda: kept(search_node, job) == "printed in silence\n", seconds=90)


def test_what_a_killed_runner_did_not_send_is_sent_and_nothing_twice(
    machine: OneMachine, search_node: SearchNode, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    job = pushed(machine, tmp_path, _NUMBERS, str(go), "0")
    await_true(lambda: "line" in kept(search_node, job))
    folder = Layout(machine.home).folder(WorkloadRef(JobId(job), 1).name)
    os.kill(int(str((read_record(folder.started) or {})["runner"])), signal.SIGKILL)
    await_true(lambda: status(machine, job)["attempts"][0]["reason"] == "workload_lost")
    machine.run("cancel", str(job))
    first = log_file(machine, job)
    assert first.endswith("\n")

    def of_first_attempt() -> str:
        found = [line for line in documents(search_node, job) if line["attempt"] == 1]
        return "".join(f"{line['message']}\n" for line in found)

    await_true(lambda: of_first_attempt() == first, seconds=90)
