"""The main job, end to end: the command line, the real parts, MLflow, and a Slack that speaks HTTP.

What a part's death or silence costs is time, never a job, a line of a log, a run or a message.
"""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from sentinels.services.mlflow import MlflowTracker
from tests.acceptance.conftest import OneMachine, _copy, _ending, await_true, kill
from tests.standins.slack import SlackStandIn, broken, rate_limited

EXPERIMENT = """
import os, pathlib, sys, time
import mlflow
mlflow.log_metric("accuracy", 0.5)
print("param", os.environ["SENTINELS_PARAM_C"])
pathlib.Path(os.environ["SENTINELS_OUTPUT"], "model").mkdir()
pathlib.Path(os.environ["SENTINELS_OUTPUT"], "model", "weights.txt").write_text("42")
"""
MEASURED = """
import os
import mlflow
mlflow.log_metric("score", 2 * float(os.environ["SENTINELS_PARAM_C"]))
"""
COUNTS = """
import pathlib, sys, time
here = pathlib.Path(sys.argv[1])
number = 0
while not here.with_name("end").exists():
    print("line", number, flush=True)
    here.write_text(str(number))
    number += 1
    time.sleep(0.05)
"""


@dataclass
class Story:
    """A machine that is up, and the Slack that it tells."""

    machine: OneMachine
    slack: SlackStandIn
    folder: Path

    def code(self, name: str, program: str) -> Path:
        """A directory of code."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "main.py").write_text(program)
        return folder

    def push(self, *words: str) -> dict[str, object]:
        """Push without waiting; the first job."""
        answer = json.loads(self.machine.run("push", "-o", "json", *words))
        job = answer["jobs"][0]
        assert isinstance(job, dict)
        return job

    def job(self, job_id: object) -> dict[str, object]:
        """The job as `status` has it."""
        found = json.loads(self.machine.run("status", str(job_id), "-o", "json"))
        assert isinstance(found, dict)
        return found

    def told(self, job_id: object) -> list[str]:
        """What Slack was told of a job."""
        return [one.text for one in self.slack.messages if f"job {job_id} " in one.text]

    def run_of(self, job_id: object) -> dict[str, object]:
        """The run of the job's last attempt, as MLflow has it."""
        run_id = self.job(job_id)["attempts"][-1]["mlflow_run_id"]  # type: ignore[index]
        url = f"{self.machine.server['mlflow_url']}/api/2.0/mlflow/runs/get?run_id={run_id}"
        with urlopen(url, timeout=10) as answer:
            found: dict[str, object] = json.loads(answer.read())["run"]
        return found


@pytest.fixture(scope="module")
def story(used_home: Path) -> Iterator[Story]:
    folder = Path(tempfile.mkdtemp(prefix="sen-"))
    folder.chmod(0o755)
    try:
        with SlackStandIn() as slack:
            machine = _copy(used_home, folder)
            machine.env = {
                "SENTINELS_SLACK_TOKEN": "xoxb-a-token",
                "SENTINELS_SLACK_API_URL": slack.api_url,
                "SENTINELS_SLACK_CHANNEL": "#experiments",
            }
            for up in _ending(machine):
                up.up()
                tracker = MlflowTracker(str(up.server["mlflow_url"]))
                await_true(tracker.answers, seconds=120)
                tracker.close()
                yield Story(up, slack, folder)
    finally:
        shutil.rmtree(folder)


def test_an_experiment_is_queued_run_tracked_kept_and_told(story: Story) -> None:
    folder = story.code("experiment", EXPERIMENT)
    said = story.machine.run(
        "push", str(folder), "--name", "first", "--experiment", "story", "-p", "C=0.1", "--wait"
    )
    assert "✔ job" in said
    assert "succeeded" in said
    job = story.job("first")
    run = story.run_of("first")
    data, info = run["data"], run["info"]
    tags = {tag["key"]: tag["value"] for tag in data["tags"]}  # type: ignore[index]
    assert {item["key"]: item["value"] for item in data["params"]} == {"C": "0.1"}  # type: ignore[index]
    assert tags["sentinels.job"] == str(job["id"])
    assert tags["sentinels.attempt"] == "1"
    assert tags["sentinels.digest"] == job["digest"]
    assert tags["sentinels.user"] == job["user"]
    await_true(lambda: story.run_of("first")["info"]["status"] == "FINISHED")  # type: ignore[index]
    assert {item["key"] for item in data["metrics"]} == {"accuracy"}  # type: ignore[index]
    assert info["experiment_id"] != "0"  # type: ignore[index]
    assert "model/weights.txt" in story.machine.run("artifacts", "first")
    assert story.machine.run("artifacts", "first", "model/weights.txt") == "42"
    assert "param 0.1\n" in story.machine.run("logs", "first")
    await_true(lambda: story.told(job["id"]))
    [message] = story.told(job["id"])
    assert message.startswith(f"✔ job {job['id']} first ({job['user']}) succeeded")
    moves = json.loads(story.machine.run("history", "first", "-o", "json"))
    assert [move["to"] for move in moves] == ["queued", "dispatched", "running", "succeeded"]


