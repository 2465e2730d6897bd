"""Every line of the launch protocol at which a process may die: nothing is lost or runs twice.

Each call of a function is a process of its own with its real wiring; the database and the workloads
are real. The named line kills the process; what comes after that repairs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from sentinels.core.failpoints import FAILPOINTS
from sentinels.core.queueing import Caller
from tests.conftest import TOKEN
from tests.standins.slack import SlackStandIn

CRASHED = 86
BOUND_SECONDS = 40.0
PROGRAM = """
import os, pathlib, time
with open(os.environ["HOME"] + "/starts", "a") as starts:
    starts.write(os.environ["SENTINELS_JOB_ID"] + "-" + os.environ["SENTINELS_ATTEMPT"] + "\\n")
"""


@dataclass
class Walk:
    """One home, one database, and the calls that a scheduler and a user would make."""

    home: Path
    engine: Engine
    environment: dict[str, str]
    crash_at: str = ""
    crashes: int = 0
    outputs: list[str] = field(default_factory=list)

    def call(self, *words: str) -> int:
        """One call in its own process; the first to get to the named line crashes there."""
        armed = {"SENTINELS_CRASH_AT": self.crash_at} if not self.crashes else {}
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.drive", *words],
            env={**self.environment, **armed},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.outputs.append(f"{words}: {done.returncode} {done.stdout} {done.stderr[-800:]}")
        self.crashes += done.returncode == CRASHED
        return done.returncode

    def push(self, folder: Path) -> None:
        """Push as the CLI does: again with the same key until there is an answer."""
        words = ("push", str(folder), "the-key", TOKEN)
        if self.call(*words) == CRASHED:
            assert self.call(*words) == 0

    def until(self, done: Callable[[], bool], *words: str) -> None:
        """Make the call again and again until the condition holds."""
        deadline = time.monotonic() + BOUND_SECONDS
        while not done():
            assert time.monotonic() < deadline, "\n".join(self.outputs)
            self.call(*words)

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """What the database says."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def starts(self) -> list[str]:
        """Which attempts' programs were started, as they themselves wrote down."""
        path = self.home / "starts"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def walk(
    short_tmp: Path, database_url: str, engine: Engine, caller: Caller, slack: SlackStandIn
) -> Walk:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = {
        **kept,
        "HOME": str(short_tmp),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "SENTINELS_HOME": str(short_tmp),
        "SENTINELS_DATABASE_URL": database_url,
        "SENTINELS_LEASE_SECONDS": "0.5",
        "SENTINELS_SLACK_TOKEN": "xoxb-test",
        "SENTINELS_SLACK_API_URL": slack.api_url,
    }
    return Walk(short_tmp, engine, environment)


@pytest.fixture
def code(short_tmp: Path) -> Path:
    folder = short_tmp / "code"
    folder.mkdir()
    (folder / "main.py").write_text(PROGRAM)
    return folder


def go_all_the_way(walk: Walk, code: Path) -> None:
    walk.push(code)
    walk.until(lambda: walk.ask("SELECT state FROM jobs") == [("succeeded",)], "dispatch")
    walk.until(lambda: walk.ask("SELECT DISTINCT released FROM attempts") == [(True,)], "dispatch")
    walk.call("deliver")
    # A delivery that was taken by a process that died is due again when its lease is over.
    with walk.engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET due_at = now() WHERE due_at IS NOT NULL"))
        connection.execute(text("UPDATE recipients SET next_at = now()"))
    walk.call("deliver")


@pytest.mark.parametrize("line", FAILPOINTS)
def test_a_crash_at_this_line_loses_nothing_and_starts_nothing_twice(
    walk: Walk, code: Path, slack: SlackStandIn, line: str
) -> None:
    walk.crash_at = line
    go_all_the_way(walk, code)
    assert walk.crashes == 1, f"{line} was never reached\n" + "\n".join(walk.outputs)
    [(job_id, attempt)] = walk.ask("SELECT id, attempt FROM jobs")
    assert attempt == 1
    assert walk.starts() == [f"{job_id}-1"]
    assert walk.ask("SELECT to_state FROM job_events ORDER BY id DESC LIMIT 1") == [("succeeded",)]
    assert walk.ask("SELECT DISTINCT state FROM outbox") == [("delivered",)]
    told = [message for message in slack.messages if f"job {job_id}" in message.text]
    # Slack has no idempotency: a crash between its answer and our commit tells twice, never less.
    assert len(told) == (2 if line == "notify.after_send" else 1)


def test_dispatchers_that_are_killed_all_the_time_start_each_job_once(
    walk: Walk, code: Path
) -> None:
    jobs = 12
    for number in range(jobs):
        assert walk.call("push", str(code), f"key-{number}", TOKEN) == 0
    deadline = time.monotonic() + 90
    running: list[subprocess.Popen[bytes]] = []
    turn = 0
    try:
        while walk.ask("SELECT count(*) FROM jobs WHERE state <> 'succeeded'") != [(0,)]:
            assert time.monotonic() < deadline, walk.ask("SELECT id, state, attempt FROM jobs")
            turn += 1
            command = [sys.executable, "-m", "tests.support.drive", "dispatch"]
            running.append(
                subprocess.Popen(command, env=walk.environment, stdout=subprocess.DEVNULL)
            )
            if len(running) == 2:
                victim = running.pop(0)
                # Every other dispatcher is killed, at whatever line it has reached by then.
                if turn % 2:
                    time.sleep(0.2 + turn % 7 / 10)
                    victim.kill()
                victim.wait(timeout=60)
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert sorted(walk.starts()) == sorted(f"{number}-1" for number in range(1, jobs + 1))
