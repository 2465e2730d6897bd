"""The role that SQL is asked as: made and bounded, as far as whoever upgrades the database may.

It may log in and read the public views, nothing else; its bounds hold also where somebody uses it
by hand. A role is the server's and not the database's, so the URL names it: two installations on
one server have two. Comes in: the URL of the owner and that of the role. Goes out: whether SQL can
be asked, and what an administrator has to do if not. Before: ``commands``. Next: ``asking``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from sentinels.core.asking import ASK_SECONDS
from sentinels.core.errors import InvalidRequest, QueueUnavailable
from sentinels.db.engine import sql_text

MOST_CONNECTIONS = 5
"""Queries that may be asked at the same time."""

_LOCK = 7236052
"""That of the migrations: several upgrades at once would change the role at the same time."""
_VIEWS = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'public' AND c.relkind = 'v' AND c.relname ~ '^v_' ORDER BY c.relname"""
_BOUNDS: Sequence[str] = (
    "ALTER ROLE {role} LOGIN CONNECTION LIMIT {connections}",
    "ALTER ROLE {role} SET default_transaction_read_only = on",
    "ALTER ROLE {role} SET statement_timeout = {timeout}",
    "ALTER ROLE {role} SET idle_in_transaction_session_timeout = '15s'",
    "ALTER ROLE {role} SET search_path = public",
    "ALTER ROLE {role} SET temp_file_limit = '1GB'",
)
_CLOSED: Sequence[str] = (
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
)
_RIGHTS: Sequence[str] = (
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA public TO {role}",
)

_OWN_ROLE = "name a role of its own in SENTINELS_REPORT_DATABASE_URL"

_Owner = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Reporter:
    """The role, and why it cannot be used (None: it can), with what to do about it."""

    role: str
    trouble: str | None = None
    remedy: str | None = None


def ensure_reporter(database_url: str, report_url: str) -> Reporter:
    """See to it that the role of ``report_url`` exists and may read the views; safe to repeat.

    Raises ``QueueUnavailable``, and ``InvalidRequest`` where the URL names no role.
    """
    wanted = _read(report_url)
    role = str(wanted.username)
    with _owner(database_url) as owner:
        owner.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if not _exists(owner, role) and not _create(owner, role):
            return Reporter(
                role,
                f"there is no role {role}, and this user may not make one",
                f"an administrator makes it: CREATE ROLE \"{role}\" LOGIN PASSWORD '…';"
                " then: sentinels db upgrade",
            )
        names = _names(owner, role)
        for statement in _CLOSED:
            _try(owner, sql.SQL(statement).format(**names))
        # Before anything of it is changed: it may be the owner itself, by mistake.
        if excess := _excess(owner, role):
            return Reporter(role, f"SQL is not asked as {role}: {excess}", _OWN_ROLE)
        if wanted.password:
            _try(owner, _password(owner, role, wanted.password))
        for statement in (*_BOUNDS, *_RIGHTS):
            _try(owner, sql.SQL(statement).format(**names))
        for (view,) in owner.execute(_VIEWS).fetchall():
            grant = sql.SQL("GRANT SELECT ON {view} TO {role}")
            owner.execute(grant.format(view=sql.Identifier("public", str(view)), **names))
        return Reporter(role)


def _read(report_url: str) -> URL:
    try:
        found = make_url(report_url)
    except ArgumentError as error:
        raise InvalidRequest(
            "SENTINELS_REPORT_DATABASE_URL cannot be understood",
            remedy="it is like postgresql://role@host/database",
        ) from error
    if not found.username:
        raise InvalidRequest(
            "SENTINELS_REPORT_DATABASE_URL names no role",
            remedy="it is like postgresql://role@host/database",
        )
    return found


@contextmanager
def _owner(database_url: str) -> Iterator[_Owner]:
    """A transaction of the database's owner."""
    url = make_url(database_url)
    _, words = url.get_dialect()().create_connect_args(url)
    bounds = {"connect_timeout": 5, "options": "-c lock_timeout=10s -c statement_timeout=60s"}
    try:
        with psycopg.connect(**{**words, **bounds}) as owner:
            yield owner
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()[0]
        raise QueueUnavailable(f"PostgreSQL does not answer: {said}") from error


def _exists(owner: _Owner, role: str) -> bool:
    return owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None


def _create(owner: _Owner, role: str) -> bool:
    made = sql.SQL("CREATE ROLE {role} LOGIN NOINHERIT")
    return _try(owner, made.format(role=sql.Identifier(role))) or _exists(owner, role)


def _password(owner: _Owner, role: str, password: str) -> sql.Composed:
    """Only a verifier is sent: statements may end up in the server's log."""
    verifier = owner.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    change = sql.SQL("ALTER ROLE {role} PASSWORD {verifier}")
    return change.format(role=sql.Identifier(role), verifier=sql.Literal(verifier.decode()))


def _names(owner: _Owner, role: str) -> dict[str, sql.Composable]:
    return {
        "role": sql.Identifier(role),
        "database": sql.Identifier(owner.info.dbname),
        "connections": sql.Literal(MOST_CONNECTIONS),
        "timeout": sql.Literal(f"{ASK_SECONDS}s"),
    }


def _try(owner: _Owner, statement: sql.Composed) -> bool:
    """Whether it could be done: a role that somebody else has made is theirs to bound, and what the
    owner may not change of it, ``_excess`` and the asking itself hold against their own bounds.
    """
    try:
        with owner.transaction():
            owner.execute(statement)
    except (
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.DuplicateObject,
        psycopg.errors.UniqueViolation,
    ):
        return False
    return True


def _excess(owner: _Owner, role: str) -> str | None:
    """What it may do besides reading the views."""
    look = sql_text("reporter_excess").replace(":role", "%(role)s")
    found = owner.execute(look.encode(), {"role": role}).fetchone()
    return None if found is None or found[0] is None else str(found[0])
