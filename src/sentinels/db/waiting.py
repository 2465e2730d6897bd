"""Wait until PostgreSQL answers, for as long as somebody is willing to.

Comes in: a database URL. Goes out: a line at the beginning and one at the end of the wait. Before:
``commands``. Next: ``migrate``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from sentinels.core.errors import InvalidRequest, QueueUnavailable
from sentinels.core.quantity import format_duration
from sentinels.db import migrate

_PAUSE_SECONDS = 0.5


def shown_address(database_url: str) -> str:
    """Host, port and database: what may be printed. Raises ``InvalidRequest`` for no address."""
    try:
        url = make_url(database_url)
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise InvalidRequest(
            "the database URL cannot be understood",
            remedy="it is like postgresql+psycopg://user@host/database",
        ) from error
    host = url.query.get("host") or url.host or "this machine"
    port = f":{url.port}" if url.port else ""
    return f"{host}{port}, database {url.database or url.username}"


def await_database(database_url: str, *, seconds: float, say: Callable[[str], None]) -> None:
    """Return once PostgreSQL answers. Raises ``QueueUnavailable`` after so many seconds."""
    begin = time.monotonic()
    trouble = _trouble(database_url)
    if trouble is None:
        return
    address = shown_address(database_url)
    limit = format_duration(int(seconds))
    say(f"waiting for PostgreSQL at {address}, {limit} at most: {trouble}")
    while trouble is not None:
        if time.monotonic() - begin >= seconds:
            raise QueueUnavailable(
                f"PostgreSQL at {address} did not answer within {limit}: {trouble}",
                remedy="start it, or correct the address in SENTINELS_DATABASE_URL",
            )
        time.sleep(min(_PAUSE_SECONDS, max(0.0, seconds - (time.monotonic() - begin))))
        trouble = _trouble(database_url)
    say(f"PostgreSQL answers after {format_duration(int(time.monotonic() - begin))}")


def _trouble(database_url: str) -> str | None:
    try:
        migrate.status(database_url)
    except QueueUnavailable as error:
        return str(error).removeprefix("PostgreSQL does not answer: ")
    return None
