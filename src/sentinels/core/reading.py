"""What the front door reads back from PostgreSQL: the rows as values, and the Protocol over them.

Every question carries what the caller may see; a job of another team is as good as none. Nothing
here counts a table: waiting jobs are counted up to ``WAITING_BOUND`` and no further. Adapter:
``db/reading``. Before: ``queueing``. Next: ``functions/submit``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sentinels.core.capacity import Node, Resources
from sentinels.core.dossier import Dossier
from sentinels.core.job import JobEvent, JobId, JobState, Reason
from sentinels.core.observation import Usage
from sentinels.core.planning import LaneHead
from sentinels.core.ports import JobRef, Json
from sentinels.core.queueing import Caller, NodeWish
from sentinels.core.sweeps import SweepView
from sentinels.core.workload import Image, WorkloadRef

WAITING_BOUND = 10_000
"""Waiting jobs are looked at up to here; a place or a count that reaches it means "at least"."""


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as people see it; what is named ``last_`` is of its newest attempt or event.

    ``priority`` is the class that it has now; ``config`` is what was pushed.
    """

    id: JobId
    name: str
    experiment: str
    user: str
    team: str
    image: Image
    config: Mapping[str, Json]
    state: JobState
    reason: Reason | None
    attempt: int
    resources: Resources
    sweep_id: JobId | None
    submitted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    cancel_actor: str | None
    last_exit_code: int | None
    last_mlflow_url: str | None
    last_event: int
    last_detail: str | None
    last_run_id: str | None = None
    rerun_of: JobId | None = None
    priority: str = ""


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt of a job. ``live`` is whether a workload of it may still exist; ``different`` is
    how it differs from the one before it, and why.
    """

    attempt: int
    live: bool
    uid: str | None
    node: str | None
    launched_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    exit_code: int | None
    reason: Reason | None
    message: str | None
    outputs_complete: bool | None
    mlflow_run_id: str | None
    mlflow_url: str | None
    usage: Usage
    resources: Resources
    different: str | None = None


@dataclass(frozen=True, slots=True)
class EventView:
    """A row of a job's history, with its id."""

    id: int
    event: JobEvent


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs a list is about; an empty part does not filter. ``name`` matches a beginning.

    ``folded``: only the newest of each sweep's jobs that pass.
    """

    states: Sequence[JobState] = ()
    name: str | None = None
    experiment: str | None = None
    user: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    sweep: int | None = None
    team: str | None = None
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Places:
    """Where jobs stand among the waiting ones of all teams, counted from 1, first ones first.

    The order is by priority with age, then by age: the planner's, but for the fair share between
    teams, which changes with every launch.
    """

    waiting: int
    position: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """Why a lane was not admitted, as of the last pass that changed its mind.

    ``considered`` is whether a pass has looked at the lane since the job entered it.
    """

    sentence: str | None
    considered: bool


@dataclass(frozen=True, slots=True)
class Held:
    """Why a job may not be considered yet: a time, jobs that have not succeeded, by id, or its
    sweep's limit.
    """

    not_before: datetime | None
    waits_for: Mapping[int, JobState]
    limit: SweepLimit | None = None


@dataclass(frozen=True, slots=True)
class SweepLimit:
    """How many jobs of a sweep may be live or in line at once; how many are live, how many both."""

    sweep_id: JobId
    at_once: int
    live: int
    open: int


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node, what our workloads on it hold, and those of them that the caller may see.

    ``wish`` is what an operator wants of it and has not got yet, or wants to stay so.
    """

    node: Node
    used: Resources
    jobs: Sequence[int]
    wish: NodeWish | None = None

    @property
    def is_retiring(self) -> bool:
        """Whether an operator wants it empty."""
        return self.wish is NodeWish.CLOSE

    @property
    def takes_work(self) -> bool:
        """Whether the next pass may give it a job."""
        return self.node.ready and not self.is_retiring


@dataclass(frozen=True, slots=True)
class NodeJob:
    """A live attempt, of whichever team, as somebody sees it who looks after nodes.

    ``node`` is None until it was seen on one. ``time_limit`` is in seconds; None: it has none.
    """

    ref: WorkloadRef
    user: str
    team: str
    node: str | None
    started_at: datetime | None
    time_limit: int | None

    @property
    def ends_by(self) -> datetime | None:
        """When its own time limit ends it at the latest; None where nothing does."""
        if self.started_at is None or self.time_limit is None:
            return None
        return self.started_at + timedelta(seconds=self.time_limit)


