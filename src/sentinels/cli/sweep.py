"""``sentinels sweep``: a sweep on one screen, its jobs by parameters or by a metric.

Next: ``measures``, ``show``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated
from urllib.parse import quote

import typer

from sentinels.cli.client import Client, Json
from sentinels.cli.measures import (
    by_metric,
    metric_columns,
    metrics_of,
    param_columns,
    smaller_is_better,
    with_metrics,
)
from sentinels.cli.show import (
    Column,
    Output,
    OutputOption,
    Row,
    mapping,
    note,
    rows,
    say,
    show_rows,
    show_value,
)
from sentinels.cli.times import ago, ran
from sentinels.cli.words import TERMINAL, counts, state
from sentinels.core.errors import InvalidRequest


def sweep(
    job: Annotated[str, typer.Argument(metavar="SWEEP", help="Any of its jobs: an id or a name.")],
    sort: Annotated[
        str | None, typer.Option(metavar="METRIC", help="The best by this metric first.")
    ] = None,
    ascending: Annotated[
        bool | None,
        typer.Option(
            "--asc/--desc", help="Smallest or largest first. Default: a loss or an error ascends."
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show a sweep: how far it is, and what became of each of its jobs."""
    client = Client()
    found = client.get(sweep_path(job))
    members = rows(found, "members")
    if sort is not None:
        ascends = smaller_is_better(sort) if ascending is None else ascending
        members = _ordered(client, members, sort, ascending=ascends)
    if output in (Output.JSON, Output.YAML):
        show_value({**found, "members": list(members)}, output)
        return
    if output is not Output.CSV:
        for line in _lines(found):
            say(line)
    show_rows(members, _columns(members, sort), output, empty="")
    if output is not Output.CSV:
        say(f"  next: {_next(found)}")


def sweep_path(job: str, *rest: str) -> str:
    """The path of a sweep by any of its jobs."""
    return "/".join(["/v1/sweeps", quote(job, safe=""), *rest])


def _ordered(client: Client, members: Sequence[Row], sort: str, *, ascending: bool) -> list[Row]:
    metrics, trouble = metrics_of(client, members)
    names = sorted({name for of_job in metrics.values() for name in of_job})
    if trouble is not None:
        note(f"metrics are missing: {trouble}")
    elif sort not in names:
        remedy = f"known: {', '.join(names)}" if names else "none of its jobs has told any yet"
        raise InvalidRequest(f"no job of it has a metric {sort}", remedy=remedy)
    return by_metric(with_metrics(members, metrics), sort, ascending=ascending)


def _lines(found: Json) -> Iterator[str]:
    yield f"sweep {found['sweep']} {found['name']}  {counts(found)}"
    yield f"  pushed   {ago(found['submitted_at'])} by {found['user']}, team {found['team']}"
    swept = mapping(mapping(found.get("definition")).get("sweep"))
    if swept:
        yield f"  swept    {', '.join(f'{name} {_values(swept[name])}' for name in swept)}"
    definition = mapping(found.get("definition"))
    if definition.get("samples"):
        yield f"  drawn    {definition['samples']} samples, seed {definition.get('seed')}"
    if found.get("at_once"):
        yield f"  at once  {found['at_once']} at most"


def _values(values: object) -> str:
    if isinstance(values, dict):
        scale = f" ({values['scale']})" if values.get("scale") else ""
        return f"{values.get('min')}..{values.get('max')}{scale}"
    return f"{{{', '.join(map(str, values))}}}" if isinstance(values, list) else str(values)


def _columns(members: Sequence[Row], sort: str | None) -> list[Column]:
    measured = metric_columns(members, [sort], every=False) if sort is not None else []
    return [
        Column("JOB", lambda job: job["id"], right=True),
        *measured,
        *param_columns(members),
        Column("STATE", state),
        Column("RAN", ran, right=True),
        Column("WHY", lambda job: job.get("message")),
    ]


def _next(found: Json) -> str:
    first, states = found["sweep"], mapping(found.get("states"))
    if set(states) <= TERMINAL:
        return f"sentinels sweep {first} --sort METRIC · sentinels diff JOB JOB"
    return f"sentinels jobs --sweep {first} · sentinels cancel --sweep {first}"
