"""Conditions of the whole: ``core.surveying.Survey`` over PostgreSQL.

Before: ``core/surveying``. Next: ``sql/note_conditions.sql``, ``outbox``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, Engine

from sentinels.core.notice import MESSENGER
from sentinels.core.policy import CurrentPolicy
from sentinels.core.scene import Scene
from sentinels.core.surveying import Announcement, Held, OpenCondition
from sentinels.db.engine import statement, transaction
from sentinels.db.foresight import PostgresForesight
from sentinels.db.watching import PostgresWatch


class PostgresSurvey(PostgresWatch):
    """Notify's side of the whole."""

    def __init__(self, engine: Engine, policy: CurrentPolicy) -> None:
        """``policy`` is dispatch's."""
        super().__init__(engine)
        self._foresight = PostgresForesight(engine, policy)

    def scene(self, *, now: datetime) -> Scene:
        """See ``Survey.scene``."""
        return self._foresight.scene(now=now)

    def note(self, held: Sequence[Held], *, clear_seconds: float) -> Sequence[OpenCondition]:
        """See ``Survey.note``."""
        given = json.dumps([{**asdict(each), "facts": dict(each.facts)} for each in held])
        noted = {"held": given, "clear_seconds": clear_seconds}
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("note_conditions"), noted).mappings().all()
        return [
            OpenCondition(**{**row, "held": float(row["held"]), "quiet": float(row["quiet"])})
            for row in rows
        ]

    def tell(self, condition_id: int, told: Announcement) -> None:
        """See ``Survey.tell``."""
        changed = {"id": condition_id, "facts": json.dumps(dict(told.facts))}
        with transaction(self._engine) as connection:
            if connection.execute(statement("tell_condition"), changed).first():
                _announce(connection, condition_id, told)

    def close(self, condition_id: int, told: Announcement) -> None:
        """See ``Survey.close``."""
        with transaction(self._engine) as connection:
            if connection.execute(statement("close_condition"), {"id": condition_id}).first():
                _announce(connection, condition_id, told)


def _announce(connection: Connection, condition_id: int, told: Announcement) -> None:
    items = [
        {
            "condition_id": condition_id,
            "kind": told.kind,
            "channel": MESSENGER,
            "recipient": address,
            "body": told.text,
        }
        for address in told.to
    ]
    if items:
        connection.execute(statement("post_outbox"), {"items": json.dumps(items)})