@dataclass(frozen=True, slots=True)
class NoticeView:
    """A message to a person, as the outbox knows it. ``recipient`` None: the default channel."""

    id: int
    job_id: JobId
    attempt: int
    kind: str
    recipient: str | None
    text: str
    state: str
    tries: int
    error: str | None
    created_at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pulse:
    """Numbers that tell whether the whole works; counts stop at ``WAITING_BOUND``, ages in seconds.

    ``abandoned`` are jobs whose launch nobody has driven for a minute past its lease. ``passes`` is
    of all time, ``launches`` of the last hour. ``outbox_overdue_seconds`` is how long the oldest
    due delivery has not been taken; ``outbox_error`` is what holds up the most tried one. ``signs``
    are of ``core.vitals``, by name. ``unheard`` are moves that passes made in the last hour while
    no Job event came, neither before nor after. ``dead_letters`` are of the last day, the ``fresh``
    ones of the last hour; what is told of the newest is empty where there is none.
    """

    waiting: int
    deferred: int
    oldest_waiting_seconds: float | None
    dispatched: int
    running: int
    abandoned: Sequence[int]
    passes: int
    launches: int
    last_pass_seconds: float | None
    last_pass_error: str | None
    outbox_pending: int
    outbox_overdue_seconds: float
    outbox_error: str | None
    signs: Mapping[str, float]
    unheard: int
    dead_letters: int
    fresh_dead_letters: int
    dead_letter_type: str
    dead_letter_why: str


class Reading(Protocol):
    """What the front door's answers are made of. All raise ``QueueUnavailable``."""

    def find(self, caller: Caller, ref: str) -> JobRef:
        """The job meant by an id, a name (its newest) or the beginning of one name.

        Raises ``NotFound``, and ``Ambiguous`` with the names that fit.
        """
        ...

    def jobs(self, caller: Caller, ids: Sequence[int]) -> Sequence[JobView]:
        """These jobs, in this order, without those that the caller may not see."""
        ...

    def list_ids(
        self, caller: Caller, wanted: JobFilter, *, before: int | None, limit: int
    ) -> Sequence[JobId]:
        """Ids of jobs, newest first, below the id ``before``."""
        ...

    def sweep(self, caller: Caller, sweep_id: JobId) -> SweepView | None:
        """What has become of a sweep's jobs; None where the caller's team has none of this id."""
        ...

    def tallies(self, sweeps: Sequence[int]) -> Mapping[int, Mapping[JobState, int]]:
        """How many jobs of each of these sweeps are in which state."""
        ...

    def attempts(self, job: JobRef) -> Sequence[AttemptView]:
        """Every attempt, oldest first."""
        ...

    def image_seen(self, job: JobRef) -> str | None:
        """What the cluster said that the newest of its attempts ran, which it said that of."""

    def dossier(self, job: JobRef, attempt: int) -> Dossier:
        """What is kept of how an attempt ended; an empty one while it has not."""
        ...

    def events(self, job: JobRef) -> Sequence[EventView]:
        """The history, oldest first."""
        ...

    def last_event(self, job: JobRef) -> int:
        """Id of the newest event."""
        ...

    def places(self, ids: Sequence[int]) -> Places:
        """Where these jobs stand; one that is beyond ``WAITING_BOUND`` is left out."""
        ...

    def next_ids(
        self, caller: Caller, *, limit: int, team: str | None = None, folded: bool = False
    ) -> Sequence[JobId]:
        """The first waiting jobs that the caller may see, in order; deferred ones come last. Where
        ``folded``, only the first of each sweep.
        """
        ...

    def live_ids(self, caller: Caller, *, limit: int, team: str | None = None) -> Sequence[JobId]:
        """Those jobs that were claimed and have not ended."""
        ...

    def answers(self, ids: Sequence[int]) -> Mapping[int, Answer]:
        """For each of these waiting jobs, why its lane was not admitted."""
        ...

    def held(self, ids: Sequence[int]) -> Mapping[int, Held]:
        """Those of these jobs that may not be considered yet."""
        ...

    def nodes(self, caller: Caller) -> Sequence[NodeView]:
        """Every node as the last pass saw it, by name."""
        ...

    def node_jobs(self, node: str) -> Sequence[NodeJob]:
        """Every team's live attempts on this node, and those not seen on any node yet."""
        ...

    def lanes(self) -> Sequence[LaneHead]:
        """Every team's lanes that have waiting jobs, counted up to ``WAITING_BOUND``."""
        ...

    def notices(self, caller: Caller, *, job: int | None, limit: int) -> Sequence[NoticeView]:
        """Notices, newest first."""
        ...

    def late(self, job: JobRef) -> Mapping[str, str]:
        """What of the job could not be delivered yet: by channel, what the last try met with."""
        ...

    def pulse(self) -> Pulse:
        """How the whole does."""
        ...

    def conditions(self) -> Sequence[str]:
        """What on-call was told of and is not over, a line each; none names a job."""
        ...

    def behind(self) -> str | None:
        """What is wrong with the schema; None where it is of this version."""
        ...
