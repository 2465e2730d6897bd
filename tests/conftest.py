"""Fixtures that every tier may use: one real PostgreSQL a session, a fresh database a test."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from sentinels.core.queueing import Caller
from sentinels.db import migrate
from sentinels.db.engine import make_engine
from sentinels.db.people import caller_of, ensure_user
from sentinels.local.postgres import EmbeddedPostgres

# A background shell makes its whole run ignore Ctrl-C, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)

_TEMPLATE = "sentinels_template"
_numbers = count(1)


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A folder that other users may enter, with a path short enough for sockets below it."""
    folder = Path(tempfile.mkdtemp(prefix="sen-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One server for the session, with a migrated template database."""
    folder = Path(tempfile.mkdtemp(prefix="sen-pg-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder, durable=False)
    try:
        server.start()
        server.ensure_database(_TEMPLATE)
        migrate.upgrade(server.url(_TEMPLATE))
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def admin(server: EmbeddedPostgres, statement: sql.Composed) -> None:
    """Run one statement outside a transaction, in the maintenance database."""
    address = server.url("postgres").replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A fresh, migrated database."""
    with a_database(postgres) as url:
        yield url


@contextmanager
def a_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A fresh, migrated database, for as long as the block lasts."""
    name = f"test_{next(_numbers)}"
    made = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    admin(postgres, made.format(sql.Identifier(name), sql.Identifier(_TEMPLATE)))
    try:
        yield postgres.url(name)
    finally:
        gone = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        admin(postgres, gone.format(sql.Identifier(name)))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine over the fresh database."""
    engine = make_engine(database_url)
    try:
        yield engine
    finally:
        engine.dispose()


TOKEN = "a-token-for-tests"


@pytest.fixture
def caller(database_url: str, engine: Engine) -> Caller:
    """A user of the default team, known by ``TOKEN``."""
    ensure_user(database_url, team="default", user="ann", token=TOKEN)
    found = caller_of(engine, TOKEN)
    assert found is not None
    return found
