"""``sentinels report``: saved queries, told so that they can be read.

Comes in: a report's name, the time it is about. Goes out: a table, or the numbers as they are, or
the query. Next: ``answers``, ``core/reporting``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

import typer

from sentinels.cli.answers import names, number, records, show_answer
from sentinels.cli.client import Client, Json
from sentinels.cli.show import Column, Output, OutputOption, Row, mapping, say
from sentinels.cli.times import length, local
from sentinels.core.errors import InvalidRequest, NotFound
from sentinels.core.reporting import DEFAULT_SINCE, REPORTS, Grouping, read_moment
from sentinels.core.text import printable


def report(
    name: Annotated[
        str | None, typer.Argument(metavar="REPORT", help="usage, waits, eta, failures or waste.")
    ] = None,
    by: Annotated[
        Grouping, typer.Option(help="What its rows are about.", case_sensitive=False)
    ] = Grouping.TEAM,
    since: Annotated[
        str, typer.Option(help="From so long ago, as in 12h, or from a date, as in 2026-11-01.")
    ] = DEFAULT_SINCE,
    until: Annotated[str | None, typer.Option(help="Likewise. Default: until now.")] = None,
    team: Annotated[str | None, typer.Option(help="Only of this team.")] = None,
    print_: Annotated[
        bool, typer.Option("--print", help="Print the query, as sentinels sql takes it.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tell what was used, waited for, lost or wasted. Without a report: what there is."""
    if name is None:
        for each, about in REPORTS.items():
            say(f"{each:<9} {about}")
        return
    if name not in REPORTS:
        raise NotFound(f"there is no report {name}", remedy=f"there are: {', '.join(REPORTS)}")
    query = {
        "by": by.value,
        "since": _moment("--since", since),
        "until": _moment("--until", until) if until else None,
        "team": team,
        "print": "true" if print_ else None,
    }
    answer = Client().get(f"/v1/reports/{quote(name)}", query)
    if print_:
        print(printable(str(answer["sql"]), keep_newlines=True), end="")
    else:
        _show(answer, output)


def _moment(flag: str, text: str) -> str:
    now = datetime.now(UTC).astimezone()
    try:
        return read_moment(text, now, local=lambda naive: naive.astimezone()).isoformat()
    except ValueError as error:
        raise InvalidRequest(f"{flag} {text} {error}") from error


def _show(answer: Json, output: Output) -> None:
    name, by = str(answer["report"]), str(answer["by"])
    period = f"from {local(answer['since'])} to {local(answer['until'])}"
    if output in (Output.TABLE, Output.WIDE) and answer["rows"]:
        team = f" of team {answer['team']}" if answer.get("team") else ""
        say(f"{name} by {by}{team}, {period}")
    known = set(names(answer))
    columns = [
        Column(by.upper(), lambda row: row[by]),
        *(column for needs, column in _TABLES[name] if needs in known),
    ]
    if output is Output.TABLE:
        columns = [column for column in columns if _tells(column, records(answer))]
    show_answer(answer, output, empty=f"{_EMPTY[name]} {period}.", columns=columns)


def _tells(column: Column, found: Sequence[Row]) -> bool:
    """Whether a column about GPUs has something to say."""
    return column.title not in _ABOUT_GPUS or any(
        column.text(row) not in ("", "0") for row in found
    )


def _hours(title: str, name: str, *, wide: bool = False) -> tuple[str, Column]:
    return name, Column(title, lambda row: number(row[name], digits=1), wide=wide, right=True)


def _count(title: str, name: str, *, wide: bool = False) -> tuple[str, Column]:
    return name, Column(title, lambda row: row[name], wide=wide, right=True)


def _length(title: str, name: str) -> tuple[str, Column]:
    return name, Column(title, lambda row: length(_float(row[name])), right=True)


