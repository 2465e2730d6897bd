"""Bring a database to the tables of this version, from nothing or from an earlier one.

Comes in: a database URL. Goes out: a migrated database, or what its state is. Next: ``migrations``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from sentinels.db.engine import guarded, make_engine, transaction


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """Which migration a database is at (None: empty), and which is the newest."""

    current: str | None
    head: str

    @property
    def up_to_date(self) -> bool:
        """Whether nothing is left to do."""
        return self.current == self.head


def upgrade(database_url: str) -> None:
    """Run every migration that is missing, one database at a time."""
    with guarded():
        command.upgrade(_config(database_url), "head")


def status(database_url: str) -> MigrationStatus:
    """How far the database is."""
    head = ScriptDirectory.from_config(_config(database_url)).get_current_head()
    engine = make_engine(database_url, pool_size=1)
    try:
        with transaction(engine) as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    return MigrationStatus(current, head or "")


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("sentinels.db").joinpath("migrations")))
    config.attributes["database_url"] = database_url
    return config
