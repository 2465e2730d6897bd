"""Who is told of what; ``wording`` has the words, the messenger's adapter escapes them.

Comes in: an attempt and how it moved. Goes out: worded deliveries that name nobody yet. Before:
``settling``. Next: ``wording`` for the words; then ``addressing``, which says who is told.
"""

from __future__ import annotations

from sentinels.core.dossier import Dossier
from sentinels.core.job import Move
from sentinels.core.observation import Finished
from sentinels.core.quantity import format_duration
from sentinels.core.queueing import Delivery, LiveAttempt
from sentinels.core.submission import Submission
from sentinels.core.wording import End, end_text, subject
from sentinels.core.workload import WorkloadRef

MESSENGER = "messenger"
TRACKER = "tracker"
LOGS = "logs"

KINDS: dict[Move, str] = {
    Move.START: "started",
    Move.SUCCEED: "succeeded",
    Move.FAIL: "failed",
    Move.REQUEUE: "requeued",
    Move.CANCEL: "cancelled",
}
"""What a notice about a move is called in a submission's ``notify.on``."""

_MARKS = {"started": "▶", "succeeded": "✔", "failed": "✘", "requeued": "↻", "cancelled": "■"}


def start_notices(attempt: LiveAttempt, waited_seconds: int = 0) -> list[Delivery]:
    """The notice that a job started; after a long wait it says how long."""
    after = f" after waiting {format_duration(waited_seconds)}" if waited_seconds else ""
    return _notice(attempt.ref, Move.START, f"{subject(attempt)} started{after}")


def end_notices(
    attempt: LiveAttempt, move: Move, seen: Finished, dossier: Dossier
) -> list[Delivery]:
    """The notice of an end or a requeue; its first line says the whole, as digests need it."""
    text = end_text(attempt, End(move, KINDS[move], seen, dossier))
    return _notice(attempt.ref, move, text)


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


def _notice(ref: WorkloadRef, move: Move, text: str) -> list[Delivery]:
    """Worded for whoever it is for; ``addressing`` says who that is."""
    kind = KINDS[move]
    return [Delivery(ref, kind, MESSENGER, body=f"{_MARKS[kind]} {text}")]
