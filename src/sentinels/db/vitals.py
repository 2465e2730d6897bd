"""Signs of life and dead letters: ``core.vitals.Vitals`` over PostgreSQL.

Before: ``functions/dispatch``, ``functions/notify``. Next: ``sql/leave_sign.sql``,
``sql/record_dead_letter.sql``.
"""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Engine

from sentinels.core.vitals import KEPT_DAYS, KEPT_MOST, DeadLetter
from sentinels.db.engine import statement, transaction


class PostgresVitals:
    """What ``sentinels doctor`` later tells."""

    def __init__(self, engine: Engine) -> None:
        """Over this engine."""
        self._engine = engine

    def leave_sign(self, name: str) -> None:
        """See ``Vitals.leave_sign``."""
        self._change("leave_sign", {"name": name})

    def record(self, letter: DeadLetter) -> None:
        """See ``Vitals.record``."""
        self._change("record_dead_letter", asdict(letter))

    def prune(self) -> None:
        """See ``Vitals.prune``."""
        self._change("prune_dead_letters", {"days": KEPT_DAYS, "most": KEPT_MOST})

    def _change(self, name: str, values: dict[str, object]) -> None:
        with transaction(self._engine) as connection:
            connection.execute(statement(name), values)
