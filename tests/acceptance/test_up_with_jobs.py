"""Jobs outlive what runs them: ``down``, and the death of every process of Sentinels."""

from __future__ import annotations

import json
import shutil
from http.client import HTTPConnection

import psutil

from tests.acceptance.conftest import OneMachine, await_true, kill

WAITS_FOR_A_FILE = """
import os, pathlib, sys, time
started, wanted = (pathlib.Path(name) for name in sys.argv[1:])
started.write_text(os.environ["SENTINELS_ATTEMPT"])
while not wanted.exists():
    time.sleep(0.02)
"""


def ask(machine: OneMachine, method: str, path: str, body: object = None) -> dict[str, object]:
    """One request to submit, as the CLI makes it."""
    server = machine.server
    connection = HTTPConnection(str(server["url"]).removeprefix("http://"), timeout=20)
    headers = {"Authorization": f"Bearer {server['token']}", "Content-Type": "application/json"}
    headers |= {"Idempotency-Key": f"{path}-{machine.home}"} if method == "POST" else {}
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status < 300, answer
        assert isinstance(answer, dict)
        return answer
    finally:
        connection.close()


def push_waiting_job(machine: OneMachine) -> int:
    """Push a job that says when it has started and ends when told; return its id when it runs."""
    folder = machine.home.parent
    (folder / "code").mkdir()
    (folder / "code" / "main.py").write_text(WAITS_FOR_A_FILE)
    config = {
        "name": "waiting",
        "command": ["python", "main.py", str(folder / "started"), str(folder / "end")],
        "resources": {"cpu": "0.1", "memory": "128Mi"},
    }
    answer = ask(machine, "POST", "/v1/jobs", {"image": str(folder / "code"), "config": config})
    (job,) = answer["jobs"]  # type: ignore[misc]  # a list of one object; the next lines would fail
    await_true((folder / "started").exists)
    return int(job["id"])


def state_of(machine: OneMachine, job: int) -> tuple[object, object]:
    """The job's state and attempt."""
    found = ask(machine, "GET", f"/v1/jobs/{job}")
    return found["state"], found["attempt"]


def test_down_stops_running_jobs_and_the_next_up_runs_them_again(machine: OneMachine) -> None:
    machine.up("--no-mlflow")
    job = push_waiting_job(machine)
    started = machine.home.parent / "started"
    assert started.read_text() == "1"

    said = machine.run("down")

    assert "stopped 1 running job; it starts again at the next `sentinels up`" in said
    assert machine.processes() == []

    machine.up("--no-mlflow")
    await_true(lambda: started.read_text() == "2")
    (machine.home.parent / "end").touch()
    await_true(lambda: state_of(machine, job) == ("succeeded", 2))


def test_a_job_that_ended_while_all_of_sentinels_was_dead_is_found_to_have_succeeded(
    machine: OneMachine,
) -> None:
    machine.up("--no-mlflow")
    job = push_waiting_job(machine)
    kill(sentinels_itself(machine))
    await_true(lambda: not sentinels_itself(machine))
    assert machine.processes(), "the job runs on"

    (machine.home.parent / "end").touch()
    await_true(lambda: not machine.processes())

    machine.up("--no-mlflow")
    await_true(lambda: state_of(machine, job) == ("succeeded", 1))


def sentinels_itself(machine: OneMachine) -> list[psutil.Process]:
    """The supervisor, the functions and PostgreSQL: all but the job and its runner."""
    found = []
    for process in machine.processes():
        try:
            line = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        if any(word.startswith("sentinels.local") or "postgres" in word for word in line):
            found.append(process)
    return found


def test_what_a_job_uses_is_shown_while_it_runs_and_outlives_its_folder(
    machine: OneMachine,
) -> None:
    machine.up("--no-mlflow")
    job = push_waiting_job(machine)
    await_true(lambda: quantities_of(machine, job) >= {"cpu_cores", "memory_bytes"})
    assert usage_of(machine, job)["source"] == "this machine"

    (machine.home.parent / "end").touch()
    await_true(lambda: usage_of(machine, job)["source"] == "kept with the job")
    shutil.rmtree(machine.home / "workloads")

    assert quantities_of(machine, job) >= {"cpu_cores", "memory_bytes"}
    told = machine.run("usage", str(job))
    assert "job 1 waiting  succeeded after " in told
    assert "  memory  asked 128Mi, used " in told


def usage_of(machine: OneMachine, job: int) -> dict[str, object]:
    """What the job's newest attempt uses, or used."""
    return ask(machine, "GET", f"/v1/jobs/{job}/usage")


def quantities_of(machine: OneMachine, job: int) -> set[object]:
    """What of it was measured."""
    found = usage_of(machine, job)["quantities"]
    assert isinstance(found, list)
    return {quantity["name"] for quantity in found}
