"""The one place that reads the wall clock; everything else is given a ``core.ports.Clock``."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)
