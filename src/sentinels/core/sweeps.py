"""A sweep's story in two messages: what begins its thread, and the summary of its end.

Comes in: what became of its jobs. Goes out: text. Before: ``settling``, which posts the summary
with the end of the last job. Next: ``composing``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sentinels.core.addressing import SWEPT
from sentinels.core.job import TERMINAL_STATES, JobId, JobState
from sentinels.core.notice import MESSENGER
from sentinels.core.ports import Json
from sentinels.core.quantity import format_duration
from sentinels.core.queueing import Delivery
from sentinels.core.text import one_line
from sentinels.core.workload import WorkloadRef

MOST_FAILURES = 10
_LINE = 200
_PARAMS = 60


@dataclass(frozen=True, slots=True)
class Unsuccessful:
    """A job of a sweep that did not succeed: its parameters in a line, and why."""

    job_id: JobId
    state: JobState
    params: Mapping[str, object]
    why: str


@dataclass(frozen=True, slots=True)
class SweepView:
    """What became of a sweep's jobs. ``unsuccessful`` are the first of those that ended badly.

    ``definition`` is what was swept, in a config's words; ``at_once`` None: all of it at a time.
    """

    sweep_id: JobId
    name: str
    user: str
    team: str
    jobs: int
    states: Mapping[JobState, int]
    submitted_at: datetime
    finished_at: datetime | None
    unsuccessful: Sequence[Unsuccessful] = field(default=())
    definition: Mapping[str, Json] = field(default_factory=dict)
    at_once: int | None = None

    def count(self, state: JobState) -> int:
        """How many of its jobs are in this state."""
        return self.states.get(state, 0)

    @property
    def is_over(self) -> bool:
        """Whether all of its jobs have ended."""
        return sum(map(self.count, TERMINAL_STATES)) == self.jobs


def sweep_notice(sweep_id: JobId, told: Sequence[Delivery] = ()) -> Delivery:
    """The delivery for the end of a sweep's last job, not before what is ``told`` of that end;
    ``summary`` words it when it has come.
    """
    after = max((each.after_seconds for each in told), default=0.0)
    return Delivery(WorkloadRef(sweep_id, 0), SWEPT, MESSENGER, after_seconds=after)


def opening(sweep: SweepView) -> str:
    """What begins a thread."""
    return (
        f"▶ sweep {sweep.sweep_id} {sweep.name} ({sweep.user}): {sweep.jobs} jobs;"
        " what becomes of them is told in this thread\n"
        f"See them: sentinels sweep {sweep.sweep_id}"
    )


def summary(sweep: SweepView) -> str:
    """How the whole sweep ended."""
    well = sweep.count(JobState.SUCCEEDED) == sweep.jobs
    lines = [
        f"{'✔' if well else '✘'} sweep {sweep.sweep_id} {sweep.name} ({sweep.user}) is over"
        f"{_took(sweep)}: {sweep.jobs} jobs, {_counts(sweep)}",
        *(_failure(each) for each in sweep.unsuccessful[:MOST_FAILURES]),
    ]
    others = sweep.jobs - sweep.count(JobState.SUCCEEDED) - len(lines) + 1
    if others > 0:
        lines.append(f"… and {others} more that did not succeed")
    lines.append(f"Compare them: sentinels sweep {sweep.sweep_id}")
    return "\n".join(lines)


def _took(sweep: SweepView) -> str:
    if sweep.finished_at is None:
        return ""
    seconds = max(0, round((sweep.finished_at - sweep.submitted_at).total_seconds()))
    return f" after {format_duration(seconds)}"


def _counts(sweep: SweepView) -> str:
    ended = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
    return ", ".join(f"{sweep.count(s)} {s}" for s in ended if sweep.count(s)) or "none ended"


def _failure(job: Unsuccessful) -> str:
    params = ", ".join(f"{name}={value}" for name, value in job.params.items())
    which = f" ({one_line(params, _PARAMS)})" if params else ""
    why = f": {job.why}" if job.why else ""
    return one_line(f"{job.job_id}{which} {job.state}{why}", _LINE)
