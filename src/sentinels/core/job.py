"""The words: states of a job, the moves between them, and the reasons that decide which move.

Read this first. A *job* is the row a user sees; an *attempt* is the nth time it was launched; a
*workload* is what executes an attempt. ``MOVES`` is the only place where the states' order is
written down: ``db/sql/move_job.sql`` receives the allowed states from it.

Comes in: nothing. Goes out: the vocabulary every module uses. Next: ``submission`` (what a user
asks for), then ``observation`` (what the cluster was seen doing).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType, assert_never

JobId = NewType("JobId", int)
"""The small integer a user types."""


class JobState(StrEnum):
    """Where a job is. Six, no more: detail goes into ``Reason``."""

    QUEUED = "queued"
    """Waiting in PostgreSQL. The dispatch function or a cancel moves it on."""
    DISPATCHED = "dispatched"
    """Claimed for a launch, perhaps launched, not yet seen running."""
    RUNNING = "running"
    """Its workload was seen running."""
    SUCCEEDED = "succeeded"
    """Its last attempt ended with exit code 0. Terminal."""
    FAILED = "failed"
    """Its last attempt ended otherwise and no retry is left; ``reason`` says how. Terminal."""
    CANCELLED = "cancelled"
    """Somebody cancelled it, and nothing of it runs any more. Terminal."""


TERMINAL_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
LIVE_STATES = frozenset({JobState.DISPATCHED, JobState.RUNNING})
"""States in which a workload may exist."""


class Move(StrEnum):
    """The named edges between states."""

    SUBMIT = "submit"
    DISPATCH = "dispatch"
    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    REQUEUE = "requeue"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Edge:
    """From which states a move may happen, and where it leads."""

    allowed: frozenset[JobState]
    target: JobState


MOVES: dict[Move, Edge] = {
    Move.SUBMIT: Edge(frozenset(), JobState.QUEUED),
    Move.DISPATCH: Edge(frozenset({JobState.QUEUED}), JobState.DISPATCHED),
    Move.START: Edge(frozenset({JobState.DISPATCHED}), JobState.RUNNING),
    Move.SUCCEED: Edge(LIVE_STATES, JobState.SUCCEEDED),
    Move.FAIL: Edge(LIVE_STATES, JobState.FAILED),
    Move.REQUEUE: Edge(LIVE_STATES, JobState.QUEUED),
    Move.CANCEL: Edge(LIVE_STATES | {JobState.QUEUED}, JobState.CANCELLED),
}


class ReasonClass(StrEnum):
    """Whose doing it was. Retry, notice and advice read this."""

    USER = "user"
    INFRASTRUCTURE = "infrastructure"
    OPERATOR = "operator"


class Outcome(StrEnum):
    """What a reason makes of a live job."""

    FAIL = "fail"
    REQUEUE = "requeue"
    CANCEL = "cancel"


class Reason(StrEnum):
    """Why an attempt ended without success. A success has no reason."""

    EXITED_NONZERO = "exited_nonzero"
    OUT_OF_MEMORY = "out_of_memory"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    KILLED = "killed"
    REJECTED = "rejected"
    IMAGE_UNAVAILABLE = "image_unavailable"
    CONFIG_MISSING = "config_missing"
    DEPENDENCY_FAILED = "dependency_failed"
    EVICTED = "evicted"
    PREEMPTED = "preempted"
    NODE_LOST = "node_lost"
    WORKLOAD_LOST = "workload_lost"
    NEVER_PLACED = "never_placed"
    QUOTA_EXCEEDED = "quota_exceeded"
    REGISTRY_UNAVAILABLE = "registry_unavailable"
    CANCELLED = "cancelled"

    @property
    def reason_class(self) -> ReasonClass:
        """Whose doing it was; total over all reasons."""
        return _CLASSES[self]

    @property
    def outcome(self) -> Outcome:
        """What becomes of the job unless its retry policy says otherwise; total."""
        match self.reason_class:
            case ReasonClass.USER:
                return Outcome.FAIL
            case ReasonClass.INFRASTRUCTURE:
                return Outcome.REQUEUE
            case ReasonClass.OPERATOR:
                return Outcome.CANCEL
            case _ as unknown:
                assert_never(unknown)

    @property
    def sentence(self) -> str:
        """What it means, for people."""
        return _SENTENCES[self]


_CLASSES: dict[Reason, ReasonClass] = {
    Reason.EXITED_NONZERO: ReasonClass.USER,
    Reason.OUT_OF_MEMORY: ReasonClass.USER,
    Reason.DEADLINE_EXCEEDED: ReasonClass.USER,
    Reason.KILLED: ReasonClass.USER,
    Reason.REJECTED: ReasonClass.USER,
    Reason.IMAGE_UNAVAILABLE: ReasonClass.USER,
    Reason.CONFIG_MISSING: ReasonClass.USER,
    Reason.DEPENDENCY_FAILED: ReasonClass.OPERATOR,
    Reason.EVICTED: ReasonClass.INFRASTRUCTURE,
    Reason.PREEMPTED: ReasonClass.INFRASTRUCTURE,
    Reason.NODE_LOST: ReasonClass.INFRASTRUCTURE,
    Reason.WORKLOAD_LOST: ReasonClass.INFRASTRUCTURE,
    Reason.NEVER_PLACED: ReasonClass.INFRASTRUCTURE,
    Reason.QUOTA_EXCEEDED: ReasonClass.INFRASTRUCTURE,
    Reason.REGISTRY_UNAVAILABLE: ReasonClass.INFRASTRUCTURE,
    Reason.CANCELLED: ReasonClass.OPERATOR,
}

_SENTENCES: dict[Reason, str] = {
    Reason.EXITED_NONZERO: "the program ended with a non-zero exit code",
    Reason.OUT_OF_MEMORY: "it used more memory than it asked for",
    Reason.DEADLINE_EXCEEDED: "it ran into its own time limit",
    Reason.KILLED: "a signal ended it that Sentinels did not send",
    Reason.REJECTED: "the cluster refused the workload as it was described",
    Reason.IMAGE_UNAVAILABLE: "there is no such image",
    Reason.CONFIG_MISSING: "a secret or setting that it names does not exist",
    Reason.DEPENDENCY_FAILED: "a job it was to start after did not succeed",
    Reason.EVICTED: "its node asked it to leave",
    Reason.PREEMPTED: "a more urgent job took its place",
    Reason.NODE_LOST: "its node disappeared",
    Reason.WORKLOAD_LOST: "its workload disappeared before an outcome was recorded",
    Reason.NEVER_PLACED: "the cluster could not place it in time",
    Reason.QUOTA_EXCEEDED: "the quota of its team's namespace left no room for it",
    Reason.REGISTRY_UNAVAILABLE: "the image registry did not answer",
    Reason.CANCELLED: "somebody cancelled it",
}


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One row of ``job_events``: a move that happened. ``from_state`` is None for the submit; a
    bump is from queued to queued.
    """

    job_id: JobId
    attempt: int
    from_state: JobState | None
    to_state: JobState
    reason: Reason | None
    actor: str
    at: datetime
    detail: str | None = None


def workload_name(job_id: JobId, attempt: int) -> str:
    """The deterministic name of an attempt's workload: a DNS label of at most 63 characters."""
    return f"sentinels-{job_id}-{attempt}"
