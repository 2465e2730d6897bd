"""Bumping: give waiting jobs another priority class, and see first whom that delays.

Comes in: a caller, jobs, a class. Goes out: which are bumped and which stay as they are, whose
start moves by how much, word for those who are delayed. Before: ``functions/submit``. Next:
``shifting``, ``db/bumps``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sentinels.core.errors import (
    Conflict,
    InvalidRequest,
    NotAllowed,
    NotFound,
    SentinelsError,
)
from sentinels.core.job import LIVE_STATES, TERMINAL_STATES, JobId, JobState
from sentinels.core.policy import CurrentPolicy, Person, Policy, priority_faults
from sentinels.core.ports import Events
from sentinels.core.quantity import format_duration
from sentinels.core.queueing import Caller
from sentinels.core.rights import Act, Holder
from sentinels.core.scene import Scene
from sentinels.core.shifting import Shift, moved, shifts

MOST = 1000
"""Jobs that are bumped at once."""
_MOST_TOLD = 100
"""Owners who are told of one bump."""
_NAMED = 5
"""Jobs that are named to each of them."""

Told = Mapping[JobId, str]
"""What is told of a job to its people."""


@dataclass(frozen=True, slots=True)
class Target:
    """A job that somebody wants to bump. ``priority`` is its class's number."""

    job_id: JobId
    name: str
    state: JobState
    priority: int
    user: str
    team: str
    holder: Holder


@dataclass(frozen=True, slots=True)
class Left:
    """A job that stays as it is, and why. ``error`` is what it is to somebody who asked for this
    job alone; None: it is as they want it.
    """

    target: Target
    why: str
    error: type[SentinelsError] | None


@dataclass(frozen=True, slots=True)
class Bump:
    """What is to be done: these jobs, to this number. ``names`` are the classes by their number;
    ``told`` says what their owners are told of other jobs, given those that were bumped.
    """

    jobs: Sequence[Target]
    priority: int
    names: Mapping[int, str]
    caller: Caller
    told: Callable[[Collection[int]], Told]


class Bumps(Protocol):
    """What bumping asks of PostgreSQL. All raise ``QueueUnavailable``; all may be repeated."""

    def targets(self, job_ids: Sequence[int]) -> Sequence[Target]:
        """These jobs, whosever they are."""
        ...

    def scene(self, *, now: datetime) -> Scene:
        """The queue and the cluster as they are."""
        ...

    def bump(self, bump: Bump) -> frozenset[int]:
        """Do it, in one transaction with its notices; those that still waited."""
        ...


@dataclass(frozen=True, slots=True)
class BumpPorts:
    """What bumping stands on."""

    bumps: Bumps
    policy: CurrentPolicy
    events: Events


@dataclass(frozen=True, slots=True)
class Bumped:
    """What a bump does, or did: to which jobs, which it leaves, whose starts move.

    ``unforeseen`` of the jobs are so far back in the queue, or wait for something else, that nobody
    can say whom they delay.
    """

    policy: Policy
    priority: str
    jobs: Sequence[Target]
    left: Sequence[Left]
    shifts: Mapping[JobId, Shift]
    unforeseen: int

    @property
    def delayed(self) -> list[Shift]:
        """The other jobs that start later, the most delayed first."""
        ours = {job.job_id for job in self.jobs}
        return [each for each in self.shifts.values() if each.is_later and each.job_id not in ours]


def foresee_bump(
    ports: BumpPorts, caller: Caller, job_ids: Sequence[int], priority: str, *, now: datetime
) -> Bumped:
    """What it would do. Raises ``InvalidRequest`` and ``NotAllowed`` for a class that there is not
    or that is not the caller's to use; where no job can be bumped, why the first one cannot.
    """
    policy = ports.policy()
    _check_class(policy, caller, priority)
    number = policy.priority_classes[priority]
    found = ports.bumps.targets(job_ids)
    left = [each for target in found if (each := _left(target, caller, policy, number))]
    stay = {each.target.job_id for each in left}
    jobs = [target for target in found if target.job_id not in stay]
    if not jobs:
        _refuse(left, job_ids)
        return Bumped(policy, priority, [], left, {}, 0)
    scene = ports.bumps.scene(now=now)
    ours = {job.job_id for job in jobs}
    changed = shifts(scene, moved(scene, ours, number))
    unforeseen = len(ours - {each.job_id for each in scene.waiting})
    return Bumped(policy, priority, jobs, left, {each.job_id: each for each in changed}, unforeseen)


