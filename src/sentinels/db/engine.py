"""How PostgreSQL is reached: the engine, the named statements, and its errors in our words.

Comes in: a database URL. Goes out: an engine whose every call is bounded in time, and ``statement``
for the files in ``sql/``. Next: the repositories, ``intake``, ``admission``, ``attempts``,
``outbox``, ``reading``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files

from psycopg import errors as postgres_errors
from sqlalchemy import Connection, Engine, TextClause, create_engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sentinels.core.errors import NotMigrated, QueueUnavailable

_REMEDY = "the same request may be repeated; `sentinels doctor` shows what is down"
_NOT_MIGRATED = (
    postgres_errors.UndefinedTable,
    postgres_errors.UndefinedColumn,
    postgres_errors.UndefinedFunction,
)
_SESSION = (
    "-c statement_timeout=10s -c idle_in_transaction_session_timeout=15s -c lock_timeout=5s"
    " -c timezone=UTC -c jit=off"
)


def make_engine(url: str, *, pool_size: int = 4, generic_plans: bool = False) -> Engine:
    """An engine for one function; connects when first used and heals after a restart.

    ``generic_plans`` spares planning the same statement again at every call: for dispatch, whose
    statements are few and large (it makes the claim a quarter faster).
    """
    session = _SESSION + (" -c plan_cache_mode=force_generic_plan" if generic_plans else "")
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_timeout=10,
        connect_args={"connect_timeout": 5, "options": session},
    )


@cache
def statement(name: str) -> TextClause:
    """The statement in ``sql/<name>.sql``."""
    return text(sql_text(name))


@cache
def sql_text(name: str) -> str:
    """The same as text."""
    return files("sentinels.db").joinpath("sql", f"{name}.sql").read_text("utf-8")


@contextmanager
def guarded() -> Iterator[None]:
    """Turn what PostgreSQL's being away, overloaded or not migrated raises into our word for it."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise QueueUnavailable(
            f"PostgreSQL does not answer: {_first(error)}", remedy=_REMEDY
        ) from error
    except DBAPIError as error:
        if isinstance(error.orig, _NOT_MIGRATED):
            raise NotMigrated(f"the database has not been migrated: {_first(error)}") from error
        if not error.connection_invalidated:
            raise
        raise QueueUnavailable(f"PostgreSQL went away: {_first(error)}", remedy=_REMEDY) from error


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction; raises ``QueueUnavailable`` where PostgreSQL is away."""
    with guarded(), engine.begin() as connection:
        yield connection


def _first(error: Exception) -> str:
    origin = getattr(error, "orig", None) or error
    return str(origin).strip().splitlines()[0] if str(origin).strip() else type(origin).__name__
