"""``sentinels demo``: real experiments through the real thing, typed as a user would type them.

It runs in a data folder of its own, beside the usual one, and ends by itself; the results stay
there. Each example has the ends that its jobs should come to; any other end makes it fail. Comes
in: a data folder. Goes out: what a user would see, and an exit code. Next: ``cli``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from sentinels.core.errors import InvalidRequest, Unavailable

_LIMIT_SECONDS = 300.0
_LOOK_SECONDS = 1.0
_Job = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Example:
    """A folder of ``examples``, how its jobs should end, and what it shows."""

    folder: str
    state: str
    reason: str | None
    shows: str


EXAMPLES = (
    Example("digits", "succeeded", None, "a sweep: six fits on the digits data"),
    Example("network", "succeeded", None, "a neural network with a metric for every epoch"),
    Example("raises", "failed", "exited_nonzero", "a script with a mistake"),
    Example("overtime", "failed", "deadline_exceeded", "a script that would run for ever"),
)


def run(home: Path, *, keep: bool = False) -> None:
    """Show it all. Raises ``typer.Exit`` with code 1 where a job ends otherwise than it should."""
    begin = time.monotonic()
    shell = _Shell(home, deadline=begin + _LIMIT_SECONDS)
    shell.type("up", "--detach")
    shell.await_mlflow()
    try:
        good = _show(shell)
    finally:
        if not keep:
            shell.type("down")
    _say_where(home, keep=keep)
    typer.echo(f"\nThe demo took {time.monotonic() - begin:.0f} s.")
    if not good:
        raise typer.Exit(1)


def _show(shell: _Shell) -> bool:
    pushed: dict[int, Example] = {}
    for example in EXAMPLES:
        folder = examples_folder() / example.folder
        typer.secho(f"\n# {example.shows}", dim=True)
        answer = shell.type("push", str(folder), "-c", str(folder / "config.yaml"))
        pushed |= dict.fromkeys(answer, example)
    typer.secho("\n# the queue drains as room becomes free on this machine", dim=True)
    shell.type("queue", "--next", "5")
    jobs = _watch(shell, list(pushed))
    _look_back(shell, jobs, pushed)
    return _judge(jobs, pushed)


def _watch(shell: _Shell, ids: Sequence[int]) -> list[_Job]:
    said = ""
    while True:
        jobs = [job for job in shell.ask_jobs() if job["id"] in ids]
        line = _tally(jobs)
        if line != said:
            typer.echo(f"  {line}")
            said = line
        if all(job["finished_at"] for job in jobs):
            return jobs
        shell.pause()


def _tally(jobs: Sequence[_Job]) -> str:
    states = ("queued", "dispatched", "running", "succeeded", "failed", "cancelled")
    counts = {state: sum(job["state"] == state for job in jobs) for state in states}
    bar = "".join(mark * counts[state] for state, mark in zip(states, "·○●✔✘■", strict=True))
    return f"{bar}  " + ", ".join(f"{count} {state}" for state, count in counts.items() if count)


def _look_back(shell: _Shell, jobs: Sequence[_Job], pushed: Mapping[int, Example]) -> None:
    by_folder = {pushed[int(str(job["id"]))].folder: str(job["id"]) for job in jobs}
    typer.secho("\n# what became of them", dim=True)
    shell.type("jobs", "--limit", str(len(jobs)))
    shell.type("status", by_folder["overtime"])
    shell.type("logs", by_folder["raises"])
    typer.secho("\n# what Slack would be told", dim=True)
    shell.type("notices", "--limit", "4")
    typer.secho("\n# the best run, by its metric in MLflow", dim=True)
    best = shell.best_run([job for job in jobs if job["experiment"] == "digits"])
    if best is not None:
        shell.type("artifacts", best)


def _judge(jobs: Sequence[_Job], pushed: Mapping[int, Example]) -> bool:
    good = True
    for job in jobs:
        wanted = pushed[int(str(job["id"]))]
        if (job["state"], job["reason"]) != (wanted.state, wanted.reason):
            good = False
            typer.secho(
                f"✘ job {job['id']} {job['name']} should be {wanted.state}"
                f" ({wanted.reason or 'no reason'}), but is {job['state']} ({job['reason']})",
                fg="red",
            )
    if good:
        typer.secho(f"\n✔ all {len(jobs)} jobs ended as they should", fg="green")
    return good


def _say_where(home: Path, *, keep: bool) -> None:
    if keep:
        typer.echo(f"Sentinels is still up: SENTINELS_HOME={home} sentinels queue")
    else:
        typer.echo("\nTo look at the runs in MLflow's pages, start it again and open its address:")
        typer.echo(f"  sentinels up --home {home}")


def examples_folder() -> Path:
    """The examples: beside the package in a wheel, at the top of the repository otherwise."""
    for folder in (Path(__file__).with_name("examples"), Path(__file__).parents[3] / "examples"):
        if folder.is_dir():
            return folder
    raise InvalidRequest("the examples are not installed", remedy="run it from a clone: make demo")


class _Shell:
    """Types commands of ``sentinels``, shows them and what they print, all within one deadline."""

    def __init__(self, home: Path, *, deadline: float) -> None:
        self._environment = {**os.environ, "SENTINELS_HOME": str(home)}
        self._environment.pop("SENTINELS_URL", None)
        self._deadline = deadline
        self._server = home / "server.json"

    def type(self, *words: str) -> list[int]:
        """Run a command in sight; the ids it pushed, if it was a push."""
        typer.secho(f"\n$ sentinels {' '.join(map(_short, words))}", bold=True)
        done = self._run(*words)
        typer.echo(done.rstrip())
        if words[0] != "push":
            return []
        first, _, last = done.split()[1].partition("–")
        return list(range(int(first), int(last or first) + 1))

    def ask_jobs(self) -> list[_Job]:
        """All jobs, out of sight."""
        found: list[_Job] = json.loads(self._run("jobs", "--all", "-o", "json"))
        return found

    def await_mlflow(self) -> None:
        """Wait until MLflow answers, so that every run is seen from its start."""
        while "mlflow" in self._unhealthy():
            self.pause()

    def best_run(self, jobs: Sequence[_Job]) -> str | None:
        """Say which job reached the highest accuracy; its id."""
        from sentinels.services.mlflow import MlflowTracker

        tracker = MlflowTracker(str(json.loads(self._server.read_text())["mlflow_url"]))
        try:
            pages = {str(_link(job)).rsplit("/", 1)[-1]: job for job in jobs if _link(job)}
            metrics = tracker.metrics(list(pages))
        finally:
            tracker.close()
        ranked = sorted(metrics, key=lambda run: metrics[run].get("accuracy", 0.0), reverse=True)
        if not ranked:
            return None
        best = pages[ranked[0]]
        typer.echo(
            f"job {best['id']} {best['name']} {best['params']}:"
            f" accuracy {metrics[ranked[0]].get('accuracy', 0.0):.4f}\n{_link(best)}"
        )
        return str(best["id"])

    def pause(self) -> None:
        """Wait a moment. Raises ``Unavailable`` when the demo has taken too long."""
        if time.monotonic() > self._deadline:
            raise Unavailable(
                f"the demo did not end within {_LIMIT_SECONDS:.0f} s",
                remedy=f"see what is down: sentinels doctor, and {self._server.parent}/logs",
            )
        time.sleep(_LOOK_SECONDS)

    def _unhealthy(self) -> list[str]:
        answer = json.loads(self._run("doctor", "--json", good=(0, 3)))
        return [check["name"] for check in answer["checks"] if not check["ok"]]

    def _run(self, *words: str, good: Sequence[int] = (0,)) -> str:
        command = [sys.executable, "-c", "from sentinels.cli.main import run; run()", *words]
        done = subprocess.run(
            command,
            env=self._environment,
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
        if done.returncode not in good:
            raise Unavailable(f"`sentinels {' '.join(words)}` ended with {done.returncode}")
        return done.stdout


def _link(job: _Job) -> object:
    links = job["links"]
    return links.get("mlflow") if isinstance(links, dict) else None


def _short(word: str) -> str:
    examples = str(examples_folder().parent) + "/"
    return word.removeprefix(examples)
