"""Answers to SQL: columns that are known only when they come.

Comes in: an answer of the server. Goes out: a table with moments in local time and numbers to read,
or JSON, YAML and CSV with values as PostgreSQL gave them. Before: ``sql``, ``report``. Next:
``show``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from sentinels.cli.client import Json
from sentinels.cli.show import Column, Output, Row, note, rows, show_rows
from sentinels.cli.times import local
from sentinels.core.text import printable

_NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"})
_MOMENT = "timestamp with time zone"


def show_answer(
    answer: Json, output: Output, *, empty: str, columns: Sequence[Column] | None = None
) -> None:
    """Print an answer; ``columns`` say how its table looks where that is known better."""
    found = records(answer)
    if output is Output.CSV:
        _show_csv(names(answer), found)
    else:
        show_rows(found, columns or _columns(answer), output, empty=empty)
    told = answer.get("notes")
    for line in [*(told if isinstance(told, list) else []), answer.get("cut")]:
        if line:
            note(str(line))


def names(answer: Json) -> list[str]:
    """The columns' names."""
    return [str(column["name"]) for column in rows(answer, "columns")]


def records(answer: Json) -> list[Row]:
    """The rows, each by the columns' names."""
    found, titles = answer.get("rows"), names(answer)
    lists = [row for row in found if isinstance(row, list)] if isinstance(found, list) else []
    return [dict(zip(titles, row, strict=False)) for row in lists]


def number(value: object, *, digits: int = 4) -> str:
    """A number to read: no more digits after the point than tell something."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    if isinstance(value, int):
        return str(value)
    if value and not 10**-digits <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def _columns(answer: Json) -> list[Column]:
    return [_column(str(each["name"]), str(each["type"])) for each in rows(answer, "columns")]


def _column(name: str, kind: str) -> Column:
    def text(row: Row) -> object:
        return _moment(row[name]) if kind == _MOMENT else _plain(row[name])

    return Column(name.upper(), text, right=kind in _NUMBERS)


def _moment(value: object) -> str:
    try:
        return local(value)
    except ValueError:  # infinity
        return str(value)


def _plain(value: object) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    return number(value).replace("\n", " ")


def _show_csv(titles: Sequence[str], found: Sequence[Row]) -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(printable, titles))
    for row in found:
        writer.writerow([printable(_exact(row.get(title))) for title in titles])


def _exact(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
