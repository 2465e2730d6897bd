"""Types commands of ``sentinels`` for the demo, and shows them with what they print.

Comes in: words. Goes out: what a person sees, or an answer as data. Before: ``demo``. Next:
``cli``.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from sentinels.core.errors import InvalidRequest, Unavailable
from sentinels.local.home import Home
from sentinels.local.status_lines import StatusLines

LIMIT_SECONDS = 300.0
_LEAST_COMMAND_SECONDS = 160.0
_LOOK_SECONDS = 0.5
Job = Mapping[str, object]


def examples_folder() -> Path:
    """The examples: beside the package in a wheel, at the top of the repository otherwise."""
    for folder in (Path(__file__).with_name("examples"), Path(__file__).parents[3] / "examples"):
        if folder.is_dir():
            return folder
    raise InvalidRequest("the examples are not installed", remedy="run it from a clone: make demo")


class Shell:
    """Types commands of ``sentinels``, in sight or out of it, all within one deadline.

    They see no setting of Sentinels that this process has: the demo speaks to no other server,
    whoever is logged in to one, and to nobody's Slack.
    """

    def __init__(self, home: Path, *, deadline: float) -> None:
        own = {name: value for name, value in os.environ.items() if not _is_setting(name)}
        self._environment = {**own, "SENTINELS_HOME": str(home)}
        self._home = Home(home)
        self._deadline = deadline
        self.lines = StatusLines()
        self.mlflow_url = ""

    def start(self) -> None:
        """Bring it up and wait for MLflow too, so that every run is seen from its start."""
        self.type("up", "--detach")
        server = self._home.read_server()
        if server is None:
            raise Unavailable("Sentinels did not stay up", remedy=f"see {self._home.logs}")
        if not server.mlflow_url:
            raise InvalidRequest(
                f"Sentinels is up in {self._home.path} without MLflow, which the demo shows",
                remedy=f"stop it first: sentinels down --home {self._home.path}",
            )
        self._environment |= {"SENTINELS_URL": server.url, "SENTINELS_TOKEN": server.token}
        self.mlflow_url = server.mlflow_url
        with self.lines.waiting("waiting for MLflow"):
            while "mlflow" in self._unhealthy():
                self.pause("MLflow's start")

    def type(self, *words: str) -> None:
        """Run a command in sight. Raises ``Unavailable`` where it fails."""
        above = f"{examples_folder().parent}/"
        shown = shlex.join(word.removeprefix(above) for word in words)
        typer.secho(f"\n$ sentinels {shown}", bold=True)
        self._run(words, stdout=None)

    def ask_jobs(self, *, limit: int) -> list[Job]:
        """The newest jobs, out of sight."""
        found: list[Job] = json.loads(self._ask("jobs", "--limit", str(limit), "-o", "json"))
        return found

    def pause(self, what: str) -> None:
        """Wait a moment for ``what``. Raises ``Unavailable`` when the demo has taken too long."""
        if time.monotonic() > self._deadline:
            raise Unavailable(
                f"{what} took longer than the demo's {LIMIT_SECONDS:.0f} s",
                remedy=f"see {self._home.logs}",
            )
        time.sleep(_LOOK_SECONDS)

    def _unhealthy(self) -> list[str]:
        answer = json.loads(self._ask("doctor", "--json", good=(0, 3)))
        return [check["name"] for check in answer["checks"] if not check["ok"]]

    def _ask(self, *words: str, good: Sequence[int] = (0,)) -> str:
        return self._run(words, stdout=subprocess.PIPE, good=good)

    def _run(self, words: Sequence[str], *, stdout: int | None, good: Sequence[int] = (0,)) -> str:
        command = [sys.executable, "-P", "-c", "from sentinels.cli.main import run; run()", *words]
        left = max(_LEAST_COMMAND_SECONDS, self._deadline - time.monotonic())
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                text=True,
                timeout=left,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"`sentinels {words[0]}` did not end within {left:.0f} s") from error
        if done.returncode not in good:
            raise Unavailable(f"`sentinels {words[0]}` ended with exit code {done.returncode}")
        return done.stdout or ""


def _is_setting(name: str) -> bool:
    return name.startswith("SENTINELS_")
