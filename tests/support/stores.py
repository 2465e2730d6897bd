"""A log store that does as it is told: it records what was asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sentinels.core.errors import LogStoreUnavailable
from sentinels.core.log_store import LogLine
from sentinels.core.workload import WorkloadRef


@dataclass
class RecordingStore:
    """Has the lines it was given; says no while it is ``down``."""

    kept: list[LogLine] = field(default_factory=list)
    down: bool = False
    asked: list[str] = field(default_factory=list)
    expired: list[tuple[int, datetime]] = field(default_factory=list)

    def lines(
        self, ref: WorkloadRef, *, after_ns: int | None, before_ns: int | None, limit: int
    ) -> Sequence[LogLine]:
        self.check()
        self.asked.append("lines")
        low, high = after_ns or 0, before_ns or 2**63
        return [line for line in self.kept if low < line.at_ns < high][:limit]

    def last_lines(
        self, ref: WorkloadRef, count: int, *, before_ns: int | None = None
    ) -> Sequence[LogLine]:
        self.check()
        self.asked.append("last")
        there = [line for line in self.kept if line.at_ns < (before_ns or 2**63)]
        return there[max(0, len(there) - count) :]

    def last_output(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime]:
        return {}

    def check(self) -> None:
        if self.down:
            raise LogStoreUnavailable("the search store does not answer")

    def prepare(self) -> None:
        self.check()
        self.asked.append("prepare")

    def expire(self, *, days: int, today: datetime) -> int:
        self.expired.append((days, today))
        return 0
