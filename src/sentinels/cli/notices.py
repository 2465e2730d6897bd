"""``sentinels notices``: what people were told, or would have been. Next: ``show``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.cli.client import Client, job_path
from sentinels.cli.show import Column, Output, OutputOption, Row, rows, say, show_rows
from sentinels.cli.status import JobArgument
from sentinels.cli.times import local

_STATES = {
    "kept": "kept: no messenger is set up",
    "pending": "not delivered yet",
    "failed": "could not be delivered",
    "delivered": "delivered",
}

COLUMNS = (
    Column("AT", lambda notice: local(notice["created_at"])),
    Column("JOB", lambda notice: notice["job"], right=True),
    Column("KIND", lambda notice: notice["kind"]),
    Column("TO", lambda notice: notice["channel"]),
    Column("STATE", lambda notice: notice["state"]),
    Column("TEXT", lambda notice: notice["text"]),
)


def notices(
    job: JobArgument = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what people were told, newest first; without Slack, what they would have been told."""
    client = Client()
    query: dict[str, object] = {"limit": limit}
    if job is not None:
        query["job"] = client.get(job_path(job))["id"]
    found = rows(client.get("/v1/notices", query), "notices")
    if output is Output.TABLE and found:
        for notice in found:
            _tell(notice)
    else:
        show_rows(found, COLUMNS, output, empty="Nobody was told anything yet.")


def _tell(notice: Row) -> None:
    how = _STATES.get(str(notice["state"]), str(notice["state"]))
    channel = f" to {notice['channel']}" if notice.get("channel") else ""
    error = f" ({notice['error']})" if notice.get("error") else ""
    say(f"{local(notice['created_at'])}{channel} · {how}{error}")
    for line in str(notice["text"]).splitlines():
        say(f"  {line}")
