"""``sentinels history``: a job's story, or the jobs that have ended, with what came out of them.

Next: ``listing``, ``measures``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from sentinels.cli.client import Client, job_path
from sentinels.cli.jobs import collect
from sentinels.cli.listing import ENDED, ID, NAME, PARAMS, RAN, USER
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
    show_rows,
)
from sentinels.cli.status import JobArgument
from sentinels.cli.times import local
from sentinels.cli.words import state
from sentinels.core.errors import InvalidRequest

_LOOKED_AT = 500
"""The newest so many jobs are put in order by a metric."""


def _move(event: Row) -> str:
    begun = f"{event['from']} → " if event.get("from") else ""
    return f"{begun}{event['to']}"


def _reason(event: Row) -> str:
    return str(event.get("reason") or "").replace("_", " ")


EVENTS = (
    Column("AT", lambda event: local(event["at"])),
    Column("MOVE", _move),
    Column("ATTEMPT", lambda event: event["attempt"] or None, right=True),
    Column("BY", lambda event: event["actor"]),
    Column("REASON", _reason),
    Column("DETAIL", lambda event: event.get("detail")),
)
_AFTER: Sequence[Column] = (
    Column("OUTCOME", state),
    Column("ENDED", lambda job: local(job["finished_at"])),
    RAN,
    replace(USER, wide=True),
    Column("MLFLOW", lambda job: mapping(job["links"]).get("mlflow"), wide=True),
    Column("EXPERIMENT", lambda job: mapping(job["links"]).get("experiment"), wide=True),
)


def history(
    job: JobArgument = None,
    experiment: Annotated[
        str | None, typer.Option(help="Only of this experiment, with metrics and parameters.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option(metavar="METRIC", help="The best by this metric first.")
    ] = None,
    ascending: Annotated[
        bool | None,
        typer.Option(
            "--asc/--desc", help="Smallest or largest first. Default: a loss or an error ascends."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="Show this metric. Repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tell a job's story: each move, when, by whom, why. Without a job: those that have ended."""
    client = Client()
    if job is not None:
        _tell_story(client, job, output, others=bool(experiment or sort or metric))
        return
    query: dict[str, object] = {"state": ["succeeded", "failed", "cancelled"]}
    if experiment is not None:
        query["experiment"] = experiment
    ended, more = collect(client, query, limit=max(limit, _LOOKED_AT) if sort else limit)
    empty = "No job has ended yet." if experiment is None else f"No job of {experiment} has ended."
    if not ended or not (experiment or sort or metric):
        show_rows(ended, ENDED, output, empty=empty)
        return
    metrics, trouble = metrics_of(client, ended)
    found = with_metrics(ended, metrics)
    if sort is not None:
        found = by_metric(found, sort, ascending=_ascends(sort, ascending))
    shown = found[:limit]
    chosen = list(dict.fromkeys([*([sort] if sort else []), *(metric or [])]))
    show_rows(shown, _columns(shown, chosen, every=not metric), output, empty=empty)
    _tell_what_is_missing(trouble, sort, len(ended) if more and sort else 0)


def _tell_story(client: Client, job: str, output: Output, *, others: bool) -> None:
    if others:
        raise InvalidRequest(
            "one job's story has no experiment and no metrics",
            remedy=f"name the job or the experiment; one job's metrics: sentinels diff {job} OTHER",
        )
    found = rows(client.get(job_path(job, "events")), "events")
    show_rows(found, EVENTS, output, empty="Nothing has happened.")


def _ascends(metric: str, given: bool | None) -> bool:
    return smaller_is_better(metric) if given is None else given


def _columns(found: Sequence[Row], chosen: Sequence[str], *, every: bool) -> list[Column]:
    params = param_columns(found) if len(found) > 1 else [PARAMS]
    return [ID, NAME, *metric_columns(found, chosen, every=every), *params, *_AFTER]


def _tell_what_is_missing(trouble: str | None, sort: str | None, looked_at: int) -> None:
    if trouble is not None:
        order = "; the newest are first" if sort else ""
        note(f"metrics are missing: {trouble}{order}")
    elif looked_at:
        note(f"the best of the newest {looked_at}; there are more")
