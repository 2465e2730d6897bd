"""Who may do what: one table of acts, by whose it is and the role that it needs.

Comes in: a caller and whose a thing is. Goes out: yes or no. Before: the verbs and ``functions``.
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


class Act(StrEnum):
    """What a caller wants to do. ``GOVERN`` is the policy, people and nodes."""

    SEE = "see"
    PUSH = "push"
    CHANGE = "change"
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
    Act.GOVERN: _Least(Role.OPERATOR, Role.OPERATOR, Role.OPERATOR),
}


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a thing is."""

    user_id: int
    team_id: int


def may(role: Role, caller: Holder, act: Act, holder: Holder | None = None) -> bool:
    """Whether a caller of this role may do this to what is the holder's; None: to what is all's."""
    least = _LEAST[act]
    if holder is None or holder.team_id != caller.team_id:
        needed = least.others if holder is not None else least.own
    else:
        needed = least.own if holder.user_id == caller.user_id else least.team
    return _RANK[role] >= _RANK[needed]
