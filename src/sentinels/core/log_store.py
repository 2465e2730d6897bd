"""What keeps the lines that workloads print after their cluster has let go of them, as a port.

Comes in: whose lines are asked for. Goes out: lines with their times. Adapter: ``services``.
Before: ``functions``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentinels.core.workload import WorkloadRef


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line without its newline. ``at_ns``: when it was printed, in nanoseconds since 1970."""

    at_ns: int
    text: str


class LogStore(Protocol):
    """Where lines are kept. All raise ``LogStoreUnavailable``; all may be repeated."""

    def lines(
        self, ref: WorkloadRef, *, after_ns: int | None, before_ns: int | None, limit: int
    ) -> Sequence[LogLine]:
        """Up to ``limit`` lines of an attempt in the order in which they were printed, after the
        one time and before the other.
        """
        ...

    def last_lines(self, ref: WorkloadRef, count: int) -> Sequence[LogLine]:
        """The last lines of an attempt, in the order in which they were printed."""
        ...

    def last_output(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime]:
        """When each of these attempts printed its last line; one without a line is left out."""
        ...
