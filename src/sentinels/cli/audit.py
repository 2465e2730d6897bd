"""``sentinels audit``: who changed what. Next: ``show``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client, job_path
from sentinels.cli.show import Column, Output, OutputOption, Row, mapping, note, rows, show_rows
from sentinels.cli.times import local

_MOST = 500


def audit(
    since: Annotated[
        str | None, typer.Option(help="So long ago, as in 7d, or a date or time.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="Only what this user did.")] = None,
    job: Annotated[str | None, typer.Option(help="Only what was done to this job.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=_MOST, help="So many.")] = 50,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show who changed what, newest first: for leads of their team, for operators of all."""
    client = Client()
    query: dict[str, object] = {"since": since, "user": user, "limit": limit}
    if job is not None:
        query["job"] = client.get(job_path(job))["id"]
    answer = client.get("/v1/audit", query)
    show_rows(rows(answer, "audit"), COLUMNS, output, empty="Nothing was changed.")
    if answer.get("next_cursor") and output in (Output.TABLE, Output.WIDE):
        note(f"there is more: --limit up to {_MOST}, or --since")


def _detail(deed: Row) -> str:
    found = mapping(deed.get("detail"))
    return " ".join(f"{key}={value}" for key, value in found.items() if value not in (None, ""))


COLUMNS = (
    Column("AT", lambda deed: local(deed["at"])),
    Column("WHO", lambda deed: deed["actor"], name="actor"),
    Column("DID", lambda deed: deed["act"], name="act"),
    Column("TEAM", lambda deed: deed["team"]),
    Column("JOB", lambda deed: deed["job"], right=True),
    Column("TO", lambda deed: deed["subject"], name="subject"),
    Column("DETAIL", _detail),
)
