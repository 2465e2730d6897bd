"""What people are told, in plain text; the messenger's adapter escapes it for its service.

Comes in: an attempt and how it moved. Goes out: worded deliveries that name nobody yet. Before:
``settling``. Next: ``addressing``, which says who is told, then ``telling``.
"""

from __future__ import annotations

from datetime import datetime

from sentinels.core.job import Move, Reason, ReasonClass
from sentinels.core.observation import Finished
from sentinels.core.quantity import format_duration, format_memory
from sentinels.core.queueing import Delivery, LiveAttempt
from sentinels.core.submission import Submission
from sentinels.core.workload import WorkloadRef

MESSENGER = "messenger"
TRACKER = "tracker"

KINDS: dict[Move, str] = {
    Move.START: "started",
    Move.SUCCEED: "succeeded",
    Move.FAIL: "failed",
    Move.REQUEUE: "requeued",
    Move.CANCEL: "cancelled",
}
"""What a notice about a move is called in a submission's ``notify.on``."""

_MARKS = {"started": "▶", "succeeded": "✔", "failed": "✘", "requeued": "↻", "cancelled": "■"}

ADVICE: dict[Reason, str] = {
    Reason.EXITED_NONZERO: "See its last lines: sentinels logs {id}",
    Reason.OUT_OF_MEMORY: "Ask for more than {memory}, or let it grow by itself: "
    "retry: {{oom: {{memory: x1.5, tries: 2}}}}",
    Reason.DEADLINE_EXCEEDED: "Give it more time (--time-limit), or save checkpoints.",
    Reason.KILLED: "Something outside Sentinels sent the signal: sentinels logs {id}",
    Reason.REJECTED: "Correct the config and push again; what the cluster is given: "
    "sentinels push --dry-run",
    Reason.IMAGE_UNAVAILABLE: "Check the image's name and tag, and that the cluster may pull it; "
    "then push again.",
    Reason.CONFIG_MISSING: "Correct secrets in the config, or have the secret made in the team's "
    "namespace; then push again.",
    Reason.EVICTED: "Its nodes asked it to leave each time: drained, or short of what others used, "
    "not of what it asked for. Push it again; see: sentinels nodes",
    Reason.PREEMPTED: "More urgent work took its place each time: push it again with a higher "
    "priority (--priority), or at a quieter time.",
    Reason.NODE_LOST: "Nodes went away under it each time; push it again once they are well: "
    "sentinels nodes",
    Reason.WORKLOAD_LOST: "Something deletes workloads behind Sentinels' back; tell whoever looks "
    "after the cluster, then push it again.",
    Reason.NEVER_PLACED: "The cluster's scheduler found no place where Sentinels saw one: look at "
    "its nodes' taints and labels (sentinels nodes), or ask for less.",
    Reason.QUOTA_EXCEEDED: "Ask for less, or have the quota of the team's namespace raised; then "
    "push it again.",
    Reason.REGISTRY_UNAVAILABLE: "Nothing is known to be wrong with the image: push it again once "
    "the registry answers.",
}
"""What to do about a job that failed, for every reason that can fail one."""

_INCOMPLETE = "artifacts: incomplete, not all that it left had reached MLflow when it ended"


def start_notices(attempt: LiveAttempt, waited_seconds: int = 0) -> list[Delivery]:
    """The notice that a job started; after a long wait it says how long."""
    after = f" after waiting {format_duration(waited_seconds)}" if waited_seconds else ""
    return _notice(attempt.ref, Move.START, f"{_subject(attempt)} started{after}")


def end_notices(
    attempt: LiveAttempt, move: Move, reason: Reason | None, seen: Finished, detail: str
) -> list[Delivery]:
    """The notice of an end or a requeue; its first line says the whole, as digests need it."""
    lines = [f"{_subject(attempt)} {KINDS[move]}{_took(seen)}{_because(reason, detail)}"]
    if move is Move.FAIL and reason is not None:
        lines.append(_advice(attempt, reason))
    if move is not Move.REQUEUE and attempt.run is not None and not seen.outputs_complete:
        lines.append(_INCOMPLETE)
    if attempt.run is not None:
        lines.append(f"MLflow: {attempt.run.page_url}")
    return _notice(attempt.ref, move, "\n".join(lines))


def cancelled_in_queue(ref: WorkloadRef, submission: Submission, actor: str) -> list[Delivery]:
    """The notice that a job was cancelled before it started."""
    text = f"job {ref.job_id} {submission.name} cancelled by {actor} before it started"
    return _notice(ref, Move.CANCEL, text)


def cancelled_for_dependency(
    ref: WorkloadRef, submission: Submission, detail: str
) -> list[Delivery]:
    """The notice that a job will not start, because one that it waited for did not succeed."""
    text = f"job {ref.job_id} {submission.name} cancelled before it started: {detail}"
    return _notice(ref, Move.CANCEL, text)


def _advice(attempt: LiveAttempt, reason: Reason) -> str:
    memory = format_memory(attempt.resources.memory_bytes)
    return ADVICE[reason].format(id=attempt.ref.job_id, memory=memory)


def _notice(ref: WorkloadRef, move: Move, text: str) -> list[Delivery]:
    """Worded for whoever it is for; ``addressing`` says who that is."""
    kind = KINDS[move]
    return [Delivery(ref, kind, MESSENGER, body=f"{_MARKS[kind]} {text}")]


def _subject(attempt: LiveAttempt) -> str:
    nth = f", attempt {attempt.ref.attempt}" if attempt.ref.attempt > 1 else ""
    return f"job {attempt.ref.job_id} {attempt.submission.name} ({attempt.user}{nth})"


def _took(seen: Finished) -> str:
    if seen.started_at is None:
        return ""
    seconds = seconds_between(seen)
    return f" after {format_duration(seconds)}" if seconds else " at once"


def seconds_between(seen: Finished) -> int:
    """Whole seconds from start to end; 0 where it never started."""
    started: datetime = seen.started_at or seen.finished_at
    return max(0, round((seen.finished_at - started).total_seconds()))


def _because(reason: Reason | None, detail: str) -> str:
    if reason is None:
        return ""
    blame = " (the infrastructure's fault)" if _is_infrastructure(reason) else ""
    return f": {detail or reason.sentence}{blame}"


def _is_infrastructure(reason: Reason) -> bool:
    return reason.reason_class is ReasonClass.INFRASTRUCTURE
