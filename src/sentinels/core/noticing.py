"""A start or an end, as the notices that are posted with it: what is said, and to whom.

Comes in: an attempt and what happened to it. Goes out: deliveries for the outbox. Before:
``settling``. Next: ``notice`` (the words), ``addressing`` (the addresses), ``telling``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sentinels.core.addressing import ENDS, Happening, Listeners
from sentinels.core.audience import NoticeRules
from sentinels.core.job import Move, Reason
from sentinels.core.notice import KINDS, start_notices
from sentinels.core.queueing import Delivery, LiveAttempt, Summary
from sentinels.core.sweeps import sweep_notice

_PREEMPTED = ("preempted", KINDS[Move.REQUEUE])
"""Somebody's decision and no fault: its owner is to know of it."""


def noticed_start(
    attempt: LiveAttempt, started_at: datetime, rules: NoticeRules
) -> Sequence[Delivery]:
    """Who is told that it started; a first attempt may have waited long for that."""
    waited = round((started_at - attempt.submitted_at).total_seconds())
    is_long = attempt.ref.attempt == 1 and waited >= rules.long_wait_seconds
    kinds = ("long_wait", "started") if is_long else ("started",)
    began = Happening(kinds, in_sweep=attempt.sweep_id is not None)
    return _listeners(attempt, rules).addressed(
        start_notices(attempt, waited if is_long else 0), began
    )


def noticed_end(
    attempt: LiveAttempt,
    move: Move,
    reason: Reason | None,
    told: Sequence[Delivery],
    rules: NoticeRules,
) -> tuple[list[Delivery], Summary]:
    """Who is told these notices of an end, and who its sweep's summary if that is over with it."""
    listeners = _listeners(attempt, rules)
    told_apart = move is Move.REQUEUE and reason is Reason.PREEMPTED
    ended = Happening(
        kinds=_PREEMPTED if told_apart else (KINDS[move],),
        reason=reason,
        by_owner=move is Move.CANCEL and attempt.cancel_actor == attempt.user,
        in_sweep=attempt.sweep_id is not None,
    )
    deliveries = listeners.addressed(told, ended)
    if attempt.sweep_id is None or not ENDS & set(ended.kinds):
        return deliveries, {}
    return deliveries, listeners.addressed_summary(sweep_notice(attempt.sweep_id, told), ended)


def _listeners(attempt: LiveAttempt, rules: NoticeRules) -> Listeners:
    return Listeners(attempt.submission.notify, attempt.audience, rules)
