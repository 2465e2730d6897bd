"""``sentinels usage``: what an attempt uses over time, against what it asked for.

Comes in: a job. Goes out: a line of numbers and small bars for each quantity, and after the end
what would have sufficed. Next: ``sparkline``, ``show``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from sentinels.cli.client import Client, Json, Patience, job_path
from sentinels.cli.show import (
    Column,
    Output,
    OutputOption,
    Row,
    clear_screen,
    mapping,
    note,
    on_terminal,
    painted_line,
    room,
    rows,
    say,
    show_rows,
    show_value,
)
from sentinels.cli.sparkline import Pair, axis, sparkline
from sentinels.cli.status import JobArgument, newest
from sentinels.cli.times import length, local, moment, seconds_between
from sentinels.cli.words import state
from sentinels.core.errors import Unavailable
from sentinels.core.series import NAMES, in_words

_EVERY_SECONDS = 2.0
_MOST_PLACES = 120
_LEAST_PLACES = 10


def usage(
    job: JobArgument = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Which attempt. Default: the newest.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it again and again while it runs.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what a job uses over time, and what would have sufficed. Without a job: the newest."""
    client = Client()
    reference = job or newest(client)
    found = _look(client, reference, attempt)
    _show(*found, output)
    if watch and found[1].get("live"):
        for again in _looks(client, found[0], attempt):
            clear_screen()
            if not on_terminal():
                say()
            _show(*again, output)


def _look(client: Client, reference: str, attempt: int | None) -> tuple[Json, Json]:
    """The job, and one attempt's use. The same job both times, whatever its name comes to mean."""
    job = client.get(job_path(reference))
    query = {"attempt": attempt, "points": 2 * _MOST_PLACES}
    return job, client.get(job_path(str(job["id"]), "usage"), query)


def _looks(client: Client, job: Json, attempt: int | None) -> Iterator[tuple[Json, Json]]:
    """Again and again, to the end of the attempt; bearing with a server that restarts."""
    patience, live = Patience(), True
    while live:
        time.sleep(_EVERY_SECONDS)
        try:
            found = _look(client, str(job["id"]), attempt)
        except Unavailable as trouble:
            if patience.bear(trouble):
                note(f"{trouble}; trying again …")
            continue
        patience.over()
        live = bool(found[1].get("live"))
        yield found


def _show(job: Json, used: Json, output: Output) -> None:
    if output in (Output.JSON, Output.YAML):
        show_value(used, output)
    elif output is Output.CSV:
        show_rows(list(_samples(used)), _SAMPLES, output, empty="")
    else:
        for line in _lines(job, used, wide=output is Output.WIDE):
            painted_line(line, str(job.get("state")))


def _lines(job: Json, used: Json, *, wide: bool) -> Iterator[str]:
    yield _heading(job, used)
    quantities = rows(used, "quantities")
    if quantities:
        yield from _table(used, quantities, wide=wide)
    trouble = mapping(used.get("unavailable"))
    if trouble:
        yield f"  not available now: {trouble['detail']}"
        yield from [f"    {trouble['remedy']}"] if trouble.get("remedy") else []
    for sizing in rows(used, "sizing"):
        name = _RESOURCES.get(str(sizing["resource"]), "")
        yield f"  {name:<7} {_as_far_as_it_got(job)}{sizing['sentence']}"
    notes = used.get("notes")
    for text in notes if isinstance(notes, list) else ():
        yield f"  {text}"


def _heading(job: Json, used: Json) -> str:
    nth = f", attempt {used['attempt']}" if used.get("attempt") not in (0, 1) else ""
    took = length(seconds_between(used.get("started_at"), used.get("finished_at")))
    for_long = f" for {took}" if took and used.get("live") else f" after {took}" if took else ""
    by_whom = f"  measured by {used['source']}" if used.get("source") and used.get("live") else ""
    return f"job {job['id']} {job['name']}{nth}  {state(job)}{for_long}{by_whom}"


def _as_far_as_it_got(job: Json) -> str:
    return "" if job.get("state") == "succeeded" else "as far as it got: "


def _table(used: Json, quantities: list[Row], *, wide: bool) -> Iterator[str]:
    titles = ["now"] if used.get("live") else []
    titles += ["mean", "p95", "peak"] if wide else ["mean", "peak"]
    cells = [[_text(found, found.get(title)) for title in titles] for found in quantities]
    asked = [_asked(found) for found in quantities]
    widths = [
        max(map(len, [*column, title]))
        for title, column in zip(titles, zip(*cells, strict=True), strict=True)
    ]
    names = max(len(NAMES[str(found["name"])]) for found in quantities)
    of = max(map(len, [*asked, "asked"]))
    left = 2 + names + sum(2 + width for width in widths) + 2 + of + 2
    places = max(_LEAST_PLACES, min(_MOST_PLACES, room() - left - 1))
    seconds = _seconds(used, quantities)

    def line(name: str, texts: list[str], what: str, drawn: str) -> str:
        aligned = "".join(f"  {text:>{width}}" for text, width in zip(texts, widths, strict=True))
        return f"  {name:<{names}}{aligned}  {what:<{of}}  {drawn}".rstrip()

    yield line("", titles, "asked", axis(*_span(used, seconds), places))
    for found, texts, what in zip(quantities, cells, asked, strict=True):
        drawn = sparkline(_pairs(found), seconds, places, largest=found["unit"] == "bytes")
        yield line(NAMES[str(found["name"])], texts, what, drawn)


def _seconds(used: Json, quantities: list[Row]) -> float:
    """How long the line is: to the end, or to the last sample while there is none."""
    ran = seconds_between(used.get("started_at"), used.get("finished_at")) or 0.0
    last = max((pairs[-1][0] for found in quantities if (pairs := _pairs(found))), default=0.0)
    return max(ran, last)


def _span(used: Json, seconds: float) -> tuple[str, str]:
    begun = moment(used.get("started_at"))
    if begun is None:
        return "", ""
    from datetime import timedelta

    return local(begun.isoformat()), local((begun + timedelta(seconds=seconds)).isoformat())


def _pairs(found: Row) -> list[Pair]:
    samples = found.get("samples")
    return [(pair[0], pair[1]) for pair in samples] if isinstance(samples, list) else []


def _asked(found: Row) -> str:
    asked, peak = found.get("asked"), found.get("peak")
    if not isinstance(asked, int | float) or not isinstance(peak, int | float) or not asked:
        return ""
    return f"{_text(found, asked)} ({peak / asked * 100:.0f} %)"


def _text(found: Row, value: object) -> str:
    return in_words(value, str(found.get("unit"))) if isinstance(value, int | float) else str(value)


def _samples(used: Json) -> Iterator[Row]:
    begun = moment(used.get("started_at"))
    from datetime import timedelta

    for found in rows(used, "quantities"):
        for seconds, value in _pairs(found):
            at = (begun + timedelta(seconds=seconds)).isoformat() if begun else None
            yield {"quantity": found["name"], "unit": found["unit"], "at": at, "value": value}


_RESOURCES: Mapping[str, str] = {"cpu": "CPU", "memory": "memory", "gpu": "GPU"}
_SAMPLES = (
    Column("QUANTITY", lambda row: row["quantity"]),
    Column("UNIT", lambda row: row["unit"]),
    Column("AT", lambda row: row["at"]),
    Column("VALUE", lambda row: row["value"]),
)
