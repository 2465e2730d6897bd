"""The command line against the real submit over a real PostgreSQL: what it says, how it exits."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from sentinels.clusters.local.data import LocalDataStore
from sentinels.clusters.local.images import LocalImageStore
from sentinels.core.job import Reason
from sentinels.core.settling import settle_jobs
from tests.conftest import TOKEN
from tests.integration.test_settling import finished
from tests.support.desk import Desk, ref
from tests.support.front import FileTracker, LoggedCluster, make_door, serving

SCRIPT = "from sentinels.cli.main import run; run()"


@dataclass
class Terminal:
    """Types commands at a server."""

    url: str
    folder: Path

    def type(
        self, *words: str, code: int = 0, said: str = "", url: str | None = None
    ) -> tuple[str, str]:
        """Run a command; it must exit with ``code``. What it printed, and what it complained of."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "COLUMNS": "100",
            "SENTINELS_URL": self.url if url is None else url,
            "SENTINELS_TOKEN": TOKEN,
        }
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *words],
            env={name: value for name, value in environment.items() if value},
            input=said,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr


@pytest.fixture
def terminal(desk: Desk, tmp_path: Path) -> Iterator[Terminal]:
    desk.cluster = cluster = LoggedCluster()
    door = make_door(desk, cluster, FileTracker())
    stores = replace(
        door.ports, images=LocalImageStore(tmp_path / "home"), data=LocalDataStore(str(tmp_path))
    )
    with serving(replace(door, ports=stores)) as port:
        yield Terminal(f"http://127.0.0.1:{port}", tmp_path)


@pytest.fixture
def train(terminal: Terminal) -> Path:
    folder = terminal.folder / "train"
    folder.mkdir()
    (folder / "main.py").write_text("print('trained')")
    return folder


def test_a_push_says_the_id_the_place_and_what_to_type_next(
    terminal: Terminal, train: Path
) -> None:
    said, _ = terminal.type("push", "train", "-p", "C=0.1", "--", "python", "main.py")
    assert said.splitlines()[0] == "job 1 queued · 1st of 1 · train"
    assert "sentinels logs -f 1" in said
    said, _ = terminal.type("push", str(train), "--sweep", "C=0.1,1,10", "--name", "swept")
    assert said.splitlines()[0] == "jobs 2–4 queued · 3 jobs of sweep 2 · 2nd of 4 · swept"


def test_every_fault_of_file_and_flags_is_told_at_once_with_its_line(
    terminal: Terminal, desk: Desk
) -> None:
    config = "resourses: {cpu: 1}\nname: a\nname: b\ntime_limit: soon\nresources:\n  cpu: -2\n"
    words = ("push", "Bad Image", "-c", "-", "--priority", "hi\x1b[31m")
    _, said = terminal.type(*words, code=2, said=config)
    for path in (
        "line 1: resourses",
        "line 3: name",
        "line 4: time_limit",
        "line 6: resources.cpu",
    ):
        assert path in said
    for told in ("did you mean resources?", "image:", "priority:"):
        assert told in said
    assert "\x1b" not in said
    assert desk.ask("SELECT count(*) FROM jobs") == [(0,)]


def test_flags_win_over_the_file(terminal: Terminal, train: Path) -> None:
    (terminal.folder / "config.yaml").write_text("params: {C: 1, seed: 3}\nresources: {cpu: 2}\n")
    terminal.type("push", str(train), "-c", "config.yaml", "-p", "C=7", "--memory", "2Gi")
    job = json.loads(terminal.type("status", "1", "-o", "json")[0])
    assert job["params"] == {"C": 7, "seed": 3}
    assert (job["resources"]["cpu"], job["resources"]["memory"]) == ("2", "2Gi")


