"""Metrics and parameters of jobs as columns, and which way a metric is better.

Comes in: jobs, the server's word on their metrics. Goes out: columns and an order. Before:
``history``, ``diff``. Next: ``show``, ``client``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from sentinels.cli.answers import number
from sentinels.cli.client import Client
from sentinels.cli.show import Column, Row, mapping
from sentinels.core.errors import NotFound

_AT_ONCE = 200
_SHOWN = 5
_SMALLER_IS_BETTER = re.compile(
    r"loss|err|mse|mae|rmse|mape|perplexity|ppl|wer|cer|fid|nll|bpb|time|seconds|latency|distance",
    re.IGNORECASE,
)
_SYSTEM = "system/"
"""What MLflow measures of a machine by itself."""

Metrics = Mapping[str, Mapping[str, object]]


def metrics_of(client: Client, jobs: Sequence[Row]) -> tuple[Metrics, str | None]:
    """Each job's metrics, by its id, and why some are missing."""
    ids = [str(job["id"]) for job in jobs]
    found: dict[str, Mapping[str, object]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        try:
            answer = client.get("/v1/metrics", {"job": ids[start : start + _AT_ONCE]})
        except NotFound:
            return found, "this server is of an older version, which does not tell them"
        found |= {job: mapping(values) for job, values in mapping(answer.get("metrics")).items()}
        if answer.get("error"):
            return found, str(answer["error"])
    return found, None


def with_metrics(jobs: Sequence[Row], metrics: Metrics) -> list[Row]:
    """The jobs, each with its metrics."""
    return [{**job, "metrics": metrics.get(str(job["id"]), {})} for job in jobs]


def value(job: Row, metric: str) -> float | None:
    """A metric of a job; None where it has none."""
    found = mapping(job.get("metrics")).get(metric)
    return float(found) if isinstance(found, int | float) else None


def smaller_is_better(metric: str) -> bool:
    """Whether a metric of this name is better the smaller it is, as far as a name tells."""
    return _SMALLER_IS_BETTER.search(metric) is not None


def by_metric(jobs: Sequence[Row], metric: str, *, ascending: bool) -> list[Row]:
    """The jobs in the order of a metric; those that have none come last, as they stood."""
    sign = 1 if ascending else -1

    def place(job: Row) -> tuple[bool, float]:
        found = value(job, metric)
        return found is None, sign * (found or 0.0)

    return sorted(jobs, key=place)


def metric_columns(jobs: Sequence[Row], chosen: Sequence[str], *, every: bool) -> list[Column]:
    """A column for each metric that was chosen; with ``every`` the others too, common first."""
    common = Counter(name for job in jobs for name in mapping(job.get("metrics")))
    others = sorted(common.keys() - set(chosen), key=lambda name: (-common[name], name))
    return [_metric(name, wide=False) for name in chosen] + [
        _metric(name, wide=at >= _SHOWN or name.startswith(_SYSTEM))
        for at, name in enumerate(others if every else [], len(chosen))
    ]


def _metric(name: str, *, wide: bool) -> Column:
    return Column(
        name, lambda job: number(value(job, name)), wide=wide, right=True, name=f"metric.{name}"
    )


def param_columns(jobs: Sequence[Row]) -> list[Column]:
    """A column for each parameter that is not the same in all of them."""
    names = dict.fromkeys(name for job in jobs for name in mapping(job["params"]))
    return [
        _param(name)
        for name in names
        if len({str(mapping(job["params"]).get(name)) for job in jobs}) > 1
    ]


def _param(name: str) -> Column:
    return Column(name, lambda job: mapping(job["params"]).get(name), name=f"param.{name}")
