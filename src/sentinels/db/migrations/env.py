"""Alembic's entry: run ``versions`` over the URL that ``db.migrate`` was given."""

from __future__ import annotations

from alembic import context
from sqlalchemy import NullPool, create_engine, text

from sentinels.db.tables import metadata

_LOCK = 7236052


def run() -> None:
    engine = create_engine(context.config.attributes["database_url"], poolclass=NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata)
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            context.run_migrations()


run()
