"""What a recipient is told next: one message out of what is due to them.

    a program                    one notice
    a few notices                all of them, one under the other
    many notices                 a digest
    a sweep, where threads are   first what begins its thread, then replies, then the summary, which
                                 the channel sees; only the summary, where nothing was told before

Comes in: due notices, and a sweep's thread and state. Goes out: a ``Turn``. Before: ``telling``.
Next: the ``Messenger`` port.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC

from sentinels.core.addressing import SWEPT
from sentinels.core.digest import digest
from sentinels.core.job import JobId
from sentinels.core.notice_queue import DueNotice, NoticedCondition, NoticedJob
from sentinels.core.ports import Json, Message, Thread
from sentinels.core.sweeps import SweepView, opening
from sentinels.core.text import one_line

FEW = 3
"""As many notices are told in full; more become a digest."""
ROOM = 3500
"""Characters of a message; what has no room goes into the next one."""
_TITLE = 120


@dataclass(frozen=True, slots=True)
class Group:
    """Notices that belong together: of one sweep, or of none."""

    notices: Sequence[DueNotice]
    sweep_id: JobId | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A message, and the notices that are told by it: none by one that only begins a thread."""

    message: Message
    tells: Sequence[int]
    opens_thread: bool = False


def first_group(notices: Sequence[DueNotice], *, threads: bool) -> Group:
    """What is told next of what is due, the oldest first."""
    key = _key(notices[0], threads=threads)
    members = [notice for notice in notices if _key(notice, threads=threads) == key]
    return Group(members, JobId(key) if isinstance(key, int) else None)


def compose(to: str | None, group: Group) -> Turn:
    """The next message outside of any thread."""
    told = _fitting(group.notices)
    return Turn(_message(to, told), [notice.id for notice in told])


def compose_in_thread(
    to: str | None, group: Group, sweep: SweepView, thread: Thread | None
) -> Turn:
    """The next message of a sweep's story."""
    replies = [notice for notice in group.notices if notice.kind != SWEPT]
    over = [notice for notice in group.notices if notice.kind == SWEPT]
    if thread is None and over:
        # The summary says all that the others say.
        return Turn(_message(to, over), [notice.id for notice in group.notices])
    if thread is None and not sweep.is_over:
        return Turn(_opening(to, sweep, replies[0]), (), opens_thread=True)
    told = _fitting(replies) if replies else over
    message = _message(to, told)
    if thread is not None and thread.ts:
        message = replace(message, thread=thread, broadcast=not replies)
    return Turn(message, [notice.id for notice in told])


def facts_of(notice: DueNotice) -> Mapping[str, Json]:
    """What a notice says, for programs."""
    if notice.sweep is not None:
        return {**_sweep_facts(notice.sweep), "text": notice.text}
    if notice.condition is not None:
        return {**_condition_facts(notice.condition), "text": notice.text}
    return {**_job_facts(notice.job), "text": notice.text} if notice.job else {}


def _job_facts(job: NoticedJob) -> dict[str, Json]:
    return {
        "job": job.id,
        "attempt": job.attempt,
        "name": job.name,
        "user": job.user,
        "team": job.team,
        "sweep": job.sweep_id,
        "state": job.state.value,
        "reason": job.reason.value if job.reason else None,
        "reason_class": job.reason.reason_class.value if job.reason else None,
        "exit_code": job.exit_code,
    }


def _condition_facts(condition: NoticedCondition) -> dict[str, Json]:
    since = condition.since.astimezone(UTC).isoformat()
    return {"condition": condition.name, "since": since, "facts": condition.facts}


def type_of(notice: DueNotice) -> str:
    """What programs call it."""
    if notice.job is None:
        return f"condition.{notice.kind}"
    return "sweep.ended" if notice.kind == SWEPT else f"job.{notice.kind}"


def _key(notice: DueNotice, *, threads: bool) -> int | str:
    if notice.job is None:
        return "condition"
    sweep = notice.job.id if notice.kind == SWEPT else notice.job.sweep_id
    if threads and sweep is not None:
        return sweep
    return "sweeps" if notice.kind == SWEPT else "jobs"


def _fitting(notices: Sequence[DueNotice]) -> Sequence[DueNotice]:
    """As many as one message takes: all of many, since a digest is short."""
    if len(notices) > FEW:
        return notices
    room = ROOM
    for count, notice in enumerate(notices):
        room -= len(notice.text) + 2
        if room < 0:
            return notices[: max(1, count)]
    return notices


def _message(to: str | None, told: Sequence[DueNotice]) -> Message:
    many = len(told) > FEW
    text = digest(told) if many else "\n\n".join(notice.text for notice in told)
    first = told[0]
    return Message(
        to=to,
        title=_title(text, len(told), many=many),
        text=text,
        id=f"notice-{first.id}",
        at=first.at,
        type=type_of(first),
        facts=facts_of(first),
    )


def _title(text: str, count: int, *, many: bool) -> str:
    more = f" (and {count - 1} more)" if count > 1 and not many else ""
    return one_line(text, _TITLE - len(more)) + more


def _opening(to: str | None, sweep: SweepView, first: DueNotice) -> Message:
    text = opening(sweep)
    return Message(to, one_line(text, _TITLE), text, f"sweep-{sweep.sweep_id}", first.at)


def _sweep_facts(sweep: SweepView) -> dict[str, Json]:
    return {
        "sweep": sweep.sweep_id,
        "name": sweep.name,
        "user": sweep.user,
        "team": sweep.team,
        "jobs": sweep.jobs,
        "states": {state.value: count for state, count in sweep.states.items()},
        "unsuccessful": [
            {"job": job.job_id, "state": job.state.value, "why": job.why}
            for job in sweep.unsuccessful
        ],
    }
