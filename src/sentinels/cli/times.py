"""Moments and lengths of time for people: local time, ``3m 20s ago``, ``1h 02m``.

Comes in: ISO 8601 text as the server gives it. Goes out: words. Before: ``show``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sentinels.core.quantity import about_duration


def moment(value: object) -> datetime | None:
    """The moment that an answer names."""
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def local(value: object) -> str:
    """A moment in this machine's time zone; without the date where it is today."""
    found = moment(value)
    if found is None:
        return ""
    here = found.astimezone()
    today = here.date() == datetime.now(UTC).astimezone().date()
    return here.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def minute(found: datetime) -> str:
    """The same to the minute."""
    here = found.astimezone()
    today = here.date() == datetime.now(UTC).astimezone().date()
    return here.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")


def seconds_between(start: object, end: object) -> float | None:
    """Seconds from one moment to another, or to now where the other is open."""
    begun = moment(start)
    if begun is None:
        return None
    return max(0.0, ((moment(end) or datetime.now(UTC)) - begun).total_seconds())


def ago(value: object) -> str:
    """A moment in local time, and how long ago that is."""
    seconds = seconds_between(value, None)
    if seconds is None:
        return ""
    return f"{local(value)} ({'just now' if seconds < 2 else f'{length(seconds)} ago'})"


def length(seconds: float | None) -> str:
    """A length of time for people; nothing for none."""
    return "" if seconds is None else about_duration(seconds)


def waited(job: Mapping[str, object]) -> str:
    """How long a job has waited, or waited until it started."""
    return length(seconds_between(job.get("submitted_at"), job.get("started_at")))


def ran(job: Mapping[str, object]) -> str:
    """How long a job has run, or ran."""
    return length(seconds_between(job.get("started_at"), job.get("finished_at")))
