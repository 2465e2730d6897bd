"""Databases with the role that SQL is asked as."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from sentinels.db.asking import PostgresAsking
from sentinels.db.reporter import Reporter, ensure_reporter


@dataclass(frozen=True)
class Asked:
    """A database, and the role that may ask it."""

    owner_url: str
    url: str
    reporter: Reporter

    @property
    def role(self) -> str:
        return self.reporter.role

    @property
    def asking(self) -> PostgresAsking:
        return PostgresAsking(self.url)

    def by_hand(self) -> psycopg.Connection[tuple[object, ...]]:
        """The role's own session, which says of itself that it may write."""
        connection = psycopg.connect(plain(self.url), autocommit=True)
        connection.execute("SET default_transaction_read_only = off")
        return connection

    def as_owner(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(plain(self.owner_url), autocommit=True)


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


@contextmanager
def reporting(owner_url: str) -> Iterator[Asked]:
    """A role named after the database; it is gone afterwards."""
    database = make_url(owner_url).database
    url = owner_url.replace("://sentinels@", f"://{database}_report@")
    try:
        yield Asked(owner_url, url, ensure_reporter(owner_url, url))
    finally:
        with psycopg.connect(plain(owner_url), autocommit=True) as owner:
            role = sql.Identifier(f"{database}_report")
            with suppress(psycopg.errors.UndefinedObject):
                owner.execute(sql.SQL("DROP OWNED BY {}").format(role))
                owner.execute(sql.SQL("DROP ROLE {}").format(role))
