"""The migrations lead from nothing to exactly the tables that the code believes in."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Engine, text

from sentinels.core.job import JobState, Reason
from sentinels.db import migrate
from sentinels.db.tables import metadata


def test_metadata_and_migrations_agree(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_check_constraints_agree(engine: Engine) -> None:
    believed = {
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT conname FROM pg_constraint"
                " WHERE contype = 'c' AND connamespace = 'public'\\:\\:regnamespace"
            )
        ).scalars()
        assert set(found) == believed


def test_storage_settings_agree(engine: Engine) -> None:
    believed = {
        table.name: {
            f"{key}={value}" for key, value in table.dialect_options["postgresql"]["with"].items()
        }
        for table in metadata.tables.values()
        if table.dialect_options["postgresql"]["with"]
    }
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL")
        )
        found = {row.relname: set(row.reloptions) for row in rows if row.relname in believed}
    assert found == believed


@pytest.mark.parametrize(("name", "members"), [("job_state", JobState), ("reason", Reason)])
def test_enums_agree(engine: Engine, name: str, members: type[JobState] | type[Reason]) -> None:
    with engine.connect() as connection:
        labels = connection.execute(
            text("SELECT unnest(enum_range(NULL\\:\\:" + name + "))\\:\\:text")
        ).scalars()
        assert list(labels) == [member.value for member in members]


def test_upgrading_again_changes_nothing(database_url: str) -> None:
    before = migrate.status(database_url)
    migrate.upgrade(database_url)
    assert migrate.status(database_url) == before
    assert before.up_to_date


def test_reporting_views_answer(engine: Engine) -> None:
    with engine.connect() as connection:
        for view in ("v_jobs", "v_attempts", "v_queue", "v_events"):
            assert connection.execute(text("SELECT count(*) FROM " + view)).scalar_one() == 0
