"""What the administrator decides: who goes first, who may have how much, how waiting counts.

Pure values; ``policy_reading`` makes them of the administrator's file. Comes in: that file. Goes
out: numbers for ``planning``, answers for ``submitting``. Next: ``quota``, ``planning``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from sentinels.core.errors import Fault
from sentinels.core.faults import meant
from sentinels.core.quantity import format_duration
from sentinels.core.quota import Quota
from sentinels.core.submission import Submission

PRIORITY_CLASSES: Mapping[str, int] = {"low": 10, "normal": 20, "high": 30, "urgent": 40}
CLASS_STEP = 10
"""How far two neighbouring priority classes are apart, and what one step of ageing adds."""


CurrentPolicy = Callable[[], "Policy"]
"""Answers with the policy in force. Raises ``QueueUnavailable``."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whose push it is, as far as a policy asks."""

    user: str
    team: str
    role: str = "member"


@dataclass(frozen=True, slots=True)
class Rule:
    """Pushes that get a priority class where they name none: all that is given must fit. Names may
    have ``*`` and ``?``; a label's pattern of None asks only that it is there.
    """

    priority: str
    experiment: str | None = None
    user: str | None = None
    team: str | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)

    def fits(self, submission: Submission, person: Person) -> bool:
        """Whether it is about this push."""
        named = (
            (self.experiment, submission.experiment),
            (self.user, person.user),
            (self.team, person.team),
        )
        return all(_matches(pattern, name) for pattern, name in named) and all(
            name in submission.labels and _matches(pattern, submission.labels[name])
            for name, pattern in self.labels.items()
        )


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a class: anybody of these roles, users or teams."""

    roles: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()

    def lets(self, person: Person) -> bool:
        """Whether the person is among them."""
        return person.role in self.roles or person.user in self.users or person.team in self.teams


@dataclass(frozen=True, slots=True)
class TeamPolicy:
    """One team's part: its weight in the fair share (None: as it was set with the team), and what
    its jobs may hold together.
    """

    weight: float | None = None
    quota: Quota = field(default_factory=Quota)


@dataclass(frozen=True, slots=True)
class Preemption:
    """Which classes' jobs may ask others to leave, and which classes' jobs may be asked.

    A job asks only jobs of a lower class, and only where it fits nowhere else. One that was started
    less than ``spare_seconds`` ago is left alone.
    """

    by: frozenset[str] = frozenset()
    of: frozenset[str] = frozenset()
    spare_seconds: float = 300


@dataclass(frozen=True, slots=True)
class Policy:
    """The administrator's choices.

    A waiting job rises by one class for every ``ageing_seconds``, up to ``ageing_limit`` points.
    One that has waited ``reserve_after_seconds`` and fits no node now gets a node kept free for
    it, at most ``reservations`` of them at a time. ``team_weights`` are the teams' parts in the
    fair share; a team that is not named has 1. What a team held counts half after
    ``half_life_seconds``; 0: only what it holds now counts.

    A push that names no class gets that of the first of the ``rules`` that fits, else
    ``default_class``. A class that ``access`` does not name is everybody's. ``default_limit`` and
    ``longest_limit`` are time limits in seconds: what a job has that names none, and the greatest
    that it may name. No retry grows beyond ``greatest_memory``, in bytes.
    """

    priority_classes: Mapping[str, int] = field(default_factory=lambda: PRIORITY_CLASSES)
    ageing_seconds: float = 6 * 3600
    ageing_limit: int = 30
    reserve_after_seconds: float = 900
    reservations: int = 8
    team_weights: Mapping[str, float] = field(default_factory=dict)
    half_life_seconds: float = 24 * 3600
    teams: Mapping[str, TeamPolicy] = field(default_factory=dict)
    preemption: Preemption = Preemption()
    default_class: str = "normal"
    rules: tuple[Rule, ...] = ()
    access: Mapping[str, Access] = field(default_factory=dict)
    default_limit: int | None = None
    longest_limit: int | None = None
    greatest_memory: int | None = None

    def with_weights(self, team_weights: Mapping[str, float]) -> Policy:
        """The same policy with these weights, but for teams whose weight it names itself."""
        named = {name: team.weight for name, team in self.teams.items() if team.weight is not None}
        return replace(self, team_weights={**team_weights, **named})

    def quota_of(self, team: str) -> Quota:
        """What the team's jobs may hold together."""
        return self.teams.get(team, TeamPolicy()).quota

    def effective_priority(self, priority: int, waited_seconds: float) -> int:
        """A class's value plus what waiting has added to it."""
        steps = int(max(0.0, waited_seconds) // self.ageing_seconds)
        return priority + min(steps * CLASS_STEP, self.ageing_limit)

    def class_name(self, priority: int) -> str:
        """What people call this value."""
        names = {value: name for name, value in self.priority_classes.items()}
        return names.get(priority, str(priority))

    def may_preempt(self, priority: int, other: int) -> bool:
        """Whether a job of the one class may ask a job of the other to leave."""
        return (
            priority > other
            and self.class_name(priority) in self.preemption.by
            and self.class_name(other) in self.preemption.of
        )

    def class_for(self, submission: Submission, person: Person) -> str:
        """The class of a push that names none."""
        fitting = (rule.priority for rule in self.rules if rule.fits(submission, person))
        return next(fitting, self.default_class)

    def limit_for(self, time_limit: int | None) -> int | None:
        """The time limit of a push: its own, else the policy's."""
        return self.default_limit if time_limit is None else time_limit


def _matches(pattern: str | None, name: str) -> bool:
    return pattern is None or fnmatchcase(name, pattern)


def priority_faults(priority: str, policy: Policy, person: Person | None = None) -> list[Fault]:
    """The fault of a priority class that does not exist, or is not this person's to use."""
    if priority not in policy.priority_classes:
        remedy = meant(priority, policy.priority_classes)
        return [Fault("priority", "there is no such priority class", value=priority, remedy=remedy)]
    access = policy.access.get(priority)
    if person is None or access is None or access.lets(person):
        return []
    may = [name for name in policy.priority_classes if _is_open(policy, name, person)]
    remedy = f"you may use: {', '.join(may)}"
    return [Fault("priority", "is not for you to use", value=priority, remedy=remedy)]


def limit_faults(time_limit: int | None, policy: Policy) -> list[Fault]:
    """The fault of a time limit above the greatest, or of none where one is needed."""
    longest, limit = policy.longest_limit, policy.limit_for(time_limit)
    if longest is None or (limit is not None and limit <= longest):
        return []
    remedy = f"give at most {format_duration(longest)}: --time-limit {format_duration(longest)}"
    if limit is None:
        return [Fault("time_limit", "is needed here", remedy=remedy)]
    value = format_duration(limit)
    return [Fault("time_limit", "is above the greatest", value=value, remedy=remedy)]


def _is_open(policy: Policy, name: str, person: Person) -> bool:
    return name not in policy.access or policy.access[name].lets(person)
