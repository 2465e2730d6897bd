"""Sessions of browsers: ``core.sessions.Sessions`` over the tokens' table. Only digests are kept.

Before: ``functions/submit/pages``. Next: ``people``.
"""

from __future__ import annotations

import secrets
from contextlib import suppress

from sqlalchemy import Connection, Engine, delete, func, insert

from sentinels.core.errors import UnknownCaller
from sentinels.core.queueing import Caller
from sentinels.core.sessions import CODE_SECONDS, SESSION_SECONDS
from sentinels.db.engine import transaction
from sentinels.db.people import caller_of, digest_of
from sentinels.db.tables import tokens


class PostgresSessions:
    """Codes and sessions."""

    def __init__(self, engine: Engine) -> None:
        """Over this engine."""
        self._engine = engine

    def make_code(self, caller: Caller) -> str:
        """See ``Sessions.make_code``."""
        with transaction(self._engine) as connection:
            return _make(connection, caller.user_id, "code", CODE_SECONDS)

    def redeem(self, code: str) -> str | None:
        """See ``Sessions.redeem``; of two who come with one code, one is let in."""
        used = (
            delete(tokens)
            .where(tokens.c.digest == digest_of(code), tokens.c.kind == "code")
            .returning(tokens.c.user_id, (tokens.c.expires_at > func.now()).label("fresh"))
        )
        with transaction(self._engine) as connection:
            row = connection.execute(used).first()
            if row is None or not row.fresh:
                return None
            return _make(connection, row.user_id, "session", SESSION_SECONDS)

    def begin(self, caller: Caller) -> str:
        """See ``Sessions.begin``."""
        with transaction(self._engine) as connection:
            return _make(connection, caller.user_id, "session", SESSION_SECONDS)

    def caller_of(self, session: str) -> Caller | None:
        """See ``Sessions.caller_of``."""
        with suppress(UnknownCaller):
            return caller_of(self._engine, session, kind="session")
        return None

    def end(self, session: str) -> None:
        """See ``Sessions.end``."""
        mine = (tokens.c.digest == digest_of(session)) & (tokens.c.kind == "session")
        with transaction(self._engine) as connection:
            connection.execute(delete(tokens).where(mine))


def _make(connection: Connection, user_id: int, kind: str, seconds: float) -> str:
    """A new secret; what has expired of its kind goes."""
    secret = secrets.token_urlsafe(32)
    over = (tokens.c.kind == kind) & (tokens.c.expires_at < func.now())
    connection.execute(delete(tokens).where(over))
    until = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    made = insert(tokens).values(digest=digest_of(secret), user_id=user_id, kind=kind)
    connection.execute(made.values(expires_at=until))
    return secret