def test_past_experiments_are_compared_run_again_and_asked_about(story: Story) -> None:
    run = story.machine.run
    folder = story.code("measured", MEASURED)
    for size in ("1", "3"):
        words = ("--name", f"fit-{size}", "--experiment", "past", "-p", f"C={size}", "--wait")
        run("push", str(folder), *words)
    (folder / "main.py").write_text("raise SystemExit('edited')")
    run("rerun", "fit-1", "-p", "C=7", "--name", "again", "--wait")
    again, first = story.job("again"), story.job("fit-1")
    assert (again["digest"], again["rerun_of"]) == (first["digest"], first["id"])

    past = json.loads(
        run("history", "--experiment", "past", "--sort", "score", "-n", "2", "-o", "json")
    )
    assert [(job["name"], job["metrics"]) for job in past] == [
        ("again", {"score": 14.0}),
        ("fit-3", {"score": 6.0}),
    ]
    assert past[0]["links"]["mlflow"].startswith(past[0]["links"]["experiment"] + "/runs/")
    different = json.loads(run("diff", "fit-1", "again", "-o", "json"))
    assert {"what": "params.C", "a": 1, "b": 7} in different["config"]
    assert different["image"] == []
    assert different["metrics"] == [{"what": "score", "a": 2.0, "b": 14.0}]

    query = "SELECT name, rerun_of FROM v_jobs WHERE experiment = 'past' ORDER BY job"
    assert run("sql", query, "-o", "csv").splitlines() == [
        "name,rerun_of",
        "fit-1,",
        "fit-3,",
        f"again,{first['id']}",
    ]
    usage = json.loads(run("report", "usage", "--by", "experiment", "-o", "json"))
    [row] = [row for row in usage if row["experiment"] == "past"]
    assert (row["jobs"], row["attempts"]) == (3, 3)
    assert "permission denied" in run("sql", "SELECT * FROM tokens", code=2)
    assert "✔ sql " in run("doctor")


def test_slack_in_trouble_is_caught_up_once(story: Story) -> None:
    folder = story.code("quick", "raise SystemExit(3)")
    story.slack.answer_next(broken(), rate_limited(1), broken())
    said = story.machine.run("push", str(folder), "--name", "told-late", "--wait", code=1)
    assert "exit code 3" in said
    job = story.job("told-late")
    await_true(lambda: story.told(job["id"]), seconds=60)
    await_true(
        lambda: "delivered" in story.machine.run("notices", str(job["id"]), "-o", "csv"), seconds=30
    )
    assert len(story.told(job["id"])) == 1


def test_mlflow_that_hangs_stops_no_job_and_is_caught_up(story: Story) -> None:
    mlflow = story.machine.part("mlflow")
    assert mlflow is not None
    tree = [mlflow, *mlflow.children(recursive=True)]
    folder = story.code("untracked", EXPERIMENT.replace("import mlflow\nmlflow.log", "print; #"))
    try:
        for process in tree:
            process.send_signal(signal.SIGSTOP)
        said = story.machine.run("push", str(folder), "-p", "C=7", "--name", "untracked", "--wait")
        assert "succeeded" in said
    finally:
        for process in tree:
            process.send_signal(signal.SIGCONT)
    await_true(lambda: story.job("untracked")["links"]["mlflow"], seconds=90)  # type: ignore[index]
    await_true(lambda: story.run_of("untracked")["info"]["status"] == "FINISHED", seconds=60)  # type: ignore[index]
    await_true(lambda: "weights.txt" in story.machine.run("artifacts", "untracked"), seconds=60)


