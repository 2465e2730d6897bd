"""The one-machine mode as a person has it: the ``sentinels`` command and a data folder of its own.

Whatever a test starts is gone after it, also when the test failed.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

from sentinels.db import migrate
from sentinels.local.postgres import EmbeddedPostgres

COMMAND_SECONDS = 120
WAIT_SECONDS = 40


def await_true(condition: Callable[[], object], *, seconds: float = WAIT_SECONDS) -> None:
    """Return when the condition holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {condition.__qualname__}"
        time.sleep(0.05)


def kill(processes: Iterable[psutil.Process]) -> None:
    """Send SIGKILL to each that is still there."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@dataclass
class OneMachine:
    """A data folder, the command that works on it, and what runs because of it."""

    home: Path
    command: list[str] = field(
        default_factory=lambda: [str(Path(sys.executable).with_name("sentinels"))]
    )
    env: dict[str, str] = field(default_factory=dict)
    user: str | None = None

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in the foreground; it is ended with the test."""
        return subprocess.Popen(
            [*self.command, *arguments],
            env={**os.environ, "COLUMNS": "200", "SENTINELS_HOME": str(self.home), **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            user=self.user,
            group=group_of(self.user),
            extra_groups=[] if self.user else None,
        )

    def run(self, *arguments: str, code: int = 0, seconds: float = COMMAND_SECONDS) -> str:
        """Run a command to its end; it must exit with ``code``. Return all that it said."""
        with self.popen(*arguments) as process:
            try:
                said, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode == code, said
        return said

    def up(self, *options: str) -> str:
        """Start it in the background, without MLflow where the options do not want it."""
        return self.run("up", "--detach", "--tick", "1", *options)

    @property
    def server(self) -> dict[str, object]:
        """What ``up`` wrote for the CLI."""
        found = json.loads((self.home / "server.json").read_text())
        assert isinstance(found, dict)
        return found

    @property
    def supervisor(self) -> psutil.Process:
        """The process that supervises the parts."""
        pid = self.server["pid"]
        assert isinstance(pid, int)
        return psutil.Process(pid)

    def part(self, name: str) -> psutil.Process | None:
        """The process of one part that the supervisor has running."""
        children = self.supervisor.children()
        return next((child for child in children if _part_name(child) == name), None)

    def answers(self, path: str = "/readyz") -> bool:
        """Whether submit is there and says that it is ready."""
        connection = HTTPConnection(str(self.server["url"]).removeprefix("http://"), timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def processes(self) -> list[psutil.Process]:
        """Every process that works in the folder or was started for it."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        home = str(self.home)
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            marks = [*process.cmdline(), process.cwd(), process.environ().get("SENTINELS_HOME", "")]
        except psutil.Error:
            return False
        return any(home in mark for mark in marks)

    def end(self) -> None:
        """Leave nothing running, whatever state the test left it in."""

        def nothing_runs() -> bool:
            left = self.processes()
            kill(left)
            return not left

        await_true(nothing_runs)


def _part_name(process: psutil.Process) -> str:
    try:
        line = process.cmdline()
    except psutil.Error:
        return ""
    if "sentinels.local.child" not in line:  # between its fork and its exec
        return ""
    module = line[line.index("sentinels.local.child") + 2]
    return line[line.index("--target") + 1] if "--target" in line else module


def group_of(user: str | None) -> str | None:
    """The group that ``subprocess`` should take beside ``user``."""
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name if user else None


@pytest.fixture
def fresh_machine(short_tmp: Path) -> Iterator[OneMachine]:
    """A machine on which Sentinels has never run."""
    yield from _ending(OneMachine(short_tmp / "home"))


@pytest.fixture(scope="session")
def used_home() -> Iterator[Path]:
    """A data folder with a database that is up to date; nothing of it runs."""
    folder = Path(tempfile.mkdtemp(prefix="sen-"))
    folder.chmod(0o755)
    postgres = EmbeddedPostgres(folder / "home")
    try:
        postgres.start()
        postgres.ensure_database("sentinels")
        migrate.upgrade(postgres.url("sentinels"))
        postgres.stop()
        yield folder / "home"
    finally:
        postgres.stop()
        shutil.rmtree(folder)


@pytest.fixture
def machine(short_tmp: Path, used_home: Path) -> Iterator[OneMachine]:
    """A machine on which Sentinels ran before and is down: its next ``up`` is a quick one."""
    yield from _ending(_copy(used_home, short_tmp))


@pytest.fixture(scope="module")
def _one_machine(used_home: Path) -> Iterator[OneMachine]:
    folder = Path(tempfile.mkdtemp(prefix="sen-"))
    folder.chmod(0o755)
    try:
        yield from _ending(_copy(used_home, folder))
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def running(_one_machine: OneMachine) -> OneMachine:
    """A machine on which Sentinels is up without MLflow; a test leaves it in any state."""
    _one_machine.up("--no-mlflow")
    return _one_machine


def _copy(used_home: Path, folder: Path) -> OneMachine:
    subprocess.run(["cp", "-a", str(used_home), str(folder)], check=True, timeout=30)
    return OneMachine(folder / "home")


def _ending(machine: OneMachine) -> Iterator[OneMachine]:
    try:
        yield machine
    finally:
        machine.end()
