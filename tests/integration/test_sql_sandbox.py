"""Whoever asks SQL reads the public views and does nothing else, whatever they write."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, make_url

from sentinels.core.asking import ASK_SECONDS
from sentinels.core.errors import InvalidQuery, NotSetUp, QueueUnavailable
from sentinels.db import migrate
from sentinels.db.asking import PostgresAsking
from sentinels.db.engine import make_engine
from sentinels.db.people import caller_of, digest_of, ensure_user
from sentinels.db.reporter import MOST_CONNECTIONS, ensure_reporter
from sentinels.local.postgres import EmbeddedPostgres
from tests.conftest import admin
from tests.support.desk import Desk
from tests.support.reporters import Asked, plain, reporting

SECRET = "only-the-owner-knows"
OLDEST = Path("/usr/lib/postgresql/15/bin/postgres")
_PERMISSION = "permission denied"
_NO_QUERY = "this is no query"

ATTACKS: dict[str, tuple[str, str]] = {
    # What is no view.
    "jobs": ("SELECT * FROM jobs", _PERMISSION),
    "tokens": ("SELECT digest FROM tokens", _PERMISSION),
    "outbox": ("SELECT body FROM outbox", _PERMISSION),
    "dossiers": ("SELECT dossier FROM attempts", _PERMISSION),
    "one column": ("SELECT name FROM users", _PERMISSION),
    "a whole row": ("SELECT j FROM jobs j", _PERMISSION),
    "a join with a view": ("SELECT * FROM v_jobs JOIN jobs ON id = job", _PERMISSION),
    "a sequence": ("SELECT last_value FROM jobs_id_seq", _PERMISSION),
    "the statistics' values": ("SELECT stavalues1 FROM pg_statistic", _PERMISSION),
    "passwords": ("SELECT rolpassword FROM pg_authid", _PERMISSION),
    "passwords again": ("SELECT passwd FROM pg_shadow", _PERMISSION),
    # What is no SELECT.
    "delete": ("DELETE FROM jobs", _NO_QUERY),
    "delete and tell": ("DELETE FROM jobs RETURNING id", "no query|permission|read-only"),
    "update": ("UPDATE jobs SET name = 'x'", _NO_QUERY),
    "update a view": ("UPDATE v_reasons SET sentence = 'x'", "cannot update view|no query"),
    "truncate": ("TRUNCATE jobs", _NO_QUERY),
    "drop": ("DROP TABLE jobs", _NO_QUERY),
    "create": ("CREATE TABLE x (a int)", _NO_QUERY),
    "a temporary table": ("CREATE TEMP TABLE x AS SELECT 1", _NO_QUERY),
    "select into": ("SELECT 1 AS a INTO x", "no query|not allowed|INTO"),
    "a function": ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", _NO_QUERY),
    "a block": ("DO $$ BEGIN DELETE FROM jobs; END $$", _NO_QUERY),
    "an extension": ("CREATE EXTENSION dblink", _NO_QUERY),
    "a grant": ("GRANT SELECT ON jobs TO PUBLIC", _NO_QUERY),
    "lock": ("LOCK TABLE v_jobs", _NO_QUERY),
    "listen": ("LISTEN x", _NO_QUERY),
    "vacuum": ("VACUUM", _NO_QUERY),
    "commit": ("COMMIT", _NO_QUERY),
    "read write": ("SET TRANSACTION READ WRITE", _NO_QUERY),
    "explain analyze": ("EXPLAIN ANALYZE DELETE FROM jobs", "no query|permission"),
    "copy to a program": ("COPY v_jobs TO PROGRAM 'touch /tmp/sentinels-was-here'", _NO_QUERY),
    "copy to a file": ("COPY v_jobs TO '/tmp/sentinels-was-here'", _NO_QUERY),
    "copy from a file": ("COPY jobs FROM '/etc/passwd'", _NO_QUERY),
    # A SELECT with something in it.
    "delete in with": (
        "WITH x AS (DELETE FROM jobs RETURNING *) SELECT * FROM x",
        "WITH|permission",
    ),
    "for update": ("SELECT * FROM v_reasons FOR UPDATE", "FOR UPDATE|permission|read-only"),
    "two statements": ("SELECT 1; DELETE FROM jobs", "several statements"),
    "a hidden second": ("SELECT 1 /* ; */ ; COMMIT; DELETE FROM jobs --", "several statements"),
    "out of the frame": ("SELECT 1) AS r(c0) LIMIT 1) x; DELETE FROM jobs; --", "syntax error"),
    "out of the frame quietly": ("SELECT 1) AS r(c0), (SELECT 2", "syntax error"),
    "an open comment": ("SELECT 1 /*", "unterminated"),
    "an open quote": ("SELECT 'x", "unterminated"),
    "an open dollar": ("SELECT $a$", "unterminated"),
    "a parameter": ("SELECT $1", "parameter"),
    "nul": ("SELECT 1\0; DELETE FROM jobs", "NUL"),
    # Becoming somebody else.
    "set role": ("SET ROLE sentinels", _NO_QUERY),
    "set role in a query": ("SELECT set_config('role', 'sentinels', false)", _PERMISSION),
    "set session": ("SELECT set_config('session_authorization', 'sentinels', false)", _PERMISSION),
    "may write": ("SELECT set_config('transaction_read_only', 'off', true)", "before any query"),
    "superuser": ("ALTER ROLE CURRENT_USER SUPERUSER", _NO_QUERY),
    # Statements in texts.
    "xml of a table": ("SELECT query_to_xml('SELECT * FROM jobs', true, true, '')", _PERMISSION),
    "xml that deletes": ("SELECT query_to_xml('DELETE FROM jobs', true, true, '')", "DELETE|permi"),
    "xml that becomes": ("SELECT query_to_xml('SET ROLE sentinels', true, true, '')", "SET"),
    "xml by name": ("SELECT table_to_xml('jobs', true, true, '')", f"{_PERMISSION}|libxml"),
    "a statistic": ("SELECT ts_stat('SELECT to_tsvector(body) FROM outbox')", _PERMISSION),
    # Files and programs.
    "read a file": ("SELECT pg_read_file('/etc/passwd')", _PERMISSION),
    "read bytes": ("SELECT pg_read_binary_file('PG_VERSION')", _PERMISSION),
    "list a folder": ("SELECT pg_ls_dir('.')", _PERMISSION),
    "list logs": ("SELECT * FROM pg_ls_logdir()", _PERMISSION),
    "list the wal": ("SELECT * FROM pg_ls_waldir()", _PERMISSION),
    "stat a file": ("SELECT * FROM pg_stat_file('PG_VERSION')", _PERMISSION),
    "where the data is": ("SELECT current_setting('data_directory')", f"{_PERMISSION}|must be"),
    "who may connect": ("SELECT * FROM pg_hba_file_rules", _PERMISSION),
    "settings' files": ("SELECT * FROM pg_file_settings", _PERMISSION),
    "import a file": ("SELECT lo_import('/etc/passwd')", f"{_PERMISSION}|read-only"),
    "export a file": ("SELECT lo_export(1, '/tmp/sentinels-was-here')", _PERMISSION),
    "another server": ("SELECT * FROM dblink('host=x', 'SELECT 1') AS t(a int)", "does not exist"),
    # The server itself.
    "advance a sequence": ("SELECT nextval('jobs_id_seq')", _PERMISSION),
    "set a sequence": ("SELECT setval('jobs_id_seq', 1)", _PERMISSION),
    "reload": ("SELECT pg_reload_conf()", _PERMISSION),
    "rotate": ("SELECT pg_rotate_logfile()", f"{_PERMISSION}|does not exist"),
    "switch": ("SELECT pg_switch_wal()", _PERMISSION),
    "a restore point": ("SELECT pg_create_restore_point('x')", _PERMISSION),
    "promote": ("SELECT pg_promote()", _PERMISSION),
    "a slot": ("SELECT pg_create_physical_replication_slot('x')", f"{_PERMISSION}|must be"),
    "a backup": ("SELECT pg_backup_start('x')", _PERMISSION),
    "forget statistics": ("SELECT pg_stat_reset()", _PERMISSION),
    "end others": (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sentinels'"
        " AND pid <> pg_backend_pid()",
        f"{_PERMISSION}|must be|Only roles",
    ),
    # Too much.
    "a large row": ("SELECT repeat('x', 2000000)", "larger than 1 MiB"),
    "a huge value": ("SELECT repeat('x', 1073741824)", "."),
    "a deep nest": ("SELECT " + "(" * 20_000 + "1" + ")" * 20_000, "stack|memory|parser"),
}
"""What is asked, and what is answered."""

BY_HAND: dict[str, str] = {
    "read a table": "SELECT * FROM jobs",
    "delete": "DELETE FROM jobs",
    "change a view": "UPDATE v_nodes SET ready = false",
    "create": "CREATE TABLE x (a int)",
    "create a view": "CREATE VIEW x AS SELECT 1",
    "a temporary table": "CREATE TEMP TABLE x (a int)",
    "a schema": "CREATE SCHEMA x",
    "a function": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a role": "CREATE ROLE x",
    "a database": "CREATE DATABASE x",
    "superuser": "ALTER ROLE CURRENT_USER SUPERUSER",
    "set role": "SET ROLE sentinels",
    "set session": "SET SESSION AUTHORIZATION sentinels",
    "grant": "GRANT SELECT ON jobs TO PUBLIC",
    "copy to a program": "COPY v_jobs TO PROGRAM 'touch /tmp/sentinels-was-here'",
    "copy to a file": "COPY v_jobs TO '/tmp/sentinels-was-here'",
    "import a file": "SELECT lo_import('/etc/passwd')",
    "read a file": "SELECT pg_read_file('/etc/passwd')",
    "the dispatch lock": "SELECT name FROM locks FOR UPDATE SKIP LOCKED",
    "settings of the server": "ALTER SYSTEM SET max_connections = 1",
    "settings of the database": "ALTER DATABASE {database} SET work_mem = '1GB'",
    "a trigger": "CREATE TRIGGER t BEFORE INSERT ON jobs EXECUTE FUNCTION f()",
    "lock": "BEGIN; LOCK TABLE jobs",
    "a replica": "CREATE PUBLICATION p FOR ALL TABLES",
}
"""What is refused also to somebody who has the role's password and a session of their own."""


