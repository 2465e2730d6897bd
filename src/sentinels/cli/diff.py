"""``sentinels diff``: two jobs side by side: config, image, result.

The values of environment variables are not shown: whether they differ is. Comes in: two jobs as the
server tells them. Goes out: what is different. Next: ``core/comparing``, ``measures``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Annotated

import typer

from sentinels.cli.answers import number
from sentinels.cli.client import Client, Json, job_path
from sentinels.cli.measures import Metrics, metrics_of
from sentinels.cli.show import (
    Column,
    Output,
    OutputOption,
    Row,
    mapping,
    note,
    rows,
    show_rows,
    show_value,
)
from sentinels.cli.times import length, seconds_between
from sentinels.cli.words import state
from sentinels.core.comparing import Difference, compared

_JOB = "A job's id, name, or the beginning of a name."


@dataclass(frozen=True, slots=True)
class _Side:
    """One job with its metrics."""

    job: Json
    metrics: Mapping[str, object]

    @property
    def last(self) -> Row:
        """Its newest attempt."""
        return (rows(self.job, "attempts") or [{}])[-1]

    def used(self, name: str) -> object:
        return mapping(self.last.get("usage")).get(name)


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=_JOB)],
    b: Annotated[str, typer.Argument(metavar="B", help="The other.")],
    all_: Annotated[bool, typer.Option("--all", help="Show what is the same too.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show how two jobs differ: what was asked for, what ran, what came out."""
    client = Client()
    jobs = [client.get(job_path(reference)) for reference in (a, b)]
    metrics, trouble = metrics_of(client, jobs)
    left, right = (_Side(job, _metrics(metrics, job)) for job in jobs)
    parts = {
        "config": list(_config(left, right)),
        "image": [Difference(n, left.job.get(n), right.job.get(n)) for n in _IMAGE],
        "result": list(_results(left, right)),
        "metrics": list(_measured(left, right)),
    }
    shown = {part: [each for each in found if all_ or each.is_one] for part, found in parts.items()}
    _show(left, right, shown, output)
    if trouble is not None:
        note(f"metrics are missing: {trouble}")


def _metrics(metrics: Metrics, job: Json) -> Mapping[str, object]:
    return metrics.get(str(job["id"]), {})


_IMAGE = ("image", "digest", "git_commit")
_RESULTS: Mapping[str, Callable[[_Side], object]] = {
    "outcome": lambda side: state(side.job),
    "exit_code": lambda side: side.job.get("exit_code"),
    "attempts": lambda side: side.job.get("attempt"),
    "node": lambda side: side.last.get("node"),
    "waited_seconds": lambda side: _seconds(side, "submitted_at", "started_at"),
    "ran_seconds": lambda side: _seconds(side, "started_at", "finished_at"),
    "peak_memory_bytes": lambda side: side.used("peak_memory_bytes"),
    "cpu_seconds": lambda side: side.used("cpu_seconds"),
    "peak_cpu_cores": lambda side: side.used("peak_cpu_cores"),
    "mean_gpu_percent": lambda side: side.used("mean_gpu_percent"),
}


def _seconds(side: _Side, start: str, end: str) -> float | None:
    found = seconds_between(side.job.get(start), side.job.get(end))
    return None if found is None else round(found, 3)


def _config(left: _Side, right: _Side) -> Iterator[Difference]:
    for each in compared(mapping(left.job.get("config")), mapping(right.job.get("config"))):
        yield _veiled(each) if each.path.startswith("env.") else each


def _veiled(each: Difference) -> Difference:
    if None in (each.a, each.b):
        return Difference(each.path, *("set" if side else None for side in (each.a, each.b)))
    other = "set" if each.a == each.b else "set otherwise"
    return Difference(each.path, "set", other)


def _results(left: _Side, right: _Side) -> Iterator[Difference]:
    for name, told in _RESULTS.items():
        yield Difference(name, told(left), told(right))


def _measured(left: _Side, right: _Side) -> Iterator[Difference]:
    for name in sorted({*left.metrics, *right.metrics}):
        yield Difference(name, left.metrics.get(name), right.metrics.get(name))


def _show(
    left: _Side, right: _Side, parts: Mapping[str, Sequence[Difference]], output: Output
) -> None:
    if output in (Output.JSON, Output.YAML):
        told = {part: [_record(each) for each in found] for part, found in parts.items()}
        show_value({"a": _named(left), "b": _named(right), **told}, output)
        return
    listed = [{"part": part, **_record(each)} for part, found in parts.items() for each in found]
    told_whole = output is not Output.TABLE
    columns: tuple[Column, ...] = (
        Column("PART", lambda row: row["part"], wide=True),
        Column("WHAT", _label),
        Column(_title(left), lambda row: _text(row, row["a"], whole=told_whole), name="a"),
        Column(_title(right), lambda row: _text(row, row["b"], whole=told_whole), name="b"),
        Column("CHANGE", _change),
    )
    if output is Output.CSV:
        columns = tuple(Column(name, itemgetter(name)) for name in ("part", "what", "a", "b"))
    show_rows(listed, columns, output, empty="They are the same.")


def _record(each: Difference) -> dict[str, object]:
    return {"what": each.path, "a": each.a, "b": each.b}


def _named(side: _Side) -> dict[str, object]:
    return {"id": side.job["id"], "name": side.job["name"]}


def _title(side: _Side) -> str:
    return f"{side.job['id']} {side.job['name']}"


def _label(row: Row) -> str:
    """A result's name without its unit, which its values have."""
    name = str(row["what"])
    if row["part"] != "result":
        return name
    return re.sub("_(seconds|bytes|percent)$", "", name).replace("_", " ")


def _text(row: Row, value: object, *, whole: bool) -> str:
    """A value to read; a digest or a commit is known by its beginning."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if row["what"] in _LONG and not whole:
        return str(value or "")[: _LONG[str(row["what"])]]
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, int | float):
        return "" if value is None else str(value)
    return _amount(str(row["what"]), value) if row["part"] == "result" else number(value)


_LONG = {"digest": len("sha256:") + 12, "git_commit": 12}


def _amount(name: str, value: float) -> str:
    from sentinels.core.quantity import about_memory

    if name.endswith("_bytes"):
        return about_memory(int(value))
    return length(value) if name.endswith("_seconds") else number(value, digits=2)


def _change(row: Row) -> str:
    """By how much a number of the result is larger or smaller."""
    a, b = row["a"], row["b"]
    if row["part"] not in ("result", "metrics") or row["what"] == "exit_code" or a == b:
        return ""
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        return ""
    told = _amount(str(row["what"]), abs(b - a)) if row["part"] == "result" else number(abs(b - a))
    return f"{'+' if b > a else '-'}{told}"