def _words(title: str, name: str, text: Callable[[Row], object]) -> tuple[str, Column]:
    return name, Column(title, text)


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _by_type(row: Row) -> str:
    found = mapping(row["gpu_hours_by_type"])
    return ", ".join(f"{name} {number(hours, digits=1)}" for name, hours in found.items())


def _size(row: Row, cpus: str, memory: str) -> str:
    from sentinels.core.quantity import about_memory

    cpu, bytes_ = row[cpus], row[memory]
    words = f"{number(cpu, digits=2)} CPU" if cpu is not None else ""
    return f"{words} {about_memory(bytes_) if isinstance(bytes_, int) else ''}".strip()


def _asked(row: Row) -> str:
    gpus = f" {row['gpus']} GPU" if row["gpus"] else ""
    return _size(row, "cpus", "memory_bytes") + gpus


def _used(row: Row) -> str:
    busy = row["gpu_percent"]
    gpu = f" GPU {number(busy, digits=1)} %" if row["gpus"] and busy is not None else ""
    return _size(row, "busy_cpus", "peak_memory_bytes") + gpu


def _enough(row: Row) -> str:
    return _size(row, "enough_cpus", "enough_memory_bytes")


_ABOUT_GPUS = frozenset({"GPU-H", "BY TYPE", "IDLE GPU-H"})
_COST = ("cost", Column("COST", lambda row: f"{_float(row['cost']) or 0:.2f}", right=True))
_TABLES: Mapping[str, Sequence[tuple[str, Column]]] = {
    "usage": (
        _count("JOBS", "jobs"),
        _count("ATTEMPTS", "attempts"),
        _hours("CPU-H", "cpu_hours"),
        _hours("GIB-H", "gib_hours"),
        _hours("GPU-H", "gpu_hours"),
        _words("BY TYPE", "gpu_hours_by_type", _by_type),
        _COST,
    ),
    "waits": (
        _count("STARTED", "started"),
        _count("STILL WAIT", "waiting"),
        _length("HALF WITHIN", "p50_seconds"),
        _length("95 % WITHIN", "p95_seconds"),
        _length("LONGEST", "max_seconds"),
        _count("JOB", "longest_job"),
    ),
    "eta": (
        _count("STARTED", "started"),
        _count("AS FORETOLD", "held"),
        _hours("%", "held_percent"),
        _count("SOONER", "sooner"),
        _count("LATER", "later"),
        _length("RANGE", "width_seconds"),
        _length("LATE BY AT MOST", "latest_seconds"),
        _count("JOB", "latest_job"),
    ),
    "failures": (
        _words("REASON", "reason", lambda row: str(row["reason"]).replace("_", " ")),
        _words("WHOSE", "reason_class", lambda row: row["reason_class"]),
        _count("ATTEMPTS", "attempts"),
        _count("JOBS", "jobs"),
        _count("FAILED", "jobs_failed"),
        _hours("LOST H", "lost_hours"),
        _hours("CPU-H", "lost_cpu_hours"),
        _hours("GPU-H", "lost_gpu_hours"),
        _count("LAST JOB", "last_job"),
        _words("MOSTLY", "mostly", lambda row: row["mostly"]),
    ),
    "waste": (
        _words("NAME", "name", lambda row: row["name"]),
        _count("ATTEMPTS", "attempts"),
        _words("ASKED", "cpus", _asked),
        _words("USED", "busy_cpus", _used),
        _words("ENOUGH", "enough_cpus", _enough),
        _hours("IDLE CPU-H", "idle_cpu_hours"),
        _hours("IDLE GIB-H", "idle_gib_hours"),
        _hours("IDLE GPU-H", "idle_gpu_hours"),
        _count("LAST JOB", "last_job", wide=True),
        _COST,
    ),
}
"""Each report's columns after the first, with the column of the answer that each needs."""
_EMPTY: Mapping[str, str] = {
    "usage": "Nothing ran",
    "waits": "No job was pushed",
    "eta": "No start was foretold that has come",
    "failures": "Nothing ended badly",
    "waste": "Nothing that was measured ended",
}
