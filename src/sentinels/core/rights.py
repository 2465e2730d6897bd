"""Who may do what: one table of acts, by whose it is and the role that it needs.

Every act has two locks, made from this table: ``may`` in the handlers, and ``reach`` as a filter in
every statement. Comes in: a caller and whose a thing is. Goes out: yes or no, or whose things.
Before: ``queueing``, the verbs and ``functions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user is; each may do what those before it may."""

    MEMBER = "member"
    LEAD = "lead"
    OPERATOR = "operator"


def read_member(text: str) -> tuple[str, Role | None]:
    """A user and their role, as ``ann:operator``; without a role it stays as it is."""
    name, colon, role = text.rpartition(":")
    return (name, Role(role)) if colon and role in list(Role) else (text, None)


class Act(StrEnum):
    """What a caller wants to do.

    ``CHANGE`` is a job, or what a team chose. ``TOKENS`` are somebody's: whoever holds one is them.
    ``AUDIT`` is to read who did what. ``GOVERN`` is the policy, people and nodes, and SQL, which is
    over every team.
    """

    SEE = "see"
    PUSH = "push"
    CHANGE = "change"
    TOKENS = "tokens"
    AUDIT = "audit"
    GOVERN = "govern"


_RANK: Mapping[Role, int] = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class _Least:
    """The least role for an act on one's own, on one's team's, and on another team's."""

    own: Role
    team: Role
    others: Role


_LEAST: Mapping[Act, _Least] = {
    Act.SEE: _Least(Role.MEMBER, Role.MEMBER, Role.OPERATOR),
    Act.PUSH: _Least(Role.MEMBER, Role.OPERATOR, Role.OPERATOR),
    Act.CHANGE: _Least(Role.MEMBER, Role.LEAD, Role.OPERATOR),
    Act.TOKENS: _Least(Role.MEMBER, Role.OPERATOR, Role.OPERATOR),
    Act.AUDIT: _Least(Role.LEAD, Role.LEAD, Role.OPERATOR),
    Act.GOVERN: _Least(Role.OPERATOR, Role.OPERATOR, Role.OPERATOR),
}


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a thing is."""

    user_id: int
    team_id: int


def may(role: Role, caller: Holder, act: Act, holder: Holder | None = None) -> bool:
    """Whether a caller of this role may do this to what is the holder's; None: to what is all's."""
    return _RANK[role] >= _RANK[least_role(act, caller, holder)]


def least_role(act: Act, caller: Holder, holder: Holder | None) -> Role:
    """The role that a caller needs for this."""
    least = _LEAST[act]
    if holder is None:
        return least.own
    if holder.team_id != caller.team_id:
        return least.others
    return least.own if holder.user_id == caller.user_id else least.team


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose things an act may touch, as SQL filters by it; None: whoever's."""

    team_id: int | None
    user_id: int | None


def reach(role: Role, caller: Holder, act: Act) -> Reach:
    """Whose things a caller of this role may do this to: what ``may`` says, as a filter."""
    least, rank = _LEAST[act], _RANK[role]
    in_team, own = rank < _RANK[least.others], rank < _RANK[least.team]
    return Reach(caller.team_id if in_team else None, caller.user_id if own else None)