def bump(
    ports: BumpPorts, caller: Caller, job_ids: Sequence[int], priority: str, *, now: datetime
) -> Bumped:
    """Do it, tell those who are delayed, and poke dispatch. A job that was launched meanwhile is
    left; raises as ``foresee_bump`` does.
    """
    seen = foresee_bump(ports, caller, job_ids, priority, now=now)
    if not seen.jobs:
        return seen
    done = ports.bumps.bump(
        Bump(
            jobs=seen.jobs,
            priority=seen.policy.priority_classes[priority],
            names={number: name for name, number in seen.policy.priority_classes.items()},
            caller=caller,
            told=lambda bumped: _words(seen, bumped, caller.user),
        )
    )
    ports.events.queue_changed()
    late = [_launched(job) for job in seen.jobs if job.job_id not in done]
    if not done:
        _refuse(late, job_ids)
    return replace(
        seen, jobs=[job for job in seen.jobs if job.job_id in done], left=[*seen.left, *late]
    )


def _check_class(policy: Policy, caller: Caller, priority: str) -> None:
    person = Person(caller.user, caller.team, caller.role)
    for fault in priority_faults(priority, policy, person):
        kind = NotAllowed if priority in policy.priority_classes else InvalidRequest
        raise kind(f"{priority!r}: {fault.message}", remedy=fault.remedy)


def _left(target: Target, caller: Caller, policy: Policy, number: int) -> Left | None:
    """Why this job cannot be bumped; None: it can."""
    if not caller.may(Act.SEE, target.holder):
        return Left(target, "is not there", NotFound)
    if target.state in TERMINAL_STATES:
        return Left(target, f"has ended ({target.state}): a bump is for jobs that wait", Conflict)
    if target.state in LIVE_STATES:
        return _launched(target)
    if not caller.may(Act.CHANGE, target.holder):
        who = "a lead of the team" if target.team == caller.team else "an operator"
        return Left(target, f"is {target.user}'s: {who} may bump it", NotAllowed)
    if target.priority == number:
        return Left(target, f"is {policy.class_name(number)} already", None)
    return None


def _launched(target: Target) -> Left:
    return Left(target, "was launched already: a bump is for jobs that wait", Conflict)


def _refuse(left: Sequence[Left], job_ids: Sequence[int]) -> None:
    """Raise what kept the first of them back that is not as it is wanted."""
    for each in left:
        if each.error is not None and each.error is not NotFound:
            job_id = each.target.job_id
            raise each.error(f"job {job_id} {each.why}", remedy=f"see: sentinels status {job_id}")
    if all(each.error is NotFound for each in left):
        which = f"job {job_ids[0]}" if job_ids else "such job that waits"
        raise NotFound(f"there is no {which}", remedy="see: sentinels queue")


def _words(seen: Bumped, bumped: Collection[int], actor: str) -> Told:
    """One notice for each owner who is delayed and did not do it, about their most delayed job."""
    owners: dict[str, list[Shift]] = defaultdict(list)
    for shift in seen.shifts.values():
        if shift.is_later and shift.user != actor:
            owners[shift.user].append(shift)
    return {
        delayed[0].job_id: _text(delayed, sorted(bumped), actor, seen.priority)
        for delayed in list(owners.values())[:_MOST_TOLD]
    }


def _text(delayed: Sequence[Shift], bumped: Sequence[int], actor: str, priority: str) -> str:
    first, *others = delayed
    which = "it" if first.job_id in bumped else _listed(bumped)
    text = f"⇅ job {first.job_id} is delayed {_by(first)}: {actor} bumped {which} to {priority}"
    if others:
        text += f"\ndelayed, too: job {_listed([each.job_id for each in others])}"
    return f"{text}\nSee when it starts: sentinels status {first.job_id}"


def _by(shift: Shift) -> str:
    if shift.later == float("inf"):
        return "for longer than can be foreseen"
    return f"by about {format_duration(int(shift.later) // 60 * 60)}"


def _listed(ids: Sequence[int]) -> str:
    named = ", ".join(map(str, ids[:_NAMED]))
    return named if len(ids) <= _NAMED else f"{named} and {len(ids) - _NAMED} more"
