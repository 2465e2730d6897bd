"""Notices that are due, by recipient: what telling asks of PostgreSQL.

A recipient is taken, not a notice: whoever has taken one is alone in telling them, and so keeps to
their pace. Comes in: the outbox. Goes out: values. Adapter: ``db/notices``. Before: ``addressing``.
Next: ``composing``, ``telling``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentinels.core.job import JobId, JobState, Reason
from sentinels.core.ports import Json, Thread
from sentinels.core.sweeps import SweepView


@dataclass(frozen=True, slots=True)
class NoticedJob:
    """The job and the attempt that a notice is about; ``attempt`` is 0 before the first launch."""

    id: JobId
    attempt: int
    name: str
    user: str
    team: str
    state: JobState
    reason: Reason | None
    exit_code: int | None
    sweep_id: JobId | None


@dataclass(frozen=True, slots=True)
class NoticedCondition:
    """The condition that a notice is about, where that is no job."""

    name: str
    since: datetime
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A notice that is due, about a job or a condition; ``sweep`` is what a summary is of."""

    id: int
    kind: str
    text: str
    at: datetime
    tries: int
    job: NoticedJob | None = None
    condition: NoticedCondition | None = None
    sweep: SweepView | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who was taken; ``address`` None is the default channel. ``failures``: tries in vain."""

    address: str | None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a recipient is left alone after each message: the longer, up to ``most`` seconds,
    the more they have been told lately.
    """

    least: float
    most: float


class NoticeQueue(Protocol):
    """The outbox's notices. All raise ``QueueUnavailable``; all may be repeated."""

    def take(self, *, lease_seconds: float) -> Recipient | None:
        """Take the recipient who has waited longest and may be told now; None: nobody."""
        ...

    def claim(self, address: str | None, *, lease_seconds: float) -> bool:
        """Take this recipient; False where they may not be told anything now."""
        ...

    def due(self, address: str | None, *, ahead_seconds: float, most: int) -> Sequence[DueNotice]:
        """What a recipient is due to be told, now and so much later; the oldest first."""
        ...

    def soon(self) -> float | None:
        """In how many seconds somebody may be told something; None: nothing waits."""
        ...

    def told(self, address: str | None, ids: Sequence[int], pace: Pace) -> None:
        """These arrived; the recipient is left alone for a while."""
        ...

    def kept(self, address: str | None, ids: Sequence[int]) -> None:
        """Nothing brings these to the address; they stay to be read."""
        ...

    def failed(self, address: str | None, ids: Sequence[int], error: str, pace: Pace) -> None:
        """These will never arrive."""
        ...

    def redirect(self, address: str, ids: Sequence[int], error: str, pace: Pace) -> None:
        """These will never arrive there: they go to the default channel, and say so."""
        ...

    def postpone(
        self, address: str | None, ids: Sequence[int], *, after_seconds: float, error: str
    ) -> None:
        """These did not arrive; the recipient is tried again after a while."""
        ...

    def thread(self, sweep_id: JobId, address: str | None) -> Thread | None:
        """The sweep's thread with this recipient; with an empty ``ts`` one that was lost."""
        ...

    def keep_thread(self, sweep_id: JobId, address: str | None, thread: Thread) -> None:
        """Remember a sweep's thread."""
        ...

    def sweep(self, sweep_id: JobId) -> SweepView:
        """What has become of a sweep's jobs."""
        ...
