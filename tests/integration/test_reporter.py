"""The role that SQL is asked as: made where that may be done, else an administrator is told how."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from sentinels.core.errors import InvalidRequest, NotSetUp, QueueUnavailable
from sentinels.db import migrate
from sentinels.db.asking import PostgresAsking
from sentinels.db.reporter import ensure_reporter
from sentinels.local.postgres import EmbeddedPostgres
from tests.conftest import admin
from tests.integration.test_db_command import db
from tests.support.reporters import plain, reporting

PASSWORD = "hush-hush"


@contextmanager
def owned_database(server: EmbeddedPostgres, rights: str) -> Iterator[tuple[str, str]]:
    """URLs of a database's owner, who has no more than these rights, and of a role not made yet."""
    names = {"owner": sql.Identifier("landlord"), "database": sql.Identifier("house")}
    admin(server, sql.SQL(f"CREATE ROLE {{owner}} LOGIN {rights}").format(**names))
    admin(server, sql.SQL("CREATE DATABASE {database} OWNER {owner}").format(**names))
    owner = server.url("house", role="landlord")
    migrate.upgrade(owner)
    try:
        yield owner, owner.replace("landlord@", f"house_report:{PASSWORD}@")
    finally:
        admin(server, sql.SQL("DROP DATABASE {database} WITH (FORCE)").format(**names))
        admin(server, sql.SQL("DROP ROLE IF EXISTS house_report, {owner}").format(**names))


def test_who_may_make_roles_makes_it_with_its_password(postgres: EmbeddedPostgres) -> None:
    with owned_database(postgres, "CREATEROLE") as (owner, url):
        assert ensure_reporter(owner, url).trouble is None
        assert PostgresAsking(url).ask("SELECT count(*) FROM v_jobs").rows == [[0]]
        with psycopg.connect(plain(postgres.url("house"))) as root:
            kept = root.execute(
                "SELECT rolpassword FROM pg_authid WHERE rolname = 'house_report'"
            ).fetchone()
        assert kept is not None
        assert str(kept[0]).startswith("SCRAM-SHA-256$")


def test_who_may_not_make_roles_is_told_what_an_administrator_does(
    postgres: EmbeddedPostgres,
) -> None:
    with owned_database(postgres, "") as (owner, url):
        found = ensure_reporter(owner, url)
        assert found.trouble == "there is no role house_report, and this user may not make one"
        assert found.remedy is not None
        assert PASSWORD not in found.remedy
        with pytest.raises(NotSetUp, match='role "house_report" does not exist'):
            PostgresAsking(url).ask("SELECT 1")

        made, _, _ = found.remedy.removeprefix("an administrator makes it: ").partition(";")
        admin(postgres, sql.SQL(made).format())  # type: ignore[arg-type]  # as it was told
        assert ensure_reporter(owner, url).trouble is None
        assert PostgresAsking(url).ask("SELECT count(*) FROM v_jobs").rows == [[0]]


@pytest.mark.parametrize("rights", ["CREATEROLE", "SUPERUSER"])
def test_the_owner_itself_named_by_mistake_stays_as_it_is(
    postgres: EmbeddedPostgres, rights: str
) -> None:
    """Else it would be made to read only, and nothing would be queued any more."""
    look = (
        "SELECT r.rolconfig, r.rolconnlimit, a.rolpassword"
        " FROM pg_roles r JOIN pg_authid a ON a.oid = r.oid WHERE r.rolname = 'landlord'"
    )
    with owned_database(postgres, rights) as (owner, _):
        found = ensure_reporter(owner, owner.replace("landlord@", "landlord:x@"))
        assert str(found.trouble).startswith("SQL is not asked as landlord: it ")
        assert found.remedy == "name a role of its own in SENTINELS_REPORT_DATABASE_URL"
        with psycopg.connect(plain(postgres.url("house"))) as root:
            assert root.execute(look.encode()).fetchone() == (None, -1, None)


def test_several_upgrades_at_once_make_one_role(database_url: str) -> None:
    with reporting(database_url) as asked, ThreadPoolExecutor(6) as pool:
        found = list(
            pool.map(lambda _: ensure_reporter(asked.owner_url, asked.url).trouble, range(12))
        )
    assert found == [None] * 12


def test_a_view_that_comes_later_may_be_read_after_the_next_upgrade(database_url: str) -> None:
    with reporting(database_url) as asked:
        with asked.as_owner() as owner:
            owner.execute("CREATE VIEW v_later AS SELECT 1 AS a")
        ensure_reporter(asked.owner_url, asked.url)
        assert asked.asking.ask("SELECT a FROM v_later").rows == [[1]]


def test_a_role_reads_its_own_installation_and_no_other_on_the_server(
    postgres: EmbeddedPostgres, database_url: str
) -> None:
    with owned_database(postgres, "CREATEROLE") as (owner, url), reporting(database_url) as asked:
        ensure_reporter(owner, url)
        crossed = asked.owner_url.replace("sentinels@", "house_report@")
        with pytest.raises((NotSetUp, InvalidRequest), match=r"CONNECT|permission denied"):
            PostgresAsking(crossed).ask("SELECT * FROM v_jobs")


def test_an_upgrade_says_whether_sql_can_be_asked(postgres: EmbeddedPostgres) -> None:
    with owned_database(postgres, "") as (owner, url):
        words = ("upgrade", "--database-url", owner, "--report-database-url", url)
        code, out, err = db(*words)
        assert (code, out) == (
            0,
            f"database at {migrate.status(owner).head}, was up to date already\n",
        )
        assert err.startswith(
            "SQL cannot be asked: there is no role house_report, and this user may"
        )
        assert "\n  → an administrator makes it: CREATE ROLE" in err
        admin(postgres, sql.SQL("CREATE ROLE house_report LOGIN").format())
        code, out, err = db(*words)
        assert (code, err) == (0, "")
        assert out.endswith("\nSQL can be asked as house_report\n")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "SENTINELS_REPORT_DATABASE_URL is not set"),
        ("no address", "SENTINELS_REPORT_DATABASE_URL cannot be understood"),
    ],
)
def test_without_a_role_it_is_said_who_can_change_that(url: str, why: str) -> None:
    with pytest.raises(NotSetUp, match=why) as error:
        PostgresAsking(url).ask("SELECT 1")
    assert "an administrator" in str(error.value.remedy)


def test_a_server_that_is_away_is_asked_again_later() -> None:
    with pytest.raises(QueueUnavailable, match="PostgreSQL does not answer"):
        PostgresAsking("postgresql://report@127.0.0.1:9/x").ask("SELECT 1")
