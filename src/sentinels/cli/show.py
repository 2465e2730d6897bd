"""Answers as people or programs want them: tables, JSON, YAML, CSV; every string made safe.

Comes in: rows of JSON and a table of columns. Goes out: text on standard output. Before: the
commands. Next: ``times``, ``width``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, TextIO

import typer

from sentinels.cli.width import cropped, padded, width
from sentinels.core.text import printable

Row = Mapping[str, object]


class Output(StrEnum):
    """What ``-o`` takes."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


OutputOption = Annotated[
    Output, typer.Option("-o", "--output", help="How to print it.", case_sensitive=False)
]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, and a row's text in it. ``wide`` ones are left out of the table, and
    so are ``telling`` ones that say the same in every row.

    ``name`` is what CSV calls it where that is not its title in small letters.
    """

    title: str
    text: Callable[[Row], object]
    wide: bool = False
    telling: bool = False
    right: bool = False
    name: str | None = None


_GAP = "  "
_READABLE = 12
_COLOURS = {
    "succeeded": "32",
    "running": "36",
    "dispatched": "36",
    "failed": "31",
    "cancelled": "33",
}


def rows(answer: Mapping[str, object], key: str) -> list[Row]:
    """The list under a key of an answer."""
    found = answer.get(key)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def mapping(value: object) -> Row:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def show_rows(
    found: Sequence[Row], columns: Sequence[Column], output: Output, *, empty: str
) -> None:
    """Print a listing; ``empty`` is said instead of a table without rows."""
    if output in (Output.JSON, Output.YAML):
        show_value(list(found), output)
    elif output is Output.CSV:
        _show_csv(found, columns)
    elif not found:
        say(empty)
    else:
        shown = [each for each in columns if output is Output.WIDE or _tells(each, found)]
        _show_table(found, shown, whole=output is Output.WIDE)


def _tells(column: Column, found: Sequence[Row]) -> bool:
    if column.wide:
        return False
    return not column.telling or len({str(column.text(row)) for row in found}) > 1


def show_value(value: object, output: Output) -> None:
    """Print an answer as JSON or YAML."""
    if output is Output.YAML:
        import yaml

        print(yaml.safe_dump(value, sort_keys=False, allow_unicode=False), end="")
    else:
        print(json.dumps(value, indent=2))


def say(text: str = "") -> None:
    """Print one line, made safe."""
    print(printable(text), flush=True)


def note(text: str) -> None:
    """Say something beside the answer, on standard error."""
    print(printable(text), file=sys.stderr, flush=True)


def on_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person looks on; at standard output where no other is named."""
    found = stream or sys.stdout
    return found.isatty() and os.environ.get("TERM") != "dumb"


def room() -> int:
    """The places in a line of this terminal."""
    return shutil.get_terminal_size().columns


def coloured(state: str) -> str:
    """A state's word in its colour, on a terminal that wants colours."""
    code = _COLOURS.get(state)
    if code is None or not on_terminal() or os.environ.get("NO_COLOR"):
        return state
    return f"\x1b[{code}m{state}\x1b[0m"


def painted_line(line: str, word: str) -> None:
    """Print a line, made safe, with this word in its colour."""
    print(printable(line).replace(f" {word}", f" {coloured(word)}", 1), flush=True)


def clear_screen() -> None:
    """Begin a new picture, on a terminal."""
    if on_terminal():
        print("\x1b[H\x1b[2J", end="")


def cell(value: object) -> str:
    """A value as a cell's text."""
    return "-" if value in (None, "") else printable(str(value))


def _show_table(found: Sequence[Row], columns: Sequence[Column], *, whole: bool) -> None:
    cells = [[cell(column.text(row)) for column in columns] for row in found]
    lines = [[column.title for column in columns], *cells]
    widths = [max(width(line[at]) for line in lines) for at in range(len(columns))]
    if on_terminal() and not whole:
        widths = fitted(widths, room())
    for line in lines:
        print(_line(line, widths, columns), flush=True)


def fitted(widths: Sequence[int], places: int) -> list[int]:
    """Columns' widths that fit into so many places: the widest give way, down to a readable one."""
    found = list(widths)
    while sum(found) + len(_GAP) * (len(found) - 1) > places and max(found) > _READABLE:
        found[found.index(max(found))] -= 1
    return found


def _line(line: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    parts = [
        padded(cropped(text, places), places, right=column.right)
        for text, places, column in zip(line, widths, columns, strict=True)
    ]
    return _GAP.join(_painted(part) for part in parts).rstrip()


def _painted(part: str) -> str:
    word = part.strip()
    return part.replace(word, coloured(word), 1) if word in _COLOURS else part


def _show_csv(found: Sequence[Row], columns: Sequence[Column]) -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    titles = (column.name or column.title.lower().replace(" ", "_") for column in columns)
    writer.writerow([printable(title) for title in titles])
    for row in found:
        texts = (column.text(row) for column in columns)
        writer.writerow(["" if text is None else printable(str(text)) for text in texts])
