"""What the verbs ask of PostgreSQL: the rows as values, and one Protocol for each verb.

All methods raise ``QueueUnavailable``; every one may be repeated, since each change is guarded by
state and attempt. Adapter: ``db``. Next: ``submitting``, ``dispatching``, ``settling``,
``notifying``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sentinels.core.audience import Audience, NoticeRules
from sentinels.core.capacity import Node, Resources, Snapshot
from sentinels.core.dossier import Dossier
from sentinels.core.job import JobId, JobState, Move, Reason
from sentinels.core.observation import Finished, Usage
from sentinels.core.pacing import Pace
from sentinels.core.planning import Decision, Grant, LaneHead
from sentinels.core.ports import TrackerRun
from sentinels.core.preempting import Clearance
from sentinels.core.quota import PastUse, TeamUse
from sentinels.core.retrying import PastAttempt
from sentinels.core.rights import Act, Holder, Reach, Role, may, reach
from sentinels.core.scene import Occupant
from sentinels.core.submission import Submission
from sentinels.core.workload import Image, WorkloadRef


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: found by their token."""

    user_id: int
    user: str
    team_id: int
    team: str
    role: Role = Role.MEMBER

    @property
    def holder(self) -> Holder:
        """The caller as whose things are."""
        return Holder(self.user_id, self.team_id)

    def may(self, act: Act, holder: Holder | None = None) -> bool:
        """Whether the caller may do this to what is the holder's; see ``rights.may``."""
        return may(self.role, self.holder, act, holder)

    def reach(self, act: Act) -> Reach:
        """Whose things the caller may do this to; see ``rights.reach``."""
        return reach(self.role, self.holder, act)

    @property
    def seen_team(self) -> int | None:
        """The team whose things the caller sees; None: every team's."""
        return self.reach(Act.SEE).team_id


@dataclass(frozen=True, slots=True)
class Pushed:
    """The jobs of one push. ``replayed``: the same push had been stored before. ``same``: under
    no key or another, but its jobs have not all ended. ``warnings``: what its owner should know.
    """

    job_ids: tuple[JobId, ...]
    replayed: bool
    warnings: tuple[str, ...] = ()
    same: bool = False


@dataclass(frozen=True, slots=True)
class Sameness:
    """What a push is told from others of its user by, for how many seconds; ``again``: it is to be
    stored whatever there is.
    """

    digest: bytes
    seconds: float
    again: bool = False


@dataclass(frozen=True, slots=True)
class Push:
    """One push, ready to be stored: jobs of one image, priority and shape, all or nothing.

    ``digest`` tells two pushes under one idempotency key apart. ``rerun_of`` is the job whose
    config and image these have. ``sameness`` None: it is like no other. ``swept`` is what was
    swept, in a config's words, and ``at_once`` how many of its jobs may be live or in line at a
    time.
    """

    submissions: Sequence[Submission]
    image: Image
    priority: int
    key: str | None
    digest: bytes
    rerun_of: JobId | None = None
    sameness: Sameness | None = None
    swept: Mapping[str, object] = field(default_factory=dict)
    at_once: int | None = None


@dataclass(frozen=True, slots=True)
class SweepCancelled:
    """What became of a cancelled sweep's jobs: how many waited and are cancelled, and how many
    were asked to end.
    """

    waiting: int
    asked: int


class NodeWish(StrEnum):
    """What an operator wants of a node."""

    CLOSE = "close"
    OPEN = "open"


class IntakeQueue(Protocol):
    """What ``submitting`` needs."""

    def replay(self, caller: Caller, key: str, digest: bytes) -> Pushed | None:
        """The jobs stored under this key. Raises ``Conflict`` where it was for another push."""
        ...

    def submit(self, caller: Caller, push: Push) -> Pushed:
        """Store the push, or find the same one; a concurrent one under the same key, or that is the
        same, wins or loses as a whole.
        """
        ...

    def nodes(self) -> Sequence[Node]:
        """The nodes as the last dispatch pass saw them."""
        ...

    def waiting(self, caller: Caller, *, most: int) -> int:
        """How many jobs of the caller's team wait, deferred ones too, counted up to ``most``."""
        ...

    def team_use(self, caller: Caller) -> TeamUse:
        """What the caller's team holds now, its GPU-hours of this month too."""
        ...

    def wish_node(self, caller: Caller, node: str, wish: NodeWish) -> bool:
        """Remember what the caller wants of a node; False where there is none of this name."""
        ...

    def job_states(self, caller: Caller, job_ids: Sequence[int]) -> Mapping[int, JobState]:
        """Where these jobs are; those that the caller may not see are left out."""
        ...

    def dependents(self, caller: Caller, job_id: JobId) -> Sequence[JobId]:
        """The jobs that wait for this one to succeed, of those that the caller may see."""
        ...

    def cancel(self, caller: Caller, job_id: JobId) -> JobState:
        """Cancel a waiting job, or ask for the end of a live one; its state after that.

        Raises ``NotFound``, also for what the caller may not change, and ``Conflict`` for a job
        that has ended.
        """
        ...

    def cancel_sweep(self, caller: Caller, sweep_id: JobId) -> SweepCancelled:
        """Cancel a sweep's waiting jobs, all or none, and ask for the end of its live ones."""
        ...


