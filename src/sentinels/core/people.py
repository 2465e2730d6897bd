"""Who there is, by which tokens they are known, and who did what: as a port.

Comes in: a caller, names. Goes out: people, tokens and deeds as values; only the one who makes a
token ever sees it. Adapter: ``db``. Before: ``functions/submit``. Next: ``rights``, ``identity``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sentinels.core.identity import Identity
from sentinels.core.ports import Json
from sentinels.core.queueing import Caller
from sentinels.core.rights import Role


@dataclass(frozen=True, slots=True)
class Deed:
    """A change that somebody made, for the audit: in one word what, and to what.

    ``team_id`` is whose leads may read of it; None: the actor's own team's.
    """

    act: str
    subject: str = ""
    job_id: int | None = None
    team_id: int | None = None
    detail: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditView:
    """A deed as it is read; ``id`` grows with time."""

    id: int
    at: datetime
    actor: str
    act: str
    team: str | None
    job_id: int | None
    subject: str
    detail: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which deeds are asked for; an empty part does not filter."""

    since: datetime | None = None
    user: str | None = None
    job_id: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token without what it is."""

    id: int
    user: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class UserView:
    """Somebody; ``last_seen_at`` is when one of their tokens was used."""

    name: str
    team: str
    role: Role
    created_at: datetime
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class UserChange:
    """What is to be true of a user; None stays as it is. A new user needs a team."""

    team: str | None = None
    role: Role | None = None


class People(Protocol):
    """People and their tokens. All raise ``QueueUnavailable``; every change is audited."""

    def caller_of(self, token: str) -> Caller | None:
        """Whose token this is. Raises ``UnknownCaller`` for one that is over, saying since when."""
        ...

    def admit(self, identity: Identity) -> Caller:
        """Who somebody else vouches for, made a user where they are new.

        Raises ``NotAllowed`` where nobody said which team they are in, or there is no such team.
        """
        ...

    def tokens(self, caller: Caller, *, user: str | None) -> Sequence[TokenView]:
        """The caller's tokens, or those of the one user; an operator's: everybody's."""
        ...

    def make_token(
        self, caller: Caller, *, user: str, name: str, seconds: float | None
    ) -> tuple[TokenView, str]:
        """A new token and what it is. Raises ``NotFound`` for a user whom the caller may not be."""
        ...

    def revoke(self, caller: Caller, token_id: int) -> TokenView:
        """End a token, and the browsers' sessions of its user. May be repeated.

        Raises ``NotFound`` for one that is not the caller's to revoke.
        """
        ...

    def users(self, caller: Caller) -> Sequence[UserView]:
        """Everybody whom the caller may see, by team and name."""
        ...

    def set_user(self, caller: Caller, name: str, change: UserChange) -> UserView:
        """See to it that there is this user, and is so. May be repeated.

        Raises ``NotFound`` for a team that is not there, ``InvalidRequest`` for a new user without.
        """
        ...

    def audited(self, caller: Caller, wanted: AuditFilter, *, limit: int) -> Sequence[AuditView]:
        """What was done, newest first: of the teams that the caller may read of."""
        ...
