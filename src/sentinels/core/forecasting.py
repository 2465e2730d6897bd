"""Foretell starts now and then, keep what was foretold, and tell owners whose start slips.

Once a minute by one process, within a bounded time: the planner is run ahead twice over the whole
queue. Kept is the first range and each that is clearly another, so that it can be compared with
what came. Comes in: a scene. Goes out: predictions, and notices of slips. Before:
``functions/notify``. Next: ``foreseeing``, ``addressing``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sentinels.core.addressing import Happening, Listeners
from sentinels.core.audience import Audience, NoticeRules
from sentinels.core.fitting import PastUse
from sentinels.core.foreseeing import Look, Range, ranges
from sentinels.core.job import JobId
from sentinels.core.notice import MESSENGER
from sentinels.core.ports import Clock
from sentinels.core.quantity import format_duration
from sentinels.core.queueing import Delivery
from sentinels.core.scene import Scene, Waiting
from sentinels.core.submission import Submission
from sentinels.core.workload import WorkloadRef

ROUND = "forecast"
EVERY_SECONDS = 60.0
MOST_SECONDS = 5.0
"""What is not foreseen within this time is not foretold this time."""
COARSE_SECONDS = 60.0
SLIP_SECONDS, SLIP_PART = 900.0, 0.25
"""A start that is later than was said by less than this, or by less than this part of the wait that
was said, is no slip."""
_SAME_SECONDS, _SAME_PART = 120.0, 0.1
KIND = "slipped"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was foretold of a job's next start: first, and last."""

    first: Range
    newest: Range
    told: bool = False
    """Whether its owner was told that it slips."""


@dataclass(frozen=True, slots=True)
class Change:
    """How the answer to why a job waits changed."""

    at: datetime
    sentence: str


@dataclass(frozen=True, slots=True)
class Owned:
    """A waiting job and its people."""

    ref: WorkloadRef
    user: str
    submission: Submission
    in_sweep: bool
    audience: Audience


class Foresight(Protocol):
    """What is asked of PostgreSQL about what will be. All raise ``QueueUnavailable``."""

    def scene(self, *, now: datetime, most: int = ...) -> Scene:
        """The whole at one moment, with as many waiting jobs at most."""
        ...

    def predictions(self, ids: Sequence[int]) -> Mapping[int, Prediction]:
        """What was foretold of these jobs' next starts."""
        ...

    def keep(self, found: Mapping[int, Range]) -> None:
        """Keep these predictions of jobs that wait."""
        ...

    def owned(self, ids: Sequence[int]) -> Sequence[Owned]:
        """Those of these jobs that wait, with their people."""
        ...

    def past_use(self, team_id: int, name: str) -> PastUse:
        """What the last runs of the team's jobs of this name used."""
        ...

    def story(self, job_id: JobId) -> Sequence[Change]:
        """How the answer to why this job waits changed, the oldest first."""
        ...


class Rounds(Protocol):
    """What is looked at now and then; see ``reminding.Watch``."""

    def begin_round(self, name: str, *, every_seconds: float) -> bool:
        """Whether it is time for the next round of this name, and nobody else began it."""
        ...

    def remind(self, deliveries: Sequence[Delivery]) -> None:
        """Post these; one that is there already stays as it is."""
        ...


@dataclass(frozen=True, slots=True)
class Forecaster:
    """Foretells. ``stopwatch`` reads seconds from any fixed origin."""

    queue: Rounds
    foresight: Foresight
    clock: Clock
    rules: NoticeRules
    stopwatch: Callable[[], float]

    def look(self) -> None:
        """Foretell, if it is time."""
        if not self.queue.begin_round(ROUND, every_seconds=EVERY_SECONDS):
            return
        scene = self.foresight.scene(now=self.clock())
        if not scene.waiting:
            return
        found = ranges(scene, look=look_for(MOST_SECONDS, self.stopwatch))
        known = self.foresight.predictions(list(found))
        self.foresight.keep(
            {
                job_id: new
                for job_id, new in found.items()
                if job_id not in known or is_another(known[job_id].newest, new, scene.now)
            }
        )
        slips = {
            job.job_id: (known[job.job_id].first, found[job.job_id])
            for job in scene.waiting
            if job.job_id in known
            and not known[job.job_id].told
            and slips_much(known[job.job_id].first, found[job.job_id], job)
        }
        if slips:
            self._tell(slips)

    def _tell(self, slips: Mapping[JobId, tuple[Range, Range]]) -> None:
        for owned in self.foresight.owned(list(slips)):
            told = slip_notice(owned, *slips[owned.ref.job_id])
            listeners = Listeners(owned.submission.notify, owned.audience, self.rules)
            what = Happening((KIND,), in_sweep=owned.in_sweep)
            self.queue.remind(listeners.addressed([told], what))


def look_for(seconds: float, stopwatch: Callable[[], float]) -> Look:
    """A look ahead that ends after so many seconds from now."""
    end = stopwatch() + seconds
    return Look(coarse_seconds=COARSE_SECONDS, go_on=lambda: stopwatch() < end)


def is_another(old: Range, new: Range, now: datetime) -> bool:
    """Whether a range is worth keeping beside the one before."""
    if (old.late is None) != (new.late is None):
        return True
    bounds = [(old.early, new.early), (old.late or old.early, new.late or new.early)]
    return any(
        abs((one - other).total_seconds())
        > max(_SAME_SECONDS, _SAME_PART * (other - now).total_seconds())
        for one, other in bounds
    )


def slips_much(first: Range, new: Range, job: Waiting) -> bool:
    """Whether a start is expected so much later than was said that its owner should know."""
    if first.late is None:
        return False
    slip = (new.early - first.late).total_seconds()
    said = (first.late - job.enqueued_at).total_seconds()
    return slip > max(SLIP_SECONDS, SLIP_PART * said)


def slip_notice(owned: Owned, first: Range, new: Range) -> Delivery:
    """The notice that a job starts later than was said."""
    job_id, by = owned.ref.job_id, first.late or first.early
    slip = int((new.early - by).total_seconds()) // 60 * 60
    until = f" to {_time(new.late)}" if new.late else " or later"
    text = (
        f"↷ job {job_id} {owned.submission.name} ({owned.user}) starts later than expected:"
        f" {_time(new.early)}{until}, not by {_time(by)}"
        f" ({format_duration(slip)} later at the least)\n"
        f"Why, and what would start it: sentinels why {job_id}"
    )
    return Delivery(owned.ref, KIND, MESSENGER, body=text)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M} UTC"
