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
from alembic.util import CommandError

from sentinels.db.engine import guarded, make_engine, transaction


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """Which migration a database is at (None: empty), and which is the newest of this version.

    ``newer``: the database is at one that this version does not know. Migrations only add, so that
    an older version runs on it.
    """

    current: str | None
    head: str
    newer: bool = False

    @property
    def up_to_date(self) -> bool:
        """Whether nothing is left to do."""
        return self.newer or self.current == self.head


def upgrade(database_url: str) -> MigrationStatus:
    """Run every migration that is missing, in one transaction, and say how far the database is.

    Others that upgrade the same database meanwhile wait for it. A newer database stays as it is.
    """
    found = status(database_url)
    if found.up_to_date:
        return found
    try:
        with guarded():
            command.upgrade(_config(database_url), "head")
    except CommandError:
        if not (found := status(database_url)).newer:
            raise
        return found  # a newer version upgraded it at this moment
    return status(database_url)


def status(database_url: str) -> MigrationStatus:
    """How far the database is."""
    scripts = ScriptDirectory.from_config(_config(database_url))
    engine = make_engine(database_url, pool_size=1)
    try:
        with transaction(engine) as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    known = {None, *(script.revision for script in scripts.walk_revisions())}
    return MigrationStatus(current, scripts.get_current_head() or "", current not in known)


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("sentinels.db").joinpath("migrations")))
    config.attributes["database_url"] = database_url
    return config