@dataclass(frozen=True, slots=True)
class LiveAttempt:
    """An attempt that may have a workload, with what is known of its job.

    ``launched`` is whether the workload's creation was recorded; ``lease_expired`` that nobody
    drives the launch any more; ``seconds_since_launch`` counts from the claim while not launched.
    All three are PostgreSQL's clock's words. ``leaves_for`` is the job whose place it is to make;
    ``avoids`` are nodes on which an earlier attempt met trouble.
    """

    ref: WorkloadRef
    state: JobState
    user: str
    team: str
    image: Image
    submission: Submission
    sweep_id: JobId | None
    resources: Resources
    launched: bool
    lease_expired: bool
    seconds_since_launch: float
    submitted_at: datetime
    cancel_actor: str | None
    run: TrackerRun | None
    leaves_for: JobId | None = None
    audience: Audience = field(default_factory=Audience)
    avoids: frozenset[str] = frozenset()

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody asked for its end."""
        return self.cancel_actor is not None


@dataclass(frozen=True, slots=True)
class Requeue:
    """When and with what a job is tried again; ``avoids`` is a node to keep away from."""

    after_seconds: int
    resources: Resources
    avoids: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing to bring to another system: a notice to the messenger, an end to the tracker.

    It is due ``after_seconds``.
    """

    ref: WorkloadRef
    kind: str
    channel: str
    recipient: str | None = None
    body: str = ""
    after_seconds: float = 0
    """How long it is to wait before it is due."""


Summary = Mapping[JobState, Sequence[Delivery]]
"""A sweep's summary, for those who want to know of jobs that ended in this state."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Everything that is written when a workload is first seen running, in one transaction."""

    ref: WorkloadRef
    actor: str
    started_at: datetime
    node: str | None
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class Ending:
    """Everything that is written when an attempt ends, in one transaction.

    ``if_swept`` is for the end of the last job of its sweep.
    """

    ref: WorkloadRef
    move: Move
    reason: Reason | None
    actor: str
    detail: str
    seen: Finished
    dossier: Dossier
    requeue: Requeue | None
    deliveries: Sequence[Delivery]
    sweep_id: JobId | None = None
    if_swept: Summary = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BrokenDependency:
    """A waiting job that was to start after one that ended without success."""

    job_id: JobId
    attempt: int
    dependency: JobId
    dependency_state: JobState


