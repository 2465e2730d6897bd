"""``sentinels jobs``: the list, newest first. Next: ``listing``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client
from sentinels.cli.listing import JOBS, folded
from sentinels.cli.show import Output, OutputOption, Row, note, rows, show_rows

_PAGE = 100


def jobs(
    state: Annotated[
        list[str] | None, typer.Option("--state", "-s", help="Only in this state. Repeatable.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only of this name.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Only of this experiment.")] = None,
    user: Annotated[str | None, typer.Option(help="Only of this user.")] = None,
    team: Annotated[
        str | None, typer.Option(help="Only of this team; operators see every team's.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Only with this label, as in ticket=ML-12.")
    ] = None,
    sweep: Annotated[int | None, typer.Option(help="Only of the sweep of this job.")] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Every job, not one line for each sweep.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    all_: Annotated[bool, typer.Option("--all", help="All of them, however many.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List jobs, newest first."""
    wanted: dict[str, object] = {
        "state": state,
        "name": name,
        "experiment": experiment,
        "user": user,
        "team": team,
        "label": label,
        "sweep": sweep,
    }
    query = {key: value for key, value in wanted.items() if value is not None}
    if sweep is None and not each and output in (Output.TABLE, Output.WIDE):
        query["fold"] = "true"
    found, more = collect(Client(), query, limit=None if all_ else limit)
    show_rows(found, JOBS, output, empty="There are no such jobs.")
    if more and output in (Output.TABLE, Output.WIDE):
        note("there are more: --limit N or --all")


def collect(
    client: Client, query: dict[str, object], *, limit: int | None
) -> tuple[list[Row], bool]:
    """The jobs that fit, page by page; and whether there are more."""
    found: list[Row] = []
    cursor: object = None
    while True:
        left = _PAGE if limit is None else min(_PAGE, limit - len(found))
        answer = client.get("/v1/jobs", {**query, "limit": left, "cursor": cursor})
        found += folded(rows(answer, "jobs"), answer)
        cursor = answer.get("next_cursor")
        if cursor is None or (limit is not None and len(found) >= limit):
            return found, cursor is not None