@contextmanager
def asked_on(server: EmbeddedPostgres) -> Iterator[Asked]:
    """A migrated database with a job that has a secret, and the role for it."""
    server.ensure_database("sandbox")
    url = server.url("sandbox")
    migrate.upgrade(url)
    ensure_user(url, team="default", user="ann", token=SECRET)
    engine = make_engine(url)
    try:
        caller = caller_of(engine, SECRET)
        assert caller is not None
        Desk(engine, caller).job(env={"KEY": SECRET})
        with reporting(url) as asked:
            assert asked.reporter.trouble is None
            yield asked
    finally:
        engine.dispose()
        admin(server, sql.SQL("DROP DATABASE sandbox WITH (FORCE)"))


@contextmanager
def oldest_server() -> Iterator[EmbeddedPostgres]:
    """PostgreSQL 15, as it is installed beside."""
    with tempfile.TemporaryDirectory(prefix="sen-pg15-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        (home / "postgres" / "data-15").mkdir(parents=True)
        server = EmbeddedPostgres(home, durable=False)
        try:
            server.start()
            assert server.version.startswith("15")
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module", params=["embedded", "oldest"])
def asked(request: pytest.FixtureRequest, postgres: EmbeddedPostgres) -> Iterator[Asked]:
    """On the embedded server, and on the oldest that is supported where it is installed."""
    with ExitStack() as stack:
        server = postgres
        if request.param == "oldest":
            if not OLDEST.exists():
                pytest.skip("PostgreSQL 15 is not installed")
            server = stack.enter_context(oldest_server())
        yield stack.enter_context(asked_on(server))


def state_of(asked: Asked) -> object:
    """What an attack could have changed."""
    parts = (
        "(SELECT json_agg(j) FROM jobs j)",
        "(SELECT count(*) FROM pg_class)",
        "(SELECT count(*) FROM pg_proc)",
        "(SELECT json_agg(r) FROM pg_roles r)",
        "(SELECT count(*) FROM pg_largeobject_metadata)",
        "(SELECT last_value FROM jobs_id_seq)",
        "(SELECT count(*) FROM pg_replication_slots)",
        "(SELECT json_agg(v) FROM v_reasons v)",
        "(SELECT json_agg(d.datacl) FROM pg_database d)",
    )
    with asked.as_owner() as owner:
        return owner.execute(f"SELECT {', '.join(parts)}".encode()).fetchone()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_and_changes_nothing(asked: Asked, name: str) -> None:
    query, refusal = ATTACKS[name]
    before = state_of(asked)
    with pytest.raises(InvalidQuery) as error:
        asked.asking.ask(query)
    assert re.search(refusal, str(error.value), re.IGNORECASE), str(error.value)
    assert SECRET not in f"{error.value} {error.value.remedy}"
    assert state_of(asked) == before
    assert not Path("/tmp/sentinels-was-here").exists()


@pytest.mark.parametrize("name", BY_HAND)
def test_the_role_is_refused_by_hand_too(asked: Asked, name: str) -> None:
    before = state_of(asked)
    database = make_url(asked.url).database
    with asked.by_hand() as connection, pytest.raises(psycopg.Error) as error:
        connection.execute(BY_HAND[name].format(database=database).encode())
    assert error.value.sqlstate in {"42501", "42809", "55000", "0A000", "42883"}, str(error.value)
    assert state_of(asked) == before


def test_what_a_query_writes_by_a_function_is_rolled_back(asked: Asked) -> None:
    """Older servers let large objects be made in a transaction that only reads."""
    before = state_of(asked)
    for query in ("SELECT lo_create(0)", "SELECT lo_from_bytea(0, 'x')"):
        with suppress(InvalidQuery):
            asked.asking.ask(query)
    assert state_of(asked) == before


def test_no_view_tells_a_secret_or_a_token(asked: Asked) -> None:
    told = "".join(
        str(asked.asking.ask(f"SELECT * FROM {view.name}").rows) for view in asked.asking.views()
    )
    with suppress(InvalidQuery):  # only a server with libxml
        told += str(asked.asking.ask("SELECT database_to_xml(true, true, '')").rows)
    assert "digits" in told
    assert SECRET not in told
    assert digest_of(SECRET).hex() not in told


def test_what_a_query_sets_is_gone_with_it(asked: Asked) -> None:
    asked.asking.ask("SELECT set_config('work_mem', '1MB', false)")
    [[value]] = asked.asking.ask("SELECT current_setting('work_mem')").rows
    assert value != "1MB"


def test_a_query_cannot_lift_its_own_time_limit(asked: Asked) -> None:
    began = time.monotonic()
    with pytest.raises(InvalidQuery, match="took longer than 10 s") as error:
        asked.asking.ask(
            "SELECT set_config('statement_timeout', '0', false), pg_sleep(n * 30)"
            " FROM generate_series(0, 5) n"
        )
    assert time.monotonic() - began < ASK_SECONDS + 5
    assert error.value.remedy is not None


def test_an_answer_is_cut_off_at_ten_thousand_rows_and_says_so(asked: Asked) -> None:
    answer = asked.asking.ask("SELECT n FROM generate_series(1, 10001) n")
    assert len(answer.rows) == 10_000
    assert answer.cut == "cut off after 10000 rows: an answer has at most 10000 rows and 8 MiB"
    assert asked.asking.ask("SELECT n FROM generate_series(1, 10000) n").cut is None


def test_an_answer_is_cut_off_at_its_bytes_while_the_query_would_go_on(asked: Asked) -> None:
    began = time.monotonic()
    answer = asked.asking.ask("SELECT repeat('x', 1000000) FROM generate_series(1, 10000)")
    assert len(answer.rows) == 8
    assert answer.cut is not None
    assert time.monotonic() - began < ASK_SECONDS


def test_dispatch_goes_on_while_somebody_holds_every_advisory_lock(
    postgres: EmbeddedPostgres, engine: Engine, desk: Desk, database_url: str
) -> None:
    """The lock of admissions can be taken by who may write, and by nobody else."""
    job_id = desk.job()
    with reporting(database_url) as asked, asked.by_hand() as holder:
        for key in (7236051, 7236052):
            holder.execute("SELECT pg_advisory_lock(%s)", [key])
        desk.tick()
        assert desk.state(job_id) == "dispatched"


def test_more_queries_at_once_than_are_allowed_may_be_asked_again(asked: Asked) -> None:
    with ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            stack.enter_context(psycopg.connect(plain(asked.url)))
        with pytest.raises(QueueUnavailable, match="too many connections"):
            asked.asking.ask("SELECT 1")


def test_nothing_is_asked_as_the_owner(asked: Asked) -> None:
    with pytest.raises(NotSetUp, match="SQL is not asked as sentinels: it is a superuser"):
        PostgresAsking(asked.owner_url).ask("SELECT 1")


EXCESS = [
    ("GRANT {}", "REVOKE {}", "SELECT ON tokens", "use tokens"),
    ("GRANT {}", "REVOKE {}", "SELECT (name) ON users", "use users"),
    ("GRANT {}", "REVOKE {}", "UPDATE ON v_nodes", "use v_nodes"),
    ("GRANT {}", "REVOKE {}", "CREATE ON SCHEMA public", "create in public"),
    ("GRANT {}", "REVOKE {}", "pg_read_all_data", "a member of other roles"),
    ("ALTER ROLE {}", "ALTER ROLE {}", "CREATEROLE", "rights over the whole server"),
    ("ALTER ROLE {}", "ALTER ROLE {}", "SUPERUSER", "it is a superuser"),
]
LEAK = "CREATE FUNCTION leak() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'"


def changes(role: str) -> Iterator[tuple[str, str, str]]:
    """What gives the role more, what takes it away again, and what is then said."""
    for give, take, what, why in EXCESS:
        if give.startswith("ALTER"):
            yield give.format(f"{role} {what}"), take.format(f"{role} NO{what}"), why
        else:
            yield f"{give.format(what)} TO {role}", f"{take.format(what)} FROM {role}", why
    yield LEAK, "DROP FUNCTION leak()", "run leak with its owner"


def test_nothing_is_asked_as_a_role_that_may_do_more(asked: Asked) -> None:
    for change, undo, why in changes(asked.role):
        with asked.as_owner() as owner:
            owner.execute(change.encode())
            try:
                with pytest.raises(NotSetUp, match=why):
                    asked.asking.ask("SELECT 1")
                assert why in str(ensure_reporter(asked.owner_url, asked.url).trouble)
            finally:
                owner.execute(undo.encode())
        assert asked.asking.ask("SELECT 1").rows == [[1]]
