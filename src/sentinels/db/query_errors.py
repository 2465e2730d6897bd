"""What PostgreSQL says of a query that somebody wrote, as an error of ours.

Comes in: a driver's error. Goes out: ``InvalidQuery`` where the query is to be changed, with the
place in it; ``QueueUnavailable`` where it may be asked again; ``NotSetUp`` where the role is let in
no more. Before: ``asking``, ``questions``.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from sentinels.core.asking import ASK_SECONDS
from sentinels.core.errors import InvalidQuery, NotSetUp, QueueUnavailable, SentinelsError

_AGAIN = "ask again in a moment"
_SET_UP = "an administrator lets it in: sentinels db upgrade; see docs/sql.md"
_REMEDIES: Mapping[str, str] = {
    "42P01": "see what there is: sentinels sql --views",
    "42501": "the views are what may be read: sentinels sql --views",
    "57014": "ask for less: a shorter time in WHERE, or LIMIT",
}
"""By PostgreSQL's code, where it has no hint of its own."""
_MAY_PASS = ("08", "53", "55P", "57P", "58")
"""Beginnings of codes that another moment may not bring: connection, room, locks, a restart."""
_BUSY = ("too many", "starting up", "shutting down", "recovery", "remaining connection slots")


def in_our_words(error: psycopg.Error, *, before: int = 0) -> SentinelsError:
    """The error to raise. ``before`` is how many characters stood in front of the query."""
    code = error.sqlstate
    if code is None:
        return _not_connected(error)
    said = error.diag.message_primary or str(error)
    if code == "57014":
        said = f"the query took longer than {ASK_SECONDS} s"
    elif code.startswith(_MAY_PASS):
        return QueueUnavailable(f"PostgreSQL cannot answer now: {said}", remedy=_AGAIN)
    elif code == "42601" and "multiple commands" in said:
        return InvalidQuery("these are several statements", remedy="ask one at a time")
    remedy = error.diag.message_hint or _REMEDIES.get(code)
    detail = f"{said}: {error.diag.message_detail}" if error.diag.message_detail else said
    return InvalidQuery(detail, remedy=remedy, position=_position(error, before))


def _not_connected(error: psycopg.Error) -> SentinelsError:
    """A server that refuses says FATAL; one that is not there says nothing."""
    said = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
    _, fatal, refusal = said.partition("FATAL:")
    if not fatal:
        return QueueUnavailable(f"PostgreSQL does not answer: {said}", remedy=_AGAIN)
    if any(word in refusal for word in _BUSY):
        return QueueUnavailable(f"PostgreSQL cannot answer now:{refusal}", remedy=_AGAIN)
    return NotSetUp(f"nobody can ask SQL here:{refusal}", remedy=_SET_UP)


def _position(error: psycopg.Error, before: int) -> int | None:
    place = error.diag.statement_position
    found = int(place) - before if place and place.isdigit() else 0
    return found if found > 0 else None
