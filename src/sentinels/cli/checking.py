"""``sentinels push --check``: everything that a push is held against, without pushing.

Comes in: a push that was checked here. Goes out: a line for each check, with what to do where it
fails; exit code 2 where it would be refused. Before: ``push``. Next: ``client``.
"""

from __future__ import annotations

import typer

from sentinels.cli.client import Client, Json
from sentinels.cli.problems import USAGE, fault_from, fault_lines
from sentinels.cli.show import Output, Row, note, rows, say, show_value

_MARKS = {"ok": "✔", "warning": "!", "failed": "✘"}


def show_checks(body: Json, output: Output) -> None:
    """Print the checks; as data where that is asked for."""
    answer = Client().post("/v1/jobs", body, query={"check": "true"})
    if output in (Output.JSON, Output.YAML):
        show_value(answer, output)
    else:
        for check in rows(answer, "checks"):
            _tell(check)
    note("nothing was pushed")
    if not answer.get("ok"):
        raise typer.Exit(USAGE)


def _tell(check: Row) -> None:
    mark = f"{_MARKS.get(str(check['standing']), '?')} {check['name']!s:<11}"
    faults = [line for fault in rows(check, "faults") for line in fault_lines(fault_from(fault))]
    first, *more = faults or [str(check["said"])]
    say(f"{mark} {first}")
    for line in more:
        say(f"  {line}" if line.startswith("  ") else f"{mark} {line}")
