"""``sentinels db``: waits for PostgreSQL, upgrades once, leaves a newer database alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from sentinels.core.errors import NotMigrated
from sentinels.core.policy import Policy
from sentinels.db import migrate
from sentinels.db.engine import make_engine
from sentinels.db.reading import PostgresReading
from sentinels.local.postgres import EmbeddedPostgres
from tests.conftest import admin

SECRET = "hush-hush"
LOCK = 7236052
"""The advisory lock of ``db/migrations/env.py``."""


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("sentinels")), "db", *words],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output and errors."""
    with process:
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "Traceback" not in err
    return process.returncode, out, err


def db(*words: str) -> tuple[int, str, str]:
    return end(start(*words))


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def change(url: str, statement: str) -> None:
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database without any table."""
    name = sql.Identifier("empty_one")
    admin(postgres, sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))
    try:
        yield postgres.url("empty_one")
    finally:
        admin(postgres, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def await_true(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_two_upgrades_at_once_make_one(empty: str) -> None:
    with psycopg.connect(plain(empty), autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        both = [start("upgrade", "--wait", "30s", "--database-url", empty) for _ in range(2)]
        try:
            await_true(lambda: holder.execute(waiting).fetchone() == (2,))
            holder.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
        finally:
            ends = [end(process) for process in both]
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert migrate.status(empty).up_to_date
    assert db("status", "--database-url", empty)[0] == 0


def test_an_upgrade_waits_until_postgresql_answers(postgres: EmbeddedPostgres, empty: str) -> None:
    """The database is made while the upgrade waits for it."""
    url = postgres.url("late")
    process = start("upgrade", "--wait", "60s", "--database-url", url)
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("waiting for PostgreSQL at ")
        assert "database late, 1m at most: " in first
        admin(postgres, sql.SQL("CREATE DATABASE late TEMPLATE template0"))
        code, out, _ = end(process)
        assert (code, len(out.splitlines())) == (0, 2)
        assert out.startswith("PostgreSQL answers after ")
        assert out.endswith(", from nothing\n")
    finally:
        process.kill()
        admin(postgres, sql.SQL("DROP DATABASE IF EXISTS late WITH (FORCE)"))


def test_who_answers_at_once_is_not_waited_for(empty: str) -> None:
    code, out, _ = db("upgrade", "--wait", "5m", "--database-url", empty)
    assert (code, out.count("\n")) == (0, 1)


def test_giving_up_names_the_address_without_its_password() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, not listening: nobody else takes the port
        port = nobody.getsockname()[1]
        url = f"postgresql+psycopg://ann:{SECRET}@127.0.0.1:{port}/sentinels"
        code, out, err = db("upgrade", "--wait", "1s", "--database-url", url)
    assert code == 3
    assert out.count("\n") == 1
    assert f"PostgreSQL at 127.0.0.1:{port}, database sentinels did not answer within 1s" in err
    assert SECRET not in out + err


@pytest.mark.parametrize(
    "words",
    [
        ("--wait", "soon", "--database-url", "postgresql://h/d"),
        ("--database-url", f"nosuch://ann:{SECRET}@h/d"),
        ("--database-url", f"postgresql://ann:{SECRET}@[::1/d"),
        ("--database-url", f"postgresql://ann:{SECRET}@h:port/d"),
    ],
)
def test_what_cannot_be_understood_is_refused_without_telling_the_password(
    words: tuple[str, ...],
) -> None:
    code, out, err = db("upgrade", *words)
    assert (code, out) == (2, "")
    assert "→" in err
    assert SECRET not in err


def test_a_newer_database_is_left_alone_and_served(database_url: str) -> None:
    change(database_url, "UPDATE alembic_version SET version_num = '0999'")
    head = migrate.status(database_url).head
    newer = (
        f"the database is newer than this version (revision 0999, this version's newest is {head})"
    )
    assert db("upgrade", "--database-url", database_url) == (0, f"{newer}: nothing to do\n", "")
    assert db("status", "--database-url", database_url) == (0, f"{newer}: nothing to do\n", "")
    engine = make_engine(database_url)
    try:
        assert PostgresReading(engine, policy=Policy).behind() is None
    finally:
        engine.dispose()


def test_a_database_that_becomes_newer_during_an_upgrade_is_left_alone(database_url: str) -> None:
    change(database_url, "UPDATE alembic_version SET version_num = '0003'")
    with psycopg.connect(plain(database_url), autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        process = start("upgrade", "--database-url", database_url)
        try:
            await_true(lambda: holder.execute(waiting).fetchone() == (1,))
            change(database_url, "UPDATE alembic_version SET version_num = '0999'")
            holder.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
        finally:
            code, out, err = end(process)
    assert (code, err) == (0, "")
    assert "newer than this version (revision 0999" in out


def test_a_database_that_is_behind_is_said_to_be(empty: str) -> None:
    code, out, err = db("status", "--database-url", empty)
    assert (code, err) == (1, "run: sentinels db upgrade\n")
    assert out.startswith("database at nothing, newest is ")


def test_what_is_asked_of_a_database_without_tables_says_so(empty: str) -> None:
    engine = make_engine(empty)
    try:
        with pytest.raises(NotMigrated, match=r"has not been migrated.*does not exist") as error:
            PostgresReading(engine, policy=Policy).pulse()
    finally:
        engine.dispose()
    assert error.value.remedy == "run: sentinels db upgrade"
