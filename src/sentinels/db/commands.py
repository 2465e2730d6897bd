"""``sentinels db upgrade`` and ``sentinels db status``: the schema by hand.

Comes in: a database URL, from the flag or SENTINELS_DATABASE_URL. Next: ``waiting``, ``migrate``,
``reporter``.
"""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.core.errors import InvalidRequest
from sentinels.core.quantity import parse_duration
from sentinels.db import migrate
from sentinels.db.reporter import ensure_reporter
from sentinels.db.waiting import await_database, shown_address

app = typer.Typer(help="Look after the database's schema.", no_args_is_help=True)

DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database-url",
        envvar="SENTINELS_DATABASE_URL",
        help="PostgreSQL, as postgresql+psycopg://user@host/database.",
    ),
]
ReportUrl = Annotated[
    str,
    typer.Option(
        "--report-database-url",
        envvar="SENTINELS_REPORT_DATABASE_URL",
        help="The same for the role that SQL is asked as, which is made where that may be done.",
    ),
]
Wait = Annotated[
    str | None,
    typer.Option(help="How long to wait for PostgreSQL, as in 5m. Default: not at all."),
]


@app.command(
    epilog="Example: sentinels db upgrade --database-url postgresql+psycopg://u@h/sentinels"
)
def upgrade(
    database_url: DatabaseUrl, wait: Wait = None, report_database_url: ReportUrl = ""
) -> None:
    """Run every migration that is missing; let SQL be asked."""
    shown_address(database_url)
    if wait is not None:
        await_database(database_url, seconds=_seconds(wait), say=typer.echo)
    before = migrate.status(database_url)
    after = migrate.upgrade(database_url)
    if after.newer:
        typer.echo(_newer(after))
        return
    done = "was up to date already" if before == after else f"from {before.current or 'nothing'}"
    typer.echo(f"database at {after.current}, {done}")
    if report_database_url:
        _let_ask(database_url, report_database_url)


@app.command(epilog="Example: sentinels db status")
def status(database_url: DatabaseUrl) -> None:
    """Say which migration the database is at; exit code 1 where it is behind."""
    shown_address(database_url)
    found = migrate.status(database_url)
    if found.newer:
        typer.echo(_newer(found))
        return
    typer.echo(f"database at {found.current or 'nothing'}, newest is {found.head}")
    if not found.up_to_date:
        typer.echo("run: sentinels db upgrade", err=True)
        raise typer.Exit(1)


def _let_ask(database_url: str, report_database_url: str) -> None:
    """What hinders it is said and hinders nothing else."""
    reporter = ensure_reporter(database_url, report_database_url)
    if reporter.trouble is None:
        typer.echo(f"SQL can be asked as {reporter.role}")
        return
    typer.echo(f"SQL cannot be asked: {reporter.trouble}", err=True)
    typer.echo(f"  → {reporter.remedy}", err=True)


def _newer(found: migrate.MigrationStatus) -> str:
    at = f"revision {found.current}, this version's newest is {found.head}"
    return f"the database is newer than this version ({at}): nothing to do"


def _seconds(wait: str) -> float:
    try:
        return parse_duration(wait)
    except ValueError as error:
        raise InvalidRequest(f"--wait {wait!r} {error}", remedy="as in --wait 5m") from error
