"""Teams, users and their tokens. Only a token's sha256 is kept.

Comes in: a token, or who is to exist. Goes out: a ``Caller``. Next: ``functions/submit``.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, Engine, Table, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from sentinels.core.queueing import Caller
from sentinels.db.engine import make_engine, transaction
from sentinels.db.tables import teams, tokens, users


def ensure_user(database_url: str, *, team: str, user: str, token: str) -> None:
    """See to it that the user exists, in the team, and that the token is theirs."""
    engine = make_engine(database_url, pool_size=1)
    try:
        with transaction(engine) as connection:
            team_id = _ensure_named(connection, teams, team)
            user_id = _ensure_named(connection, users, user, team_id=team_id)
            known = insert(tokens).values(digest=digest_of(token), user_id=user_id)
            connection.execute(known.on_conflict_do_nothing())
    finally:
        engine.dispose()


def caller_of(engine: Engine, token: str, *, kind: str = "token") -> Caller | None:
    """Whose token of this kind this is; None where it is nobody's or has expired."""
    found = (
        select(users.c.id, users.c.name, teams.c.id.label("team_id"), teams.c.name.label("team"))
        .join(users, users.c.id == tokens.c.user_id)
        .join(teams, teams.c.id == users.c.team_id)
        .where(tokens.c.digest == digest_of(token), tokens.c.kind == kind)
        .where(or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > func.now()))
    )
    with transaction(engine) as connection:
        row = connection.execute(found).first()
    return Caller(row.id, row.name, row.team_id, row.team) if row else None


def digest_of(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


def _ensure_named(connection: Connection, table: Table, name: str, **others: int) -> int:
    known = insert(table).values(name=name, **others).on_conflict_do_nothing()
    connection.execute(known)
    return int(connection.execute(select(table.c.id).where(table.c.name == name)).scalar_one())
