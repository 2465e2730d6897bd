"""What the pulse says, check by check.

Comes in: the pulse that PostgreSQL keeps. Goes out: checks. Before: ``health``. Next:
``core.reading.Pulse``.
"""

from __future__ import annotations

from collections.abc import Callable

from sentinels.core.quantity import format_duration
from sentinels.core.reading import Pulse
from sentinels.core.vitals import EVENTS_JOBS, TICK_DISPATCH, TICK_NOTIFY
from sentinels.functions.submit.health_probes import Check

PASS_SECONDS = 60.0
"""A dispatch that has not finished a pass for so long counts as stopped."""
OVERDUE_SECONDS = 300.0
"""A due delivery that nobody has taken for so long counts as stuck."""
TICK_SECONDS = 120.0
"""A function that has not been ticked for so long counts as forgotten."""

_TICKS = ((TICK_DISPATCH, "dispatch"), (TICK_NOTIFY, "notify"))


def checks_from(pulse: Pulse, *, hears_jobs: bool) -> list[Check]:
    """Every check of the pulse. ``hears_jobs``: Job events are to come, as on Kubernetes."""
    sources = _sources_of_cluster if hears_jobs else _sources_of_machine
    return [look(pulse) for look in (*_FROM_PULSE, sources)]


def _dispatch(pulse: Pulse) -> Check:
    seconds = pulse.last_pass_seconds
    if seconds is None:
        return Check("dispatch", False, "has never finished a pass", "start the dispatch function")
    detail = f"last pass {_ago(seconds)}"
    if seconds > PASS_SECONDS:
        return Check("dispatch", False, detail, "start the dispatch function, and what ticks it")
    if pulse.last_pass_error:
        detail = f"{detail}, with trouble: {pulse.last_pass_error}"
        return Check("dispatch", False, detail, "see the log of dispatch; it tries again by itself")
    return Check("dispatch", True, detail)


def _queue(pulse: Pulse) -> Check:
    oldest = pulse.oldest_waiting_seconds
    since = "" if oldest is None else f", the oldest for {format_duration(int(oldest))}"
    running = f"{pulse.running} running, {pulse.dispatched} starting"
    return Check("queue", True, f"{pulse.waiting} waiting{since}; {running}")


def _lost(pulse: Pulse) -> Check:
    if not pulse.abandoned:
        return Check("launches", True, "every launch is driven")
    ids = ", ".join(map(str, pulse.abandoned[:10]))
    detail = f"nobody drives the launch of {len(pulse.abandoned)} jobs: {ids}"
    return Check("launches", False, detail, "start the dispatch function; it takes them over")


def _outbox(pulse: Pulse) -> Check:
    count = _count(pulse.outbox_pending, "delivery", "deliveries") + " pending"
    if pulse.outbox_overdue_seconds > OVERDUE_SECONDS:
        overdue = format_duration(int(pulse.outbox_overdue_seconds))
        detail = f"{count}, the oldest overdue by {overdue}"
        return Check("outbox", False, detail, "start the notify function")
    if pulse.outbox_error:
        remedy = "see: sentinels notices; deliveries are tried again by themselves"
        return Check("outbox", False, f"{count}; held up by: {pulse.outbox_error}", remedy)
    return Check("outbox", True, count)


def _dead_letters(pulse: Pulse) -> Check:
    if not pulse.dead_letters:
        return Check("dead letters", True, "none in the last day")
    newest = f"the newest of type {pulse.dead_letter_type}"
    why = f" ({pulse.dead_letter_why})" if pulse.dead_letter_why else ""
    detail = f"{_count(pulse.dead_letters, 'event')} not delivered in the last day, {newest}{why}"
    if not pulse.fresh_dead_letters:
        return Check("dead letters", True, f"{detail}; none in the last hour")
    remedy = "see the log of who did not take it; the next pass of dispatch makes up for it"
    return Check("dead letters", False, detail, remedy)


def _sources_of_machine(pulse: Pulse) -> Check:
    remedy = "sentinels up ticks both; see its log, or start it again"
    return Check("sources", _ticked(pulse), _ticks(pulse), None if _ticked(pulse) else remedy)


def _sources_of_cluster(pulse: Pulse) -> Check:
    detail = f"{_ticks(pulse)}; {_last_job_event(pulse)}"
    if not _ticked(pulse):
        remedy = "see what ticks them: PingSources, or the Deployment sources without Knative"
        return Check("sources", False, detail, remedy)
    if pulse.unheard:
        moves = f"{_count(pulse.unheard, 'move')} of jobs seen by passes alone"
        remedy = "see what watches Jobs: the ApiServerSource, or the Deployment sources"
        return Check("sources", False, f"{detail}, and {moves}", remedy)
    return Check("sources", True, detail)


def _ticked(pulse: Pulse) -> bool:
    return all(pulse.signs.get(name, TICK_SECONDS) < TICK_SECONDS for name, _ in _TICKS)


def _ticks(pulse: Pulse) -> str:
    return ", ".join(
        f"{function} ticked {_ago(pulse.signs[name])}"
        if name in pulse.signs
        else f"{function} was never ticked"
        for name, function in _TICKS
    )


def _last_job_event(pulse: Pulse) -> str:
    seconds = pulse.signs.get(EVENTS_JOBS)
    return "no Job event yet" if seconds is None else f"last Job event {_ago(seconds)}"


def _ago(seconds: float) -> str:
    return f"{format_duration(int(seconds))} ago"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


_FROM_PULSE: tuple[Callable[[Pulse], Check], ...] = (
    _dispatch,
    _queue,
    _lost,
    _outbox,
    _dead_letters,
)