def test_every_format_reads_back(terminal: Terminal, train: Path) -> None:
    terminal.type("push", str(train), "--name", "one")
    terminal.type("push", str(train), "--name", "two")
    for command in (["jobs"], ["queue"], ["history", "1"], ["nodes"], ["notices"]):
        json.loads(terminal.type(*command, "-o", "json")[0])
        yaml.safe_load(terminal.type(*command, "-o", "yaml")[0])
        terminal.type(*command, "-o", "wide")
    listed = list(csv.DictReader(io.StringIO(terminal.type("jobs", "-o", "csv")[0])))
    assert [row["name"] for row in listed] == ["two", "one"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["status", "999"], 4, "999"),
        (["cancel", "999"], 4, "999"),
        (["logs", "nobody"], 4, "nobody"),
        (["push", "./missing"], 2, "is no directory here"),
        (["push", "train", "--cpu", "6400"], 2, "resources.cpu"),
        (["push", "train", "--data", "../etc"], 2, "inside the data store"),
        (["push", "train", "-c", "missing.yaml"], 2, "cannot be read"),
        (["push", "train", "-p", "C"], 2, "NAME=VALUE"),
        (["wait", "999", "--timeout", "soon"], 2, "--timeout"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    terminal: Terminal, train: Path, desk: Desk, words: list[str], code: int, told: str
) -> None:
    desk.tick()
    _, said = terminal.type(*words, code=code)
    assert said.startswith("error: ")
    assert told in said


def test_a_name_that_fits_several_jobs_lists_them(terminal: Terminal, train: Path) -> None:
    terminal.type("push", str(train), "--name", "digits-a")
    terminal.type("push", str(train), "--name", "digits-b")
    _, said = terminal.type("status", "digits", code=2)
    assert "digits-a" in said
    assert "digits-b" in said


def test_cancelling_twice_says_so(terminal: Terminal, train: Path) -> None:
    terminal.type("push", str(train))
    assert "cancelled" in terminal.type("cancel", "1")[0]
    assert "already cancelled" in terminal.type("cancel", "1", code=2)[1]


def test_waiting_tells_how_it_ended_by_its_exit_code(
    terminal: Terminal, train: Path, desk: Desk
) -> None:
    terminal.type("push", str(train), "--again")
    terminal.type("push", str(train), "--again")
    desk.tick()
    desk.cluster.seen[ref(1)] = finished()
    desk.cluster.seen[ref(2)] = finished(Reason.EXITED_NONZERO, exit_code=3)
    settle_jobs(desk.settle(), [1, 2])
    assert "✔ job 1" in terminal.type("wait", "1")[0]
    said, _ = terminal.type("wait", "1", "2", code=1)
    assert "✘ job 2" in said
    assert "exit code 3" in said


def test_a_wait_that_is_over_says_so(terminal: Terminal, train: Path) -> None:
    terminal.type("push", str(train))
    assert "the time is over" in terminal.type("wait", "1", "--timeout", "1s", code=2)[1]


def test_without_a_server_it_says_how_to_start_one(terminal: Terminal) -> None:
    _, said = terminal.type("queue", code=3, url="")
    assert "sentinels up" in said
    _, said = terminal.type("queue", code=3, url="http://127.0.0.1:9")
    assert "no answer" in said


def test_a_token_that_is_nobodys_is_not_allowed(terminal: Terminal) -> None:
    _, said = terminal.type("login", terminal.url, code=5, said="not-a-token\n")
    assert said.startswith("error: ")


def test_a_login_is_kept_for_its_owner_alone(terminal: Terminal) -> None:
    terminal.type("login", terminal.url, said=f"{TOKEN}\n")
    kept = terminal.folder / ".config" / "sentinels" / "login.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    terminal.type("queue", url="")


def test_nothing_that_people_set_steers_the_terminal(
    terminal: Terminal, train: Path, desk: Desk
) -> None:
    terminal.type("push", str(train))
    poison = "a\x1b]0;owned\x07b\x1b[2Jc\u202ed\r"
    desk.change("UPDATE jobs SET name = :name, experiment = :name", name=poison)
    desk.change("UPDATE users SET name = :name", name=poison)
    for command in (["jobs"], ["queue"], ["status", "1"], ["history", "1"], ["history"]):
        said = terminal.type(*command)[0]
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said)
