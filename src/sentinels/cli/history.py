"""``sentinels history``: a job's story, or the jobs that have ended. Next: ``listing``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client, job_path
from sentinels.cli.jobs import collect
from sentinels.cli.listing import ENDED
from sentinels.cli.show import Column, Output, OutputOption, Row, rows, show_rows
from sentinels.cli.status import JobArgument
from sentinels.cli.times import local


def _move(event: Row) -> str:
    begun = f"{event['from']} → " if event.get("from") else ""
    return f"{begun}{event['to']}"


def _reason(event: Row) -> str:
    return str(event.get("reason") or "").replace("_", " ")


EVENTS = (
    Column("AT", lambda event: local(event["at"])),
    Column("MOVE", _move),
    Column("ATTEMPT", lambda event: event["attempt"] or None, right=True),
    Column("BY", lambda event: event["actor"]),
    Column("REASON", _reason),
    Column("DETAIL", lambda event: event.get("detail")),
)


def history(
    job: JobArgument = None,
    experiment: Annotated[str | None, typer.Option(help="Only of this experiment.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tell a job's story: each move, when, by whom, why. Without a job: those that have ended."""
    client = Client()
    if job is not None:
        found = rows(client.get(job_path(job, "events")), "events")
        show_rows(found, EVENTS, output, empty="Nothing has happened.")
        return
    query: dict[str, object] = {"state": ["succeeded", "failed", "cancelled"]}
    if experiment is not None:
        query["experiment"] = experiment
    ended, _ = collect(client, query, limit=limit)
    show_rows(ended, ENDED, output, empty="No job has ended yet.")
