"""Who is told of what; ``telling`` has the words, the messenger's adapter escapes them.

Comes in: an attempt and how it moved. Goes out: deliveries for the outbox. Before: ``settling``.
Next: ``telling``; then ``notifying``, which brings them to the messenger.
"""

from __future__ import annotations

from sentinels.core.dossier import Dossier
from sentinels.core.job import Move
from sentinels.core.observation import Finished
from sentinels.core.queueing import Delivery, LiveAttempt
from sentinels.core.submission import Submission
from sentinels.core.telling import End, end_text, subject
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


def start_notices(attempt: LiveAttempt) -> list[Delivery]:
    """The notice that a job started, where it was asked for."""
    text = f"{subject(attempt)} started"
    return _wanted(attempt.ref, attempt.submission, Move.START, text)


def end_notices(
    attempt: LiveAttempt, move: Move, seen: Finished, dossier: Dossier
) -> list[Delivery]:
    """The notice of an end or a requeue, where it was asked for."""
    text = end_text(attempt, End(move, KINDS[move], seen, dossier))
    return _wanted(attempt.ref, attempt.submission, move, text)


def cancelled_in_queue(ref: WorkloadRef, submission: Submission, actor: str) -> list[Delivery]:
    """The notice that a job was cancelled before it started, where it was asked for."""
    text = f"job {ref.job_id} {submission.name} cancelled by {actor} before it started"
    return _wanted(ref, submission, Move.CANCEL, text)


def _wanted(ref: WorkloadRef, submission: Submission, move: Move, text: str) -> list[Delivery]:
    notify, kind = submission.notify, KINDS[move]
    if kind not in notify.on:
        return []
    body = f"{_MARKS[kind]} {text}"
    return [Delivery(ref, kind, MESSENGER, recipient=notify.channel, body=body)]