class SettlingQueue(Protocol):
    """What ``settling`` needs. A bool answer False is a stale move: somebody else was first."""

    def live_attempts(self, job_ids: Sequence[int] | None = None) -> Sequence[LiveAttempt]:
        """Every attempt that may have a workload, or those of the given jobs."""
        ...

    def past_attempts(self, ref: WorkloadRef) -> Sequence[PastAttempt]:
        """How the job's earlier attempts ended, oldest first."""
        ...

    def start(self, beginning: Beginning) -> bool:
        """Record that the workload runs: the move, the attempt and the deliveries together."""
        ...

    def end(self, ending: Ending) -> bool:
        """Record an end: the move, the attempt, the requeue and the deliveries together."""
        ...

    def take_over(self, ref: WorkloadRef, *, idle_seconds: float) -> bool:
        """Renew the lease of an attempt that was not driven for so long; False: somebody drives."""
        ...

    def unreleased(self) -> Sequence[WorkloadRef]:
        """Ended attempts whose workload the cluster has not been told to forget."""
        ...

    def mark_released(self, ref: WorkloadRef) -> None:
        """The cluster was told."""
        ...

    def broken_dependencies(self) -> Sequence[BrokenDependency]:
        """Waiting jobs that can never start."""
        ...

    def cancel_broken(self, broken: BrokenDependency, rules: NoticeRules) -> bool:
        """Cancel such a job, with the dependency as the reason, and tell its people."""
        ...


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that was popped from its lane, and where the plan saw room for it."""

    ref: WorkloadRef
    node: str | None


class Admission(Protocol):
    """An open admission: the dispatch lock is held until it closes, then all of it commits."""

    def release_deferred(self) -> int:
        """Queue the deferred jobs that are due; how many."""
        ...

    def lane_heads(self, *, depth: int) -> Sequence[LaneHead]:
        """The lanes that have waiting jobs."""
        ...

    def team_weights(self) -> Mapping[str, float]:
        """Each team's weight in the fair share."""
        ...

    def live(self) -> Sequence[Occupant]:
        """What every live attempt holds."""
        ...

    def past_uses(self) -> Mapping[str, PastUse]:
        """What each team held, as it was last kept."""
        ...

    def keep_uses(self, uses: Mapping[str, TeamUse]) -> None:
        """Keep what each team held, up to now."""
        ...

    def ask_to_leave(self, clearances: Sequence[Clearance]) -> None:
        """Mark those whose places other jobs need."""
        ...

    def claim(self, grants: Sequence[Grant], *, lease_seconds: float) -> Sequence[Claim]:
        """Pop the granted jobs and open an attempt for each; fewer where rows were taken away."""
        ...

    def record_decisions(self, decisions: Sequence[Decision]) -> None:
        """Keep why the other lanes were not admitted."""
        ...


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one dispatch pass did. ``unstarted``: launched before it, and not yet begun with."""

    settled: int
    launched: int
    waiting_lanes: int
    milliseconds: float
    unstarted: int = 0
    error: str | None = None


class DispatchQueue(SettlingQueue, Protocol):
    """What ``dispatching`` needs."""

    def record_nodes(self, snapshot: Snapshot) -> Mapping[str, NodeWish]:
        """Remember the cluster's nodes for the next push; what operators want of which."""
        ...

    def forget_wish(self, node: str) -> None:
        """The wish to open this node was fulfilled."""
        ...

    def recent_passes(self) -> Sequence[Pace]:
        """The passes of the last minutes, the newest first."""
        ...

    def admission(self) -> AbstractContextManager[Admission | None]:
        """Open an admission; None where another pass has one open."""
        ...

    def record_launch(self, ref: WorkloadRef, *, uid: str, run: TrackerRun | None) -> bool:
        """Record that the workload exists; False where the attempt has ended meanwhile."""
        ...

    def record_pass(self, report: PassReport) -> None:
        """Leave the heartbeat."""
        ...


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery taken from the outbox for a while. ``tries`` counts this one."""

    id: int
    delivery: Delivery
    tries: int


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """What is known of an attempt after its end: told to the tracker, and completed."""

    attempt: LiveAttempt
    state: JobState
    reason: Reason | None
    exit_code: int | None
    started_at: datetime | None
    finished_at: datetime
    outputs_complete: bool
    usage: Usage
    dossier: Dossier


class Outbox(Protocol):
    """What ``notifying`` needs."""

    def take_due(self, *, batch: int, lease_seconds: float) -> Sequence[DueDelivery]:
        """Take deliveries that are due, but no notices; nobody else sees them until the lease is
        over.
        """
        ...

    def delivered(self, delivery_id: int) -> None:
        """It arrived."""
        ...

    def kept(self, delivery_id: int) -> None:
        """There is nobody to deliver it to; it stays to be read."""
        ...

    def failed(self, delivery_id: int, error: str) -> None:
        """It will never arrive."""
        ...

    def postpone(self, delivery_id: int, *, after_seconds: float, error: str | None) -> None:
        """It did not arrive; it is due again after a while."""
        ...

    def ended_attempt(self, ref: WorkloadRef) -> EndedAttempt | None:
        """The attempt that a delivery is about; None where it is not over."""
        ...

    def record_run(self, ref: WorkloadRef, run: TrackerRun) -> None:
        """The tracker's run of an attempt that was launched without one."""
        ...

    def record_outputs(self, ref: WorkloadRef) -> None:
        """Everything the attempt left has reached the tracker."""
        ...

    def record_dossier(self, ref: WorkloadRef, dossier: Dossier) -> None:
        """Complete an ended attempt's dossier that has no lines; one that has some stays."""
        ...
