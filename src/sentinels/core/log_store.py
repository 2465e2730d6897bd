"""What keeps the lines that workloads print after their cluster has let go of them, as a port.

Comes in: whose lines are asked for. Goes out: lines with their times. Adapter: ``services``.
Before: ``log_reading``, ``functions``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentinels.core.workload import WorkloadRef


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line without its newline. ``at_ns``: when it was printed, in nanoseconds since 1970.

    ``ends``: a newline follows. Otherwise the line goes on in the next one, or the output ends.
    """

    at_ns: int
    text: str
    ends: bool = True


class LogStore(Protocol):
    """Where lines are kept. All raise ``LogStoreUnavailable``; all may be repeated. None takes
    long: one that does not answer is not asked again for some seconds.
    """

    def lines(
        self, ref: WorkloadRef, *, after_ns: int | None, before_ns: int | None, limit: int
    ) -> Sequence[LogLine]:
        """Up to ``limit`` lines of an attempt in the order in which they were printed, after the
        one time and before the other; fewer where they are long, but one if there is one.
        """
        ...

    def last_lines(
        self, ref: WorkloadRef, count: int, *, before_ns: int | None = None
    ) -> Sequence[LogLine]:
        """The last lines of an attempt (before a time), in the order in which they were printed."""
        ...

    def last_output(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime]:
        """When each of these attempts printed its last line; one without a line is left out."""
        ...

    def check(self) -> None:
        """Return where it answers; what was found a few seconds ago counts."""
        ...

    def prepare(self) -> None:
        """See to it that lines are kept as they are asked for, whoever brings them."""
        ...

    def expire(self, *, days: int, today: datetime) -> int:
        """Delete the lines of days that are longer ago; of how many days."""
        ...
