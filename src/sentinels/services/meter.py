"""What workloads use, from Prometheus' recording rules: ``core.meter.Meter``.

The rules are ``helm/sentinels/files/recording.yml``; a Prometheus of your own needs them too. One
question brings all quantities, so that whoever waits waits once. Comes in: attempts and spans of
time. Goes out: series and peaks. Before: ``functions/submit/usage``, ``core/metering``. Next:
``asking``, which shows an address without its password.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from sentinels.core.errors import MeterUnavailable
from sentinels.core.job import JobId
from sentinels.core.meter import Quantity, Sample, Series
from sentinels.core.observation import Usage
from sentinels.core.series import LEVELS
from sentinels.core.text import printable
from sentinels.core.workload import WorkloadRef
from sentinels.services.asking import shown

_SECONDS = 1.2
"""For a whole answer: a person waits for it."""
_LEAST_STEP = 15
_LATE_SECONDS = 60.0
"""Containers are looked at every half minute, and the rules are worked out as often."""
_BODY_LIMIT = 8 * 2**20
_BATCH = 200
_REMEDY = "start Prometheus, or correct SENTINELS_PROMETHEUS_URL; jobs go on without it"
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")

_USAGE = {
    "peak_memory_bytes": "max_over_time(sentinels_job:memory_bytes{%s}[%ds])",
    "cpu_seconds": "max_over_time(sentinels_job:cpu_seconds{%s}[%ds])",
    "peak_gpu_memory_bytes": "max_over_time(sentinels_job:gpu_memory_bytes{%s}[%ds])",
    "mean_gpu_percent": "avg_over_time(sentinels_job:gpu_percent{%s}[%ds])",
    "peak_cpu_cores": "max_over_time(sentinels_job:cpu_cores{%s}[%ds])",
}
"""The fields of ``Usage``, each in Prometheus' words."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One series of an answer: its labels, and pairs of a moment and a value."""

    labels: Mapping[str, str]
    pairs: Sequence[tuple[float, float]]


class PrometheusMeter:
    """Asks one Prometheus."""

    name = "Prometheus"
    late_seconds = _LATE_SECONDS
    unmeasured: Mapping[Quantity, str] = {}

    def __init__(self, url: str, *, seconds: float = _SECONDS) -> None:
        """``url`` may hold a user and a password; ``seconds`` bounds each answer."""
        self._url, self._seconds = url.rstrip("/"), seconds

    def series(self, ref: WorkloadRef, *, begin: datetime, end: datetime, points: int) -> Series:
        """See ``Meter.series``: of a level the largest of each step, of a rate the mean."""
        span = max(1.0, (end - begin).total_seconds())
        step = max(_LEAST_STEP, math.ceil(span / points))
        steps = math.ceil(span / step)
        found = self._ask(
            "query_range",
            query=_series_query(ref, step),
            start=_moment(begin + timedelta(seconds=step)),
            end=_moment(begin + timedelta(seconds=step * steps)),
            step=str(step),
        )
        return _series(found, end)

    def usage(self, ref: WorkloadRef, *, begin: datetime, end: datetime) -> Usage:
        """See ``Meter.usage``: up to the last look, which comes after the end."""
        last = end + timedelta(seconds=_LATE_SECONDS)
        span = math.ceil((last - begin).total_seconds())
        terms = {name: words % (_labels(ref), span) for name, words in _USAGE.items()}
        found = self._ask("query", query=_united(terms), time=_moment(last))
        return _usage({one.labels.get("quantity", ""): one.pairs[-1][1] for one in found})

    def gpu_percent(
        self, refs: Sequence[WorkloadRef], *, begin: datetime, end: datetime
    ) -> Mapping[WorkloadRef, float]:
        """See ``Meter.gpu_percent``."""
        span, found = max(1, math.ceil((end - begin).total_seconds())), {}
        for first in range(0, len(refs), _BATCH):
            jobs = "|".join(sorted({str(ref.job_id) for ref in refs[first : first + _BATCH]}))
            query = f'avg_over_time(sentinels_job:gpu_percent{{sentinels_job=~"{jobs}"}}[{span}s])'
            for one in self._ask("query", query=query, time=_moment(end)):
                found[_ref(one.labels)] = one.pairs[-1][1]
        return {ref: found[ref] for ref in refs if ref in found}

    def _ask(self, path: str, **words: str) -> list[_Found]:
        end, body = time.monotonic() + self._seconds, b""
        address = f"{self._url}/api/v1/{path}"
        try:
            # By POST: a question about many jobs is longer than an address may be.
            with httpx.stream("POST", address, data=words, timeout=self._seconds) as answer:
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > _BODY_LIMIT or time.monotonic() > end:
                        raise self._trouble("does not come to an end with its answer")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = _ERRNO.sub("", str(error)) or type(error).__name__
            raise self._trouble(f"does not answer: {why}") from error
        return self._read(answer.status_code, body)

    def _read(self, status: int, body: bytes) -> list[_Found]:
        try:
            said = json.loads(body)
            if said["status"] == "success":
                return [_found(one) for one in said["data"]["result"]]
            why = f"says: {printable(str(said.get('error'))[:200])}"
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            why = f"answered {status}, and nothing that makes sense"
        raise self._trouble(why)

    def _trouble(self, why: str) -> MeterUnavailable:
        return MeterUnavailable(f"Prometheus at {shown(self._url)} {why}", remedy=_REMEDY)


