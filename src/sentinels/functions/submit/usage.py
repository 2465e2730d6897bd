"""What an attempt uses over time: now while it runs, kept after its end, with what would have
sufficed.

A meter that is away leaves a hole and not an error: what is known without it is told, and what is
not. Comes in: an attempt. Goes out: JSON, within two seconds. Before: ``routes``, ``pages``. Next:
the ``Meter`` port, ``core/metering``, ``core/sizing``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Response

from sentinels.core.errors import MeterUnavailable
from sentinels.core.meter import Meter, Quantity, Series
from sentinels.core.observation import Usage
from sentinels.core.ports import JobRef, Json
from sentinels.core.reading import AttemptView
from sentinels.core.series import rounded, series_json, summary
from sentinels.core.sizing import Sizing, sizings
from sentinels.core.workload import WorkloadRef
from sentinels.functions.bounded import Late, bounded
from sentinels.functions.http import reply
from sentinels.functions.submit.door import Ask, FrontDoor
from sentinels.functions.submit.logs import chosen_attempt
from sentinels.functions.submit.shaping import request_json, time_json, usage_json

LIMIT_SECONDS = 1.5
"""For the meter; the rest of an answer takes milliseconds."""
_UNITS = {Quantity.CPU_CORES: "cores", Quantity.GPU_PERCENT: "percent"}
_RATES = frozenset({Quantity.RECEIVED_BYTES, Quantity.SENT_BYTES})
_GPU = frozenset({Quantity.GPU_PERCENT, Quantity.GPU_MEMORY_BYTES})
_FILE = "kept with the job"


@dataclass(frozen=True, slots=True)
class _Span:
    """From when to when, in how many points at most."""

    begin: datetime
    end: datetime
    points: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of an attempt's use over time: from where, and why no more is."""

    series: Series
    source: str | None
    trouble: MeterUnavailable | None = None


def show_usage(ask: Ask) -> Response:
    """One attempt's use, the newest one's if none is named."""
    job = ask.job()
    points = ask.query.number("points")
    return reply(usage_block(ask.door, job, chosen_attempt(ask, job), points=points))


def usage_block(
    door: FrontDoor, job: JobRef, attempt: AttemptView | None, *, points: int
) -> dict[str, Json]:
    """What is known of an attempt's use, in at most so many points of each quantity."""
    if attempt is None or attempt.started_at is None:
        return _nothing(job, attempt)
    begin = attempt.started_at
    end = attempt.finished_at or door.clock()
    found = _measured(
        door, WorkloadRef(job.id, attempt.attempt), attempt, _Span(begin, end, points)
    )
    return {
        **_about(job, attempt),
        "source": found.source,
        "unavailable": _trouble(found.trouble),
        "notes": list(_notes(door.meter, attempt, found)),
        "quantities": _quantities(found.series, attempt, begin),
        "sizing": [_sizing(one) for one in _sizings(attempt, found.series)],
    }


def _nothing(job: JobRef, attempt: AttemptView | None) -> dict[str, Json]:
    """Of what has not begun."""
    empty: dict[str, Json] = {"source": None, "unavailable": None, "quantities": [], "sizing": []}
    why = "it has not started yet" if attempt is None or attempt.live else "it never started"
    return {**_about(job, attempt), **empty, "notes": [why]}


def _about(job: JobRef, attempt: AttemptView | None) -> dict[str, Json]:
    return {
        "job": job.id,
        "attempt": attempt.attempt if attempt else 0,
        "live": attempt is None or attempt.live,
        "started_at": time_json(attempt.started_at if attempt else None),
        "finished_at": time_json(attempt.finished_at if attempt else None),
        "asked": request_json(attempt.resources) if attempt else None,
        "used": usage_json(attempt.usage if attempt else Usage()),
    }


def _measured(door: FrontDoor, ref: WorkloadRef, attempt: AttemptView, span: _Span) -> Measured:
    meter, file = door.meter, door.usage_file
    begin, end, points = span.begin, span.end, span.points
    if not attempt.live and file is not None and (kept := file.filed(ref, begin=begin)) is not None:
        return Measured(kept, _FILE)
    if meter is None:
        return Measured({}, None)
    try:
        series = bounded(
            lambda: meter.series(ref, begin=begin, end=end, points=points), LIMIT_SECONDS
        )
    except MeterUnavailable as trouble:
        return Measured({}, meter.name, trouble)
    except Late:
        late = MeterUnavailable(f"{meter.name} did not answer within {LIMIT_SECONDS:g} s")
        return Measured({}, meter.name, late)
    return Measured(series, meter.name)


def _trouble(trouble: MeterUnavailable | None) -> Json:
    if trouble is None:
        return None
    return {"detail": str(trouble), "remedy": trouble.remedy}


def _notes(meter: Meter | None, attempt: AttemptView, found: Measured) -> Iterator[str]:
    """What is not there, and why, for people."""
    if found.trouble is not None:
        return
    if meter is None and not found.series:
        yield "nothing measures use here: see SENTINELS_PROMETHEUS_URL"
        return
    if not found.series:
        yield _too_young(meter, attempt)
        return
    unmeasured = meter.unmeasured if meter is not None else {}
    yield from dict.fromkeys(
        unmeasured[quantity] for quantity in Quantity if quantity in unmeasured
    )
    if attempt.resources.gpus and not _GPU & found.series.keys():
        yield "its GPUs were not measured: NVML or the DCGM exporter does that"


def _too_young(meter: Meter | None, attempt: AttemptView) -> str:
    name = meter.name if meter is not None else "what measures"
    if attempt.live:
        return f"{name} has not looked at it yet"
    return f"{name} knows nothing of it: it was over before it was looked at, or is too long ago"


def _quantities(series: Series, attempt: AttemptView, begin: datetime) -> list[Json]:
    written = series_json(series, begin)
    asked: Mapping[Quantity, float] = {
        Quantity.CPU_CORES: attempt.resources.cpu_millis / 1000,
        Quantity.MEMORY_BYTES: attempt.resources.memory_bytes,
    }
    return [
        {
            "name": quantity.value,
            "unit": _unit(quantity),
            "asked": asked.get(quantity),
            **_numbers(quantity, series),
            "samples": written[quantity.value],
        }
        for quantity in Quantity
        if series.get(quantity)
    ]


def _unit(quantity: Quantity) -> str:
    return _UNITS.get(quantity) or ("bytes a second" if quantity in _RATES else "bytes")


def _numbers(quantity: Quantity, series: Series) -> dict[str, Json]:
    told = summary(series[quantity])
    if told is None:
        return {}
    numbers = {"now": told.now, "mean": told.mean, "p95": told.p95, "peak": told.peak}
    return {name: rounded(quantity, value) for name, value in numbers.items()}


def _sizings(attempt: AttemptView, series: Series) -> list[Sizing]:
    """Only of what has ended: while it runs it may still need all that it asked for."""
    if attempt.live:
        return []
    cores = summary(series.get(Quantity.CPU_CORES, ()))
    usual = None if cores is None else cores.p95
    return sizings(attempt.resources, attempt.usage, usual_cores=usual, reason=attempt.reason)


def _sizing(sizing: Sizing) -> Json:
    return {
        "resource": sizing.kind,
        "share": round(sizing.share, 3),
        "verdict": sizing.verdict.value,
        "enough": sizing.enough_text,
        "sentence": sizing.sentence,
    }
