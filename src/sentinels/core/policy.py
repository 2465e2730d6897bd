"""What the administrator decides: who goes first, who may have how much, how waiting counts.

Pure values; ``policy_reading`` makes them of the administrator's file. Comes in: that file. Goes
out: numbers for ``planning``, answers for ``submitting``. Next: ``quota``, ``planning``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sentinels.core.errors import Fault
from sentinels.core.quota import Quota

PRIORITY_CLASSES: Mapping[str, int] = {"low": 10, "normal": 20, "high": 30, "urgent": 40}
CLASS_STEP = 10
"""How far two neighbouring priority classes are apart, and what one step of ageing adds."""


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


def priority_faults(priority: str, policy: Policy) -> list[Fault]:
    """The fault of a priority class that does not exist."""
    if priority in policy.priority_classes:
        return []
    known = list(policy.priority_classes)
    close = difflib.get_close_matches(priority, known, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"one of: {', '.join(known)}"
    return [Fault("priority", "there is no such priority class", value=priority, remedy=remedy)]
