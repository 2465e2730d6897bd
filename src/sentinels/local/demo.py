"""``sentinels demo``: real experiments through the real thing, typed as a user would type them.

It runs in a data folder of its own, beside the usual one, and ends by itself; the results stay
there. Each example has the end that its jobs should come to; any other makes the demo fail. Comes
in: a data folder. Goes out: what a user would see, and an exit code. Next: ``demo_shell``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import typer

from sentinels.local.demo_shell import LIMIT_SECONDS, Job, Shell, examples_folder
from sentinels.local.home import Home

_METRIC = "accuracy"
_MARKS = {
    "queued": "·",
    "dispatched": "○",
    "running": "●",
    "succeeded": "✔",
    "failed": "✘",
    "cancelled": "■",
}


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
    shell = Shell(home, deadline=begin + LIMIT_SECONDS)
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


def _show(shell: Shell) -> list[str]:
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
    if wrong:
        _say_wrong(shell, jobs, wrong)
    else:
        typer.secho(f"\n✔ all {len(jobs)} jobs ended as they should", fg="green")
    return wrong


def _watch(shell: Shell, newest: int) -> list[Job]:
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
        its = [job for job in jobs if _folder(job) == example.folder]
        if len(its) != example.jobs:
            wrong.append(f"{example.folder} made {len(its)} jobs instead of {example.jobs}")
        wrong += [
            f"job {job['id']} {job['name']} should be {example.state}"
            f" ({example.reason or 'no reason'}), but is {job['state']} ({job['reason']})"
            for job in its
            if not _is_right(job)
        ]
    return wrong


def _is_right(job: Job) -> bool:
    ends = {example.folder: (example.state, example.reason) for example in EXAMPLES}
    return (job["state"], job["reason"]) == ends.get(_folder(job))


def _say_wrong(shell: Shell, jobs: Sequence[Job], wrong: Sequence[str]) -> None:
    _headline("what is not as it should be, and the first such job's last lines")
    for sentence in wrong:
        typer.secho(f"✘ {sentence}", fg="red")
    first = next((job for job in jobs if not _is_right(job)), None)
    if first is not None:
        shell.type("logs", str(_id(first)), "--tail", "20")


def _look_back(shell: Shell, jobs: Sequence[Job]) -> None:
    ids = {_folder(job): str(_id(job)) for job in jobs}
    _headline("what became of them")
    shell.type("jobs", "--limit", str(len(jobs)))
    shell.type("status", ids["overtime"])
    shell.type("logs", ids["raises"])
    _headline("what Slack would be told")
    for folder in ("network", "raises", "overtime"):
        shell.type("notices", ids[folder])


def _show_best(shell: Shell, jobs: Sequence[Job]) -> list[str]:
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


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _headline(text: str) -> None:
    typer.secho(f"\n# {text}", dim=True)


def _id(job: Job) -> int:
    return int(str(job["id"]))


def _folder(job: Job) -> str:
    return Path(str(job["image"])).name


def _page(job: Job) -> str:
    links = job["links"]
    return str(links.get("mlflow") or "") if isinstance(links, dict) else ""


def _program() -> str:
    """``sentinels``, or its path where a shell would not find it."""
    here = Path(sys.executable).with_name("sentinels")
    if shutil.which("sentinels") or not here.exists():
        return "sentinels"
    return shlex.quote(os.path.relpath(here) if here.is_relative_to(Path.cwd()) else str(here))
