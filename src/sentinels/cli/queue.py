"""``sentinels queue``: who is next, who runs, what is free. Next: ``listing``."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from sentinels.cli.client import Client, Json, Patience
from sentinels.cli.listing import WAITING, folded, running_on, waiting_of
from sentinels.cli.nodes import free_line
from sentinels.cli.show import (
    Output,
    OutputOption,
    Row,
    clear_screen,
    note,
    rows,
    say,
    show_rows,
    show_value,
)
from sentinels.core.errors import Unavailable

_EVERY_SECONDS = 2.0


def queue(
    next_: Annotated[
        int, typer.Option("--next", "-n", min=1, max=500, help="How many waiting jobs to show.")
    ] = 20,
    team: Annotated[
        str | None, typer.Option(help="Only this team's; operators see every team's.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again and again.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show who is next, who runs, and what is free."""
    client = Client()
    fold = "true" if output in (Output.TABLE, Output.WIDE) else None
    query = {"limit": next_, "team": team, "fold": fold}
    if not watch:
        _show(client.get("/v1/queue", query), output)
        return
    patience = Patience()
    while True:
        try:
            answer = client.get("/v1/queue", query)
        except Unavailable as trouble:
            if patience.bear(trouble):
                note(f"{trouble}; trying again …")
            continue
        patience.over()
        clear_screen()
        _show(answer, output)
        time.sleep(_EVERY_SECONDS)


def _show(answer: Json, output: Output) -> None:
    if output in (Output.JSON, Output.YAML):
        show_value(answer, output)
        return
    waiting = folded(rows(answer, "waiting"), answer)
    show_rows(waiting, WAITING, output, empty="Nothing waits.")
    if output is Output.CSV:
        return
    total = answer.get("total")
    if isinstance(total, int) and total > _told(waiting):
        say(f"… and {total - _told(waiting)} more (sentinels queue --next {min(total, 500)})")
    running = rows(answer, "running")
    say()
    nodes = rows(answer, "nodes")
    show_rows(running, running_on(nodes), output, empty="Nothing runs.")
    say()
    for node in nodes:
        say(free_line(node))
    conditions = answer.get("conditions")
    for line in conditions if isinstance(conditions, list) else ():
        say(f"! {line}")


def _told(waiting: list[Row]) -> int:
    return sum(map(waiting_of, waiting))
