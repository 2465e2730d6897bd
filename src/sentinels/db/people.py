"""Users and their tokens: ``core.people.People`` over PostgreSQL. Only a token's sha256 is kept.

Comes in: a token, or who is to exist. Goes out: a ``Caller``, people, tokens, deeds. Before:
``functions/submit``. Next: ``audit``, ``sql/find_caller.sql``.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Engine, RowMapping, Table, func, select, update
from sqlalchemy.dialects.postgresql import insert

from sentinels.core.errors import InvalidRequest, NotAllowed, NotFound, UnknownCaller
from sentinels.core.identity import Identity
from sentinels.core.people import AuditFilter, AuditView, Deed, TokenView, UserChange, UserView
from sentinels.core.ports import Json
from sentinels.core.queueing import Caller
from sentinels.core.rights import Act, Role
from sentinels.db.audit import record
from sentinels.db.engine import make_engine, statement, transaction
from sentinels.db.tables import teams, tokens, users


def ensure_user(
    database_url: str, *, team: str, user: str, token: str, role: Role = Role.MEMBER
) -> None:
    """See to it that the user exists, in the team, in this role, and that the token is theirs."""
    engine = make_engine(database_url, pool_size=1)
    try:
        with transaction(engine) as connection:
            team_id = _ensure_named(connection, teams, team)
            user_id = _ensure_named(connection, users, user, team_id=team_id)
            connection.execute(update(users).where(users.c.id == user_id).values(role=role.value))
            known = insert(tokens).values(digest=digest_of(token), user_id=user_id)
            connection.execute(known.on_conflict_do_nothing())
    finally:
        engine.dispose()


def caller_of(engine: Engine, token: str, *, kind: str = "token") -> Caller | None:
    """Whose token of this kind this is; None where it is nobody's.

    Raises ``UnknownCaller`` where it is over.
    """
    asked = {"digest": digest_of(token), "kind": kind}
    with transaction(engine) as connection:
        row = connection.execute(statement("find_caller"), asked).mappings().first()
    if row is None:
        return None
    if row["revoked_at"] or row["expired_at"]:
        raise _over(row)
    return _caller(row)


def digest_of(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


class PostgresPeople:
    """People, their tokens, and who did what."""

    def __init__(self, engine: Engine) -> None:
        """Over this engine."""
        self._engine = engine

    def caller_of(self, token: str) -> Caller | None:
        """See ``People.caller_of``."""
        return caller_of(self._engine, token)

    def admit(self, identity: Identity) -> Caller:
        """See ``People.admit``."""
        with transaction(self._engine) as connection:
            row = _person(connection, identity.user)
            if row is None or not _is_as_said(row, identity):
                change = UserChange(identity.team, identity.role)
                _agree(connection, row, identity)
                put_user(connection, identity.voucher, identity.user, change)
                row = _person(connection, identity.user)
        if row is None:
            raise UnknownCaller(f"{identity.user} was taken away just now")
        return _caller(row)

    def tokens(self, caller: Caller, *, user: str | None) -> Sequence[TokenView]:
        """See ``People.tokens``."""
        reach = caller.reach(Act.TOKENS)
        asked = {"user_id": reach.user_id, "user_name": user, "token_id": None}
        with transaction(self._engine) as connection:
            return _tokens(connection, asked)

    def make_token(
        self, caller: Caller, *, user: str, name: str, seconds: float | None
    ) -> tuple[TokenView, str]:
        """See ``People.make_token``."""
        with transaction(self._engine) as connection:
            row = _person(connection, user)
            reach = caller.reach(Act.TOKENS)
            if row is None or reach.user_id not in (None, row["user_id"]):
                raise _no_user(user)
            secret = secrets.token_urlsafe(32)
            made = insert(tokens).values(
                digest=digest_of(secret),
                user_id=row["user_id"],
                name=name,
                expires_at=None
                if seconds is None
                else func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds),
            )
            token_id = connection.execute(made.returning(tokens.c.id)).scalar_one()
            detail: dict[str, Json] = {"token": token_id, "name": name, "seconds": seconds}
            deed = Deed("token.create", user, team_id=row["team_id"], detail=detail)
            record(connection, caller, deed)
            asked = {"user_id": None, "user_name": None, "token_id": token_id}
            return _tokens(connection, asked)[0], secret

    def revoke(self, caller: Caller, token_id: int) -> TokenView:
        """See ``People.revoke``."""
        reach = caller.reach(Act.TOKENS)
        with transaction(self._engine) as connection:
            asked = {"token_id": token_id, "user_id": reach.user_id}
            ended = connection.execute(statement("revoke_token"), asked).mappings().first()
            found = _tokens(connection, {**asked, "user_name": None})
            if not found:
                raise NotFound(f"there is no token {token_id}", remedy="see: sentinels token list")
            if ended is not None:
                detail: dict[str, Json] = {"token": token_id, "name": found[0].name}
                team_id = ended["team_id"]
                deed = Deed("token.revoke", found[0].user, team_id=team_id, detail=detail)
                record(connection, caller, deed)
        return found[0]

    def users(self, caller: Caller) -> Sequence[UserView]:
        """See ``People.users``."""
        with transaction(self._engine) as connection:
            return _users(connection, team_id=caller.seen_team, name=None)

    def set_user(self, caller: Caller, name: str, change: UserChange) -> UserView:
        """See ``People.set_user``."""
        if not caller.may(Act.GOVERN):
            raise _no_user(name)
        with transaction(self._engine) as connection:
            put_user(connection, caller, name, change)
            return _users(connection, team_id=None, name=name)[0]

    def audited(self, caller: Caller, wanted: AuditFilter, *, limit: int) -> Sequence[AuditView]:
        """See ``People.audited``."""
        asked = {
            "team_id": caller.reach(Act.AUDIT).team_id,
            "since": wanted.since,
            "user_name": wanted.user,
            "job_id": wanted.job_id,
            "before": wanted.before,
            "limit": limit,
        }
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("read_audit"), asked).mappings()
            return [AuditView(**row) for row in rows]


def _tokens(connection: Connection, asked: Mapping[str, object]) -> list[TokenView]:
    rows = connection.execute(statement("read_tokens"), asked).mappings()
    return [TokenView(**row) for row in rows]


def _users(connection: Connection, *, team_id: int | None, name: str | None) -> list[UserView]:
    asked = {"team_id": team_id, "name": name}
    rows = connection.execute(statement("read_users"), asked).mappings()
    return [UserView(**{**row, "role": Role(row["role"])}) for row in rows]


def _person(connection: Connection, name: str) -> RowMapping | None:
    found = (
        select(
            users.c.id.label("user_id"),
            users.c.name.label("user_name"),
            users.c.role,
            teams.c.id.label("team_id"),
            teams.c.name.label("team"),
        )
        .join(teams, teams.c.id == users.c.team_id)
        .where(users.c.name == name)
    )
    return connection.execute(found).mappings().first()


def _is_as_said(row: RowMapping, identity: Identity) -> bool:
    said = identity.role is None or identity.role == row["role"]
    return said and identity.team in (None, row["team"])


def _agree(connection: Connection, row: RowMapping | None, identity: Identity) -> None:
    """Raise ``NotAllowed`` where nobody can be made of what was said."""
    who = f"{identity.voucher} says that you are {identity.user}"
    if row is None and identity.team is None:
        raise NotAllowed(
            f"{who}, who is in no team here",
            remedy=f"an operator lets you in: sentinels user set {identity.user} --team TEAM",
        )
    known = select(teams.c.id).where(teams.c.name == identity.team)
    if identity.team is not None and connection.execute(known).first() is None:
        raise NotAllowed(
            f"{who} of team {identity.team}, which is not here",
            remedy="an administrator makes the team: sentinels team add",
        )


def put_user(
    connection: Connection,
    actor: Caller | str,
    name: str,
    change: UserChange,
    *,
    is_new: bool = False,
) -> None:
    """Make or change the user, and write it down; ``is_new``: they were made just before."""
    team_id = None if change.team is None else _team_id(connection, change.team)
    before = None if is_new else _person(connection, name)
    if before is None and team_id is None:
        raise InvalidRequest(f"{name} is new, so needs a team", remedy="name it: --team TEAM")
    wanted = {"team_id": team_id, "role": change.role.value if change.role else None}
    values = {column: value for column, value in wanted.items() if value is not None}
    put = insert(users).values(name=name, **values)
    if values and team_id is not None:
        connection.execute(put.on_conflict_do_update(index_elements=["name"], set_=values))
    elif values:
        connection.execute(update(users).where(users.c.name == name).values(values))
    after = _person(connection, name)
    if after is not None and before != after:
        record(connection, actor, _deed_of_user(before, after))


def _deed_of_user(before: RowMapping | None, after: RowMapping) -> Deed:
    detail: dict[str, Json] = {
        "team": after["team"],
        "role": after["role"],
        "team_before": None if before is None else before["team"],
        "role_before": None if before is None else before["role"],
    }
    return Deed("user.set", after["user_name"], team_id=after["team_id"], detail=detail)


def _team_id(connection: Connection, name: str) -> int:
    known = {row.name: row.id for row in connection.execute(select(teams.c.name, teams.c.id))}
    if name not in known:
        raise NotFound(
            f"there is no team {name!r}",
            remedy=f"there are: {', '.join(sorted(known)[:20])}; make one: sentinels team add",
        )
    return int(known[name])


def _caller(row: RowMapping) -> Caller:
    role = Role(row["role"])
    return Caller(row["user_id"], row["user_name"], row["team_id"], row["team"], role)


def _over(row: RowMapping) -> UnknownCaller:
    since = row["revoked_at"] or row["expired_at"]
    what = "was revoked" if row["revoked_at"] else "expired"
    name = f" ({row['token_name']})" if row["token_name"] else ""
    return UnknownCaller(
        f"token {row['token_id']}{name} {what} at {since:%Y-%m-%d %H:%M} UTC",
        remedy="with another of your tokens: sentinels token create; or ask an operator for one;"
        " then: sentinels login",
    )


def _no_user(name: str) -> NotFound:
    return NotFound(f"there is no user {name!r}", remedy="see: sentinels user list")


def _ensure_named(connection: Connection, table: Table, name: str, **others: int) -> int:
    known = insert(table).values(name=name, **others).on_conflict_do_nothing()
    connection.execute(known)
    return int(connection.execute(select(table.c.id).where(table.c.name == name)).scalar_one())
