"""What is looked at now and then: ``core.reminding.Watch`` over PostgreSQL.

Before: ``core/reminding``. Next: ``sql/running_attempts.sql``, ``outbox``.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine

from sentinels.core.queueing import Delivery
from sentinels.core.reminding import Watched
from sentinels.db.engine import statement, transaction
from sentinels.db.outbox import post
from sentinels.db.rows import live_attempt_of


class PostgresWatch:
    """Notify's side of what runs."""

    def __init__(self, engine: Engine) -> None:
        """Over this engine."""
        self._engine = engine

    def begin_round(self, name: str, *, every_seconds: float) -> bool:
        """See ``Watch.begin_round``."""
        asked = {"name": name, "every_seconds": every_seconds}
        with transaction(self._engine) as connection:
            return connection.execute(statement("begin_round"), asked).first() is not None

    def running(self, *, for_seconds: float) -> Sequence[Watched]:
        """See ``Watch.running``."""
        asked = {"for_seconds": for_seconds}
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("running_attempts"), asked).mappings().all()
        return [
            Watched(live_attempt_of(row), row["started_at"], frozenset(row["told"])) for row in rows
        ]

    def remind(self, deliveries: Sequence[Delivery]) -> None:
        """See ``Watch.remind``."""
        with transaction(self._engine) as connection:
            post(connection, deliveries)
