"""``sentinels db upgrade`` and ``sentinels db status``: the schema by hand.

Comes in: a database URL, from the flag or SENTINELS_DATABASE_URL. Next: ``migrate``.
"""

from __future__ import annotations

from typing import Annotated

import typer

from sentinels.db import migrate

app = typer.Typer(help="Look after the database's schema.", no_args_is_help=True)

DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database-url",
        envvar="SENTINELS_DATABASE_URL",
        help="PostgreSQL, as postgresql+psycopg://user@host/database.",
    ),
]


@app.command(
    epilog="Example: sentinels db upgrade --database-url postgresql+psycopg://u@h/sentinels"
)
def upgrade(database_url: DatabaseUrl) -> None:
    """Run every migration that is missing."""
    before = migrate.status(database_url)
    migrate.upgrade(database_url)
    after = migrate.status(database_url)
    done = "was up to date already" if before == after else f"from {before.current or 'nothing'}"
    typer.echo(f"database at {after.current}, {done}")


@app.command(epilog="Example: sentinels db status")
def status(database_url: DatabaseUrl) -> None:
    """Say which migration the database is at; exit code 1 where it is behind."""
    found = migrate.status(database_url)
    typer.echo(f"database at {found.current or 'nothing'}, newest is {found.head}")
    if not found.up_to_date:
        typer.echo("run: sentinels db upgrade", err=True)
        raise typer.Exit(1)