def _series_query(ref: WorkloadRef, step: int) -> str:
    over = {True: "max_over_time", False: "avg_over_time"}
    labels = _labels(ref)
    terms = {
        quantity.value: f"{over[quantity in LEVELS]}"
        f"(sentinels_job:{quantity.value}{{{labels}}}[{step}s])"
        for quantity in Quantity
    }
    return _united(terms)


def _united(terms: Mapping[str, str]) -> str:
    """All of it in one question, each under its name."""
    named = (
        f'label_replace({words}, "quantity", "{name}", "", "")' for name, words in terms.items()
    )
    return " or ".join(named)


def _labels(ref: WorkloadRef) -> str:
    return f'sentinels_job="{ref.job_id}", attempt="{ref.attempt}"'


def _moment(at: datetime) -> str:
    return f"{at.timestamp():.3f}"


def _series(found: Sequence[_Found], end: datetime) -> Series:
    by_name = {one.labels.get("quantity"): one.pairs for one in found}
    return {
        quantity: [
            Sample(min(end, datetime.fromtimestamp(at, end.tzinfo)), value)
            for at, value in by_name[quantity.value]
        ]
        for quantity in Quantity
        if quantity.value in by_name
    }


def _usage(values: Mapping[str, float]) -> Usage:
    def whole(name: str) -> int | None:
        return round(values[name]) if name in values else None

    return Usage(
        peak_memory_bytes=whole("peak_memory_bytes"),
        cpu_seconds=values.get("cpu_seconds"),
        peak_gpu_memory_bytes=whole("peak_gpu_memory_bytes"),
        mean_gpu_percent=values.get("mean_gpu_percent"),
        peak_cpu_cores=values.get("peak_cpu_cores"),
    )


def _ref(labels: Mapping[str, str]) -> WorkloadRef:
    return WorkloadRef(JobId(int(labels["sentinels_job"])), int(labels["attempt"]))


def _found(one: Mapping[str, object]) -> _Found:
    """Raises ``KeyError``, ``TypeError`` and ``ValueError`` for what is none."""
    labels, pairs = one["metric"], one["values"] if "values" in one else [one["value"]]
    if not isinstance(labels, dict) or not isinstance(pairs, list):
        raise TypeError
    read = [(float(at), float(value)) for at, value in pairs]
    return _Found(labels, [(at, value) for at, value in read if math.isfinite(value)])
