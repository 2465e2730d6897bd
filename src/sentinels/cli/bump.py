"""``sentinels bump``: another priority for jobs that wait, once it was seen whom that delays.

Comes in: jobs and a class. Goes out: whose starts move by how much, a question, what was done.
Next: ``client``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from sentinels.cli.client import Client, Json
from sentinels.cli.show import (
    Column,
    Output,
    OutputOption,
    Row,
    note,
    on_terminal,
    rows,
    say,
    show_rows,
    show_value,
)
from sentinels.cli.times import to_the_minute
from sentinels.core.errors import InvalidRequest
from sentinels.core.quantity import about_duration

_SHOWN = 10


def bump(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[JOB...] PRIORITY", help="Ids, names or prefixes; then the class."),
    ],
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="NAME=VALUE", help="All with this label. Repeatable."),
    ] = None,
    sweep: Annotated[int | None, typer.Option(help="All of the sweep of this job.")] = None,
    user: Annotated[str | None, typer.Option(help="All of this user.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show whom it delays.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give waiting jobs another priority, higher or lower, and see first whom that delays.

    Whoever is delayed is told. Your own jobs, as a lead your team's, as an operator everybody's.
    """
    *jobs, priority = words
    body = {"priority": priority, **_which(jobs, label or [], sweep, user)}
    client, plain = Client(), output is Output.TABLE
    if not (yes or dry_run) and not (plain and on_terminal(sys.stdin)):
        raise InvalidRequest(
            "bump asks before it acts, and here is nobody to ask",
            remedy="do it without asking: -y    only see what it would do: --dry-run",
        )
    if dry_run or not yes:
        seen = client.post("/v1/bump", body, query={"dry_run": "true"})
        if not plain:
            show_value(seen, Output.YAML if output is Output.YAML else Output.JSON)
            return
        _tell(seen)
        if dry_run or not rows(seen, "jobs") or not typer.confirm("Do it?"):
            return
    done = client.post("/v1/bump", body)
    if not plain:
        show_value(done, Output.YAML if output is Output.YAML else Output.JSON)
        return
    if yes:
        _tell(done)
    ids = [str(job["job"]) for job in rows(done, "jobs")]
    if ids:
        say(f"{_counted(ids)} {'are' if len(ids) > 1 else 'is'} {priority} now")


def _which(jobs: Sequence[str], labels: Sequence[str], sweep: int | None, user: str | None) -> Json:
    named = {"jobs": [*jobs], "labels": _labels(labels), "sweep": sweep, "user": user}
    given: Json = {key: value for key, value in named.items() if value}
    if len(given) != 1:
        what = "which jobs is not said" if not given else f"{' and '.join(given)} are too much"
        raise InvalidRequest(
            what, remedy="name jobs, or one of --label, --sweep, --user: sentinels bump 12 urgent"
        )
    return given


def _labels(given: Sequence[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    for name, sign, _ in pairs:
        if not name or not sign:
            raise InvalidRequest(f"--label {name} has no value", remedy="as in --label ticket=ML-1")
    return {name: value for name, _, value in pairs}


def _tell(seen: Row) -> None:
    jobs, left = rows(seen, "jobs"), rows(seen, "left")
    bumped = (
        f"job {job['job']} {job['name']}: {job['was']} → {seen['priority']}{_moves(job)}"
        for job in jobs
    )
    for line in _first([*bumped]):
        say(line)
    for line in _first([f"job {each['job']} {each['why']}" for each in left]):
        note(line)
    if not jobs:
        return
    if seen.get("unforeseen"):
        note(f"of {seen['unforeseen']} of them nobody can say when they start, nor whom they delay")
    delayed, count = rows(seen, "delayed"), seen.get("delayed_count")
    if not delayed:
        say("it delays nobody by a minute or more, as far as can be foreseen")
        return
    say(f"it delays {count} {'jobs' if count != 1 else 'job'}:")
    show_rows(delayed[:_SHOWN], _DELAYED, Output.TABLE, empty="")
    if len(delayed) > _SHOWN:
        say(f"… and {int(str(count)) - _SHOWN} more")


def _first(lines: Sequence[str]) -> Sequence[str]:
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], f"… and {more} more"] if more > 0 else lines


def _moves(job: Row) -> str:
    before, after = to_the_minute(job["starts_before"]), to_the_minute(job["starts_after"])
    if not after:
        return ""
    instead = "" if before == after else f" instead of {before or 'later than can be foreseen'}"
    return f", starts about {after}{instead}"


def _counted(ids: Sequence[str]) -> str:
    if len(ids) > _SHOWN:
        return f"{len(ids)} jobs"
    return f"job{'s' if len(ids) > 1 else ''} {', '.join(ids)}"


def _later(row: Row) -> str:
    seconds = row.get("seconds")
    return about_duration(seconds) if isinstance(seconds, int) else "without end in sight"


_DELAYED = (
    Column("JOB", lambda row: row["job"], right=True),
    Column("OWNER", lambda row: row["user"]),
    Column("TEAM", lambda row: row["team"]),
    Column("STARTS", lambda row: to_the_minute(row["starts_after"])),
    Column("INSTEAD OF", lambda row: to_the_minute(row["starts_before"])),
    Column("LATER BY", _later, right=True),
)