def test_every_part_is_killed_under_running_jobs_and_no_line_is_lost(story: Story) -> None:
    counting = story.code("counting", COUNTS)
    mark = story.folder / "mark"
    job = story.push(str(counting), "--cpu", "0.1", "--", "python", "main.py", str(mark))
    await_true(mark.exists)
    follower = story.machine.popen("logs", "-f", str(job["id"]))
    try:
        for name in ("submit", "dispatch", "notify", "submit"):
            _kill_part(story.machine, name)
        kill(_postgres(story.machine))
        await_true(story.machine.answers, seconds=60)
        mark.with_name("end").touch()
        story.machine.run("wait", str(job["id"]), "--timeout", "60s")
        said, _ = follower.communicate(timeout=60)
    finally:
        follower.kill()
        follower.communicate()
    lines = [line for line in said.splitlines() if line.startswith("line ")]
    assert lines == [f"line {number}" for number in range(int(mark.read_text()) + 1)]
    assert story.job(job["id"])["attempt"] == 1


def test_a_push_while_postgresql_is_away_is_stored_once(story: Story) -> None:
    folder = story.code("away", "print('here')")
    kill(_postgres(story.machine))
    said = story.machine.run("push", str(folder), "--name", "away", "--wait")
    assert "succeeded" in said
    assert len(json.loads(story.machine.run("jobs", "--name", "away", "-o", "json"))) == 1


def test_a_runner_that_is_killed_costs_the_user_nothing(story: Story) -> None:
    mark = story.folder / "runner" / "mark"
    mark.parent.mkdir()
    folder = story.code("runner-code", COUNTS)
    job = story.push(str(folder), "--cpu", "0.1", "--", "python", "main.py", str(mark))
    await_true(mark.exists)
    kill(_runners(story.machine, f"sentinels-{job['id']}-1"))
    await_true(lambda: story.job(job["id"])["attempt"] == 2, seconds=30)
    mark.with_name("end").touch()
    story.machine.run("wait", str(job["id"]), "--timeout", "60s")
    found = story.job(job["id"])
    assert found["state"] == "succeeded"
    assert found["attempts"][0]["reason"] == "workload_lost"  # type: ignore[index]


def test_a_forged_event_moves_nothing(story: Story) -> None:
    mark = story.folder / "forged" / "mark"
    mark.parent.mkdir()
    folder = story.code("forged-code", COUNTS)
    job = story.push(str(folder), "--cpu", "0.1", "--", "python", "main.py", str(mark))
    await_true(mark.exists)
    for port in _event_ports(story.machine):
        for identity in (
            {"job_id": job["id"], "attempt": 1},
            {"job_id": 10**15, "attempt": 1},
            "x",
        ):
            assert _send_event(port, identity) == "204"
    assert story.job(job["id"])["state"] in ("dispatched", "running")
    mark.with_name("end").touch()
    story.machine.run("wait", str(job["id"]), "--timeout", "60s")


def _kill_part(machine: OneMachine, name: str) -> None:
    part = machine.part(name)
    assert part is not None
    kill([part, *part.children(recursive=True)])
    await_true(lambda: machine.part(name) not in (None, part))
    await_true(machine.answers)


def _postgres(machine: OneMachine) -> list[psutil.Process]:
    return [one for one in machine.processes() if one.name() == "postgres"]


def _runners(machine: OneMachine, name: str) -> list[psutil.Process]:
    return [
        one
        for one in machine.processes()
        if "sentinels.clusters.local.runner" in one.cmdline() and one.cmdline()[-1].endswith(name)
    ]


def _event_ports(machine: OneMachine) -> list[str]:
    ports = []
    for name in ("dispatch", "notify"):
        part = machine.part(name)
        assert part is not None
        line = part.cmdline()
        ports.append(line[line.index("--port") + 1])
    return ports


def _send_event(port: str, identity: object) -> str:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "forged",
        "ce-source": "/nowhere",
        "ce-type": "dev.sentinels.workload.ended",
        "content-type": "application/json",
    }
    connection = HTTPConnection("127.0.0.1", int(port), timeout=30)
    try:
        connection.request("POST", "/", json.dumps(identity), headers)
        return str(connection.getresponse().status)
    finally:
        connection.close()
