"""Teams as an operator looks after them: their weights, their users, what they have.

Comes in: a database URL and names. Goes out: what has changed, and rows. Before: ``admin``. Next:
``engine``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, literal, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from sentinels.core.errors import Conflict, InvalidRequest
from sentinels.core.people import UserChange
from sentinels.core.rights import Role
from sentinels.db import migrate
from sentinels.db.engine import make_engine, transaction
from sentinels.db.people import digest_of, put_user
from sentinels.db.tables import teams, tokens, users


@dataclass(frozen=True, slots=True)
class TeamChange:
    """What became of a team's row, and which of the users are new."""

    created: bool
    weight: float
    weight_before: float
    new_users: frozenset[str]


@dataclass(frozen=True, slots=True)
class Team:
    """A team's row, with its users' names."""

    name: str
    weight: float
    users: tuple[str, ...]


_ACTOR = "sentinels team add"
"""Who did it: somebody who holds the database's URL, who may be nobody of ours."""


def set_team(
    database_url: str,
    name: str,
    *,
    weight: float | None,
    user_tokens: Mapping[str, str],
    roles: Mapping[str, Role | None] | None = None,
) -> TeamChange:
    """See to it that the team and the users exist. A weight or role of None stays as it is; only a
    new user gets the token. Raises ``Conflict`` where a user is in another team; nothing is changed
    then.
    """
    with _engine(database_url) as engine, transaction(engine) as connection:
        made = insert(teams).values(name=name, weight=1.0 if weight is None else weight)
        created = _is_stored(connection, made)
        row = connection.execute(select(teams).where(teams.c.name == name)).one()
        if weight is not None and weight != row.weight:
            connection.execute(update(teams).where(teams.c.id == row.id).values(weight=weight))
        new = {
            user
            for user, token in user_tokens.items()
            if _add_user(connection, row.id, user, token)
        }
        for user in user_tokens:
            change = UserChange(name, (roles or {}).get(user))
            put_user(connection, _ACTOR, user, change, is_new=user in new)
        after = row.weight if weight is None else weight
        return TeamChange(created, after, row.weight, frozenset(new))


def all_teams(database_url: str) -> list[Team]:
    """Every team, by name."""
    found = (
        select(teams.c.name, teams.c.weight, func.array_agg(users.c.name).label("users"))
        .join(users, users.c.team_id == teams.c.id, isouter=True)
        .group_by(teams.c.id)
        .order_by(teams.c.name)
    )
    with _engine(database_url) as engine, transaction(engine) as connection:
        return [
            Team(row.name, row.weight, tuple(sorted(filter(None, row.users))))
            for row in connection.execute(found)
        ]


def _add_user(connection: Connection, team_id: int, user: str, token: str) -> bool:
    is_new = _is_stored(connection, insert(users).values(name=user, team_id=team_id))
    row = connection.execute(select(users).where(users.c.name == user)).one()
    if row.team_id != team_id:
        raise Conflict(f"{user} is in another team", remedy="nothing was stored; leave it out")
    if is_new:
        connection.execute(insert(tokens).values(digest=digest_of(token), user_id=row.id))
    return is_new


def _is_stored(connection: Connection, made: Insert) -> bool:
    """False where there was one of this name."""
    stored = made.on_conflict_do_nothing().returning(literal(1))
    return connection.execute(stored).first() is not None


@contextmanager
def _engine(database_url: str) -> Iterator[Engine]:
    try:
        engine = make_engine(database_url, pool_size=1)
    except (ArgumentError, NoSuchModuleError) as error:
        raise InvalidRequest(
            f"the database URL cannot be understood: {error}",
            remedy="it is like postgresql+psycopg://user@host/database",
        ) from error
    try:
        status = migrate.status(database_url)
        if not status.up_to_date:
            at = f"{status.current or 'nothing'}, this version needs {status.head}"
            raise InvalidRequest(f"the database is at {at}", remedy="sentinels db upgrade")
        yield engine
    finally:
        engine.dispose()
