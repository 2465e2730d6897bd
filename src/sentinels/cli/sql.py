"""``sentinels sql``: a question in SQL, or what may be asked. Next: ``answers``, ``client``."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sentinels.cli.answers import show_answer
from sentinels.cli.client import Client
from sentinels.cli.problems import report
from sentinels.cli.show import (
    Column,
    Output,
    OutputOption,
    Row,
    room,
    rows,
    say,
    show_rows,
    show_value,
)
from sentinels.cli.width import width
from sentinels.core.errors import InvalidQuery, InvalidRequest, NotFound
from sentinels.core.text import printable

EXAMPLE = 'sentinels sql "SELECT state, count(*) FROM v_jobs GROUP BY state"'
_LONGEST = 200_000

COLUMNS = (
    Column("COLUMN", lambda column: column["name"]),
    Column("TYPE", lambda column: column["type"]),
    Column("WHAT", lambda column: column["about"]),
)
_ALL = (Column("VIEW", lambda column: column["view"]), *COLUMNS)


def sql(
    query: Annotated[
        str | None, typer.Argument(metavar="QUERY", help="One query; with --views a view's name.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", help="Read it here; - is standard input.")
    ] = None,
    views: Annotated[
        bool, typer.Option("--views", help="Show what may be asked: views and their columns.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask one query over the public views. Without a query: show what may be asked.

    It changes nothing, takes ten seconds at most, and brings 10,000 rows at most.
    """
    if file is not None and query is not None:
        raise InvalidRequest("there is a query and a file", remedy="give one of them")
    text = query if file is None else _read(file)
    if views or text is None:
        _show_views(text, output)
        return
    try:
        answer = Client().post("/v1/sql", {"query": text})
    except InvalidQuery as error:
        place = marked(text, error.position) if error.position else ()
        raise typer.Exit(report(error, excerpt=place)) from error
    show_answer(answer, output, empty="There are no such rows.")


def marked(query: str, position: int) -> Sequence[str]:
    """The line of a query with the character at ``position``, counted from 1, pointed at."""
    before, after = query[: position - 1], query[position - 1 :]
    number = before.count("\n") + 1
    head = f"line {number}: " if "\n" in query.strip() else ""
    left, right = before.rpartition("\n")[2], after.partition("\n")[0]
    space = max(20, room() - len(head) - 2)
    left = printable(left.expandtabs(1))[-(space - 10) :].lstrip()
    right = printable(right.expandtabs(1))[: space - len(left)]
    return (f"  {head}{left}{right}", f"  {' ' * (len(head) + width(left))}^")


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.read(_LONGEST)
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InvalidRequest(f"{file} cannot be read: {why}") from error


def _show_views(name: str | None, output: Output) -> None:
    found = rows(Client().get("/v1/sql"), "views")
    if name is not None:
        found = [view for view in found if view["name"] == name]
        if not found:
            raise NotFound(f"there is no view {name}", remedy="see: sentinels sql --views")
    if output in (Output.JSON, Output.YAML):
        show_value(found, output)
    elif output is Output.CSV:
        columns = [{"view": view["name"], **each} for view in found for each in _columns(view)]
        show_rows(columns, _ALL, output, empty="")
    elif name is not None:
        say(f"{name}  {found[0]['about']}")
        show_rows(_columns(found[0]), COLUMNS, output, empty="")
    else:
        _list(found)


def _list(found: Sequence[Row]) -> None:
    for view in found:
        say(f"{view['name']}  {_about(view)}")
        listed = ", ".join(str(column["name"]) for column in _columns(view))
        for line in textwrap.wrap(listed, max(40, min(room(), 100) - 4)):
            say(f"    {line}")
    say()
    say("What a view's columns mean: sentinels sql --views v_jobs")
    say(f"Ask, as in: {EXAMPLE}")


def _about(view: Row) -> str:
    """Without its version, which is for programs."""
    return str(view["about"]).partition(" Version ")[0]


def _columns(view: Row) -> list[Row]:
    return rows(view, "columns")
