"""``sentinels demo``: real experiments through the real thing, typed as a user would type them.

It runs in a data folder of its own, beside the usual one, and ends by itself; the results stay
there. Each example has the end that its jobs should come to; any other makes the demo fail. Comes
in: a data folder. Goes out: what a user would see, and an exit code. Next: ``cli``.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import typer

from sentinels.core.errors import InvalidRequest, Unavailable
from sentinels.local.home import Home
from sentinels.local.status_lines import StatusLines

_LIMIT_SECONDS = 300.0
_LEAST_COMMAND_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_METRIC = "accuracy"
_MARKS = {
    "queued": "·",
    "dispatched": "○",
    "running": "●",
    "succeeded": "✔",
    "failed": "✘",
    "cancelled": "■",
}
Job = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Example:
    """A folder of ``examples``, how many jobs it makes, how they should end, what it shows."""

    folder: str
    jobs: int
    state: str
    reason: str | None
    shows: str


EXAMPLES = (
    Example("digits", 6, "succeeded", None, "a sweep: six fits on the digits data"),
    Example("network", 1, "succeeded", None, "a neural network with a metric for every epoch"),
    Example("raises", 1, "failed", "exited_nonzero", "a script with a mistake"),
    Example("overtime", 1, "failed", "deadline_exceeded", "a script that would run for ever"),
)


def run(home: Path, *, keep: bool = False) -> None:
    """Show it all. Raises ``typer.Exit`` with code 1 where a job ends otherwise than it should.

    What was up before stays up, and so does what ``keep`` is for.
    """
    begin = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    shell = _Shell(home, deadline=begin + _LIMIT_SECONDS)
    stays = keep or Home(home).holder() is not None
    try:
        shell.start()
        wrong = _show(shell)
    finally:
        if not stays:
            shell.type("down")
    _say_where(home, shell.mlflow_url, stays=stays)
    typer.echo(f"\nThe demo took {time.monotonic() - begin:.0f} s.")
    if wrong:
        raise typer.Exit(1)


def _show(shell: _Shell) -> list[str]:
    newest = max((_id(job) for job in shell.ask_jobs(limit=1)), default=0)
    for example in EXAMPLES:
        folder = str(examples_folder() / example.folder)
        _headline(example.shows)
        shell.type("push", folder, "-c", f"{folder}/config.yaml")
    _headline("the queue drains as room becomes free on this machine")
    shell.type("queue", "--next", "5")
    jobs = _watch(shell, newest)
    wrong = wrong_ends(jobs)
    _look_back(shell, jobs)
    wrong += _show_best(shell, [job for job in jobs if job["experiment"] == "digits"])
    for sentence in wrong:
        typer.secho(f"✘ {sentence}", fg="red")
    if not wrong:
        typer.secho(f"\n✔ all {len(jobs)} jobs ended as they should", fg="green")
    return wrong


def _watch(shell: _Shell, newest: int) -> list[Job]:
    """Say how the jobs after ``newest`` are doing, until all have ended."""
    said = ""
    with shell.lines.waiting("waiting for the jobs to end"):
        while True:
            jobs = [job for job in shell.ask_jobs(limit=100) if _id(job) > newest]
            line = _tally(jobs)
            if line != said:
                shell.lines.say(f"  {line}")
                said = line
            if all(job["finished_at"] for job in jobs):
                return jobs
            shell.pause("the jobs")


def _tally(jobs: Sequence[Job]) -> str:
    counts = {state: sum(job["state"] == state for job in jobs) for state in _MARKS}
    bar = "".join(mark * counts[state] for state, mark in _MARKS.items())
    return f"{bar}  " + ", ".join(f"{count} {state}" for state, count in counts.items() if count)


def wrong_ends(jobs: Sequence[Job]) -> list[str]:
    """A sentence for each job that ended otherwise than it should, or that is missing."""
    wrong = []
    for example in EXAMPLES:
        its = [job for job in jobs if Path(str(job["image"])).name == example.folder]
        if len(its) != example.jobs:
            wrong.append(f"{example.folder} made {len(its)} jobs instead of {example.jobs}")
        wrong += [
            f"job {job['id']} {job['name']} should be {example.state}"
            f" ({example.reason or 'no reason'}), but is {job['state']} ({job['reason']})"
            for job in its
            if (job["state"], job["reason"]) != (example.state, example.reason)
        ]
    return wrong


def _look_back(shell: _Shell, jobs: Sequence[Job]) -> None:
    ids = {Path(str(job["image"])).name: str(_id(job)) for job in jobs}
    _headline("what became of them")
    shell.type("jobs", "--limit", str(len(jobs)))
    shell.type("status", ids["overtime"])
    shell.type("logs", ids["raises"])
    _headline("what Slack would be told")
    for folder in ("network", "raises", "overtime"):
        shell.type("notices", ids[folder])


def _show_best(shell: _Shell, jobs: Sequence[Job]) -> list[str]:
    """Show the run with the highest metric; a sentence where MLflow has none."""
    from sentinels.services.mlflow import MlflowTracker

    _headline(f"the best run, by its {_METRIC} in MLflow")
    by_run = {_page(job).rsplit("/", 1)[-1]: job for job in jobs if _page(job)}
    tracker = MlflowTracker(shell.mlflow_url)
    try:
        metrics = tracker.metrics(list(by_run))
    finally:
        tracker.close()
    reached = {run: found[_METRIC] for run, found in metrics.items() if _METRIC in found}
    if not reached:
        return [f"no run of these jobs has a metric {_METRIC} in MLflow"]
    run = max(reached, key=lambda each: reached[each])
    best = by_run[run]
    params = best["params"] if isinstance(best["params"], dict) else {}
    said = " ".join(f"{name}={value}" for name, value in params.items())
    typer.echo(f"job {best['id']} {best['name']} ({said}): {_METRIC} {reached[run]:.4f}")
    typer.echo(_page(best))
    shell.type("artifacts", str(_id(best)))
    return []


def _say_where(home: Path, mlflow_url: str, *, stays: bool) -> None:
    named, at = shlex.quote(str(home)), f"MLflow's pages are at {mlflow_url}"
    if stays:
        typer.echo(f"\nSentinels is still up, and {at}")
        typer.echo(f"Stop it: {_program()} down --home {named}")
    else:
        typer.echo(f"\nTo look at the runs, start it again; {at} then:")
        typer.echo(f"  {_program()} up --home {named}")


def examples_folder() -> Path:
    """The examples: beside the package in a wheel, at the top of the repository otherwise."""
    for folder in (Path(__file__).with_name("examples"), Path(__file__).parents[3] / "examples"):
        if folder.is_dir():
            return folder
    raise InvalidRequest("the examples are not installed", remedy="run it from a clone: make demo")


class _Shell:
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
                f"{what} took longer than the demo's {_LIMIT_SECONDS:.0f} s",
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


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _is_setting(name: str) -> bool:
    return name.startswith("SENTINELS_")


def _headline(text: str) -> None:
    typer.secho(f"\n# {text}", dim=True)


def _id(job: Job) -> int:
    return int(str(job["id"]))


def _page(job: Job) -> str:
    links = job["links"]
    return str(links.get("mlflow") or "") if isinstance(links, dict) else ""


def _program() -> str:
    """``sentinels``, or its path where a shell would not find it."""
    here = Path(sys.executable).with_name("sentinels")
    if shutil.which("sentinels") or not here.exists():
        return "sentinels"
    return shlex.quote(os.path.relpath(here) if here.is_relative_to(Path.cwd()) else str(here))
