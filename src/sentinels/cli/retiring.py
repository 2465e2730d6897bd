"""``sentinels nodes retire``: take a node out of service, and see it become empty.

Comes in: a node's name. Goes out: what is still on it and until when, which waiting jobs would miss
it, and, with ``--wait``, word that it is empty. Before: ``nodes``. Next: ``following``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import quote

import typer

from sentinels.cli.client import Client, Json, Patience
from sentinels.cli.following import live_line
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
from sentinels.cli.times import local
from sentinels.cli.words import needs
from sentinels.core.errors import InvalidRequest, NotFound, Unavailable

EXAMPLES = "sentinels nodes retire gpu-7 --wait"
_EVERY_SECONDS = 2.0


def retire(
    node: Annotated[str, typer.Argument(metavar="NODE", help="Its name, as in sentinels nodes.")],
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Return when nothing of ours is on it.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Give it work again.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give a node no new work, and see what is still on it.

    What runs there goes on to its end: nothing is stopped. A retired node stays so until --undo.
    """
    if wait and undo:
        raise InvalidRequest("--wait and --undo together make no sense", remedy="leave one out")
    client = Client()
    found = client.post(f"{_path(node)}/retire", {"undo": undo})
    if wait and output is not Output.TABLE:
        found = _until_empty(client, node, found, aside=True)
    if output is not Output.TABLE:
        show_value(found, Output.YAML if output is Output.YAML else Output.JSON)
    elif undo:
        say(f"node {node} is given work again from the next pass on")
    else:
        _tell(node, found, waits=wait)
        if wait:
            _until_empty(client, node, found, aside=False)


def _path(node: str) -> str:
    return f"/v1/nodes/{quote(node, safe='')}"


def _tell(node: str, found: Json, *, waits: bool) -> None:
    say(f"node {node} takes no new work from the next pass on")
    running, stranded = rows(found, "running"), rows(found, "stranded")
    if running:
        say("still running there:")
        show_rows(running, _RUNNING, Output.TABLE, empty="")
    if stranded:
        say("these waiting jobs fit no other node that takes work:")
        show_rows(stranded, _STRANDED, Output.TABLE, empty="")
    if not waits:
        say(_standing(node, found))
        say(
            f"  when it is empty: sentinels nodes retire {node} --wait"
            f"    open it again: sentinels nodes retire {node} --undo"
        )


def _standing(node: str, found: Json) -> str:
    if found.get("empty"):
        return f"node {node} is empty: nothing of ours is on it, and nothing comes to it"
    running, launching = len(rows(found, "running")), len(rows(found, "launching"))
    left = [f"{running} running"] if running else []
    if launching:
        left.append(f"{launching} launched and not seen on any node yet")
    if not found.get("closed"):
        left.append("the next pass closes it")
    return f"node {node} is not empty yet: {', '.join(left)}"


def _until_empty(client: Client, node: str, first: Json, *, aside: bool) -> Json:
    """Return when nothing of ours is on the node nor can come to it; the last answer."""
    found, before = first, None
    try:
        with live_line(aside=aside) as tell:
            for found in _looks(client, node, first):
                coming = {_attempt(row) for row in rows(found, "launching")}
                if found.get("closed") and before is None:
                    # Nothing is sent to it any more: what is launched from now on goes elsewhere.
                    before = coming
                if before is not None and not (before & coming or rows(found, "running")):
                    break
                tell(_standing(node, found))
    except KeyboardInterrupt:
        if on_terminal(sys.stderr):
            note("")  # what the terminal shows of Ctrl-C stands on a line of its own
        note(f"node {node} stays retired; open it again: sentinels nodes retire {node} --undo")
        raise
    (note if aside else say)(f"node {node} is empty")
    return {**found, "empty": True}


def _looks(client: Client, node: str, first: Json) -> Iterator[Json]:
    """The node again and again, for as long as there is one."""
    yield first
    patience = Patience()
    while True:
        time.sleep(_EVERY_SECONDS)
        try:
            found = client.get(_path(node))
        except NotFound:
            note(f"node {node} is gone from the cluster")
            return
        except Unavailable as trouble:
            if patience.bear(trouble):
                note(f"{trouble}; trying again …")
            continue
        patience.over()
        yield found


def _attempt(row: Row) -> tuple[object, object]:
    return row.get("job"), row.get("attempt")


def _ends(row: Row) -> str:
    return local(row.get("ends_by")) or "no time limit"


_RUNNING = (
    Column("JOB", lambda row: row["job"], right=True),
    Column("OWNER", lambda row: row["user"]),
    Column("TEAM", lambda row: row["team"]),
    Column("STARTED", lambda row: local(row["started_at"])),
    Column("ENDS BY", _ends),
)
_STRANDED = (
    Column("JOB", lambda row: row["job"], right=True),
    Column("WAITING", lambda row: row["waiting"], right=True),
    Column("TEAM", lambda row: row["team"]),
    Column("NEEDS", needs),
    Column("WHY", lambda row: row["why"]),
)
