"""Saved queries: the reports, with numbered parameters for PostgreSQL or filled in for people.

Comes in: a report's name and values. Goes out: SQL. Before: ``asking``. Next: ``reports/``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from sentinels.core.reporting import ReportRequest

_PARAM = re.compile(r"(?<![:\w]):([a-z]+)\b")


def numbered(request: ReportRequest) -> tuple[str, Sequence[str | None]]:
    """The query with ``$1`` for each name, and the values in that order."""
    values = _values(request)
    names = list(values)
    text = _PARAM.sub(lambda found: f"${names.index(found[1]) + 1}", _saved(request.name))
    used = max(int(number) for number in re.findall(r"\$(\d+)", text))
    return text, [values[name] for name in names[:used]]


def filled(request: ReportRequest) -> str:
    """The query as a person may type it."""
    values = _values(request)
    return _PARAM.sub(lambda found: _literal(values[found[1]]), _saved(request.name))


@cache
def _saved(name: str) -> str:
    return files("sentinels.db").joinpath("reports", f"{name}.sql").read_text("utf-8")


def _values(request: ReportRequest) -> Mapping[str, str | None]:
    """In the order in which the queries name them."""
    return {
        "since": request.since.isoformat(),
        "until": request.until.isoformat(),
        "by": request.by.value,
        "team": request.team,
        "prices": None if request.prices is None else json.dumps(dict(request.prices)),
    }


def _literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
