"""What an end posts besides: the summary of a sweep, the notice of a job that never started.

Comes in: the transaction of the end. Goes out: deliveries in the outbox. Before: ``attempts``,
``intake``. Next: ``outbox``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sentinels.core.addressing import Happening, Listeners
from sentinels.core.audience import Audience, NoticeRules
from sentinels.core.job import JobId, Reason
from sentinels.core.queueing import Delivery, Summary
from sentinels.core.submission import Submission
from sentinels.core.sweeps import summary as worded_summary
from sentinels.core.sweeps import sweep_notice
from sentinels.db.engine import statement
from sentinels.db.outbox import post
from sentinels.db.rows import audience_of, submission_of
from sentinels.db.sweeps import read_sweep


@dataclass(frozen=True, slots=True)
class Subject:
    """A job as far as its notices depend on it."""

    submission: Submission
    user: str
    sweep_id: JobId | None
    audience: Audience


def subject_of(connection: Connection, job_id: JobId) -> Subject:
    """The job that notices are about."""
    row = connection.execute(statement("read_subject"), {"job_id": job_id}).mappings().one()
    return Subject(submission_of(row), row["user_name"], row["sweep_id"], audience_of(row))


def post_waiting_end(
    connection: Connection,
    subject: Subject,
    told: Sequence[Delivery],
    rules: NoticeRules,
    *,
    actor: str,
) -> None:
    """Tell that a job was cancelled before it started, and of its sweep if that is over now."""
    listeners = Listeners(subject.submission.notify, subject.audience, rules)
    cancelled = Happening(
        kinds=("cancelled",),
        reason=Reason.CANCELLED,
        by_owner=actor == subject.user,
        in_sweep=subject.sweep_id is not None,
    )
    post(connection, listeners.addressed(told, cancelled))
    if subject.sweep_id is not None:
        summary = listeners.addressed_summary(sweep_notice(subject.sweep_id), cancelled)
        post_if_swept(connection, subject.sweep_id, summary)


def post_sweep_end(
    connection: Connection, sweep_id: JobId, rules: NoticeRules, *, actor: str
) -> None:
    """Tell that a sweep is over, if it is now that its waiting jobs were cancelled together."""
    post_waiting_end(connection, subject_of(connection, sweep_id), (), rules, actor=actor)


def post_if_swept(connection: Connection, sweep_id: JobId | None, summary: Summary) -> None:
    """Tell how the sweep ended, if its last job has with this transaction, to whoever wants to know
    of an end that there was.

    Ends of one sweep pass one by one from here to their commits, so that the last one sees all.
    """
    if sweep_id is None or not any(summary.values()):
        return
    connection.execute(statement("lock_sweep"), {"sweep_id": sweep_id})
    if not connection.execute(statement("sweep_is_over"), {"sweep_id": sweep_id}).scalar_one():
        return
    sweep = read_sweep(connection, sweep_id)
    told = [
        replace(delivery, body=worded_summary(sweep))
        for state, deliveries in summary.items()
        if sweep.count(state)
        for delivery in deliveries
    ]
    post(connection, told)
