"""Conditions of the whole: ``core.surveying.Survey`` over PostgreSQL.

Before: ``core/surveying``. Next: ``sql/note_conditions.sql``, ``outbox``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, select

from sentinels.core.notice import MESSENGER
from sentinels.core.policy import CurrentPolicy
from sentinels.core.quantity import parse_duration
from sentinels.core.simulating import Scene, Tenant
from sentinels.core.surveying import Announcement, Held, OpenCondition
from sentinels.core.workload import WorkloadRef
from sentinels.db.engine import statement, transaction
from sentinels.db.rows import lane_head_of, node_of, ref_of, resources_of
from sentinels.db.tables import teams
from sentinels.db.watching import PostgresWatch


class PostgresSurvey(PostgresWatch):
    """Notify's side of the whole."""

    def __init__(self, engine: Engine, policy: CurrentPolicy) -> None:
        """``policy`` is dispatch's."""
        super().__init__(engine)
        self._policy = policy

    def scene(self, *, depth: int, now: datetime) -> Scene:
        """See ``Survey.scene``."""
        with transaction(self._engine) as connection:
            heads = connection.execute(statement("lane_heads"), {"depth": depth}).mappings().all()
            nodes = connection.execute(statement("list_nodes")).mappings().all()
            tenants = connection.execute(statement("read_tenants")).mappings().all()
            weights = connection.execute(select(teams.c.name, teams.c.weight)).all()
        return Scene(
            heads=[lane_head_of(row) for row in heads],
            nodes=[node_of(row) for row in nodes],
            tenants=[_tenant_of(row) for row in tenants],
            policy=self._policy().with_weights({row.name: row.weight for row in weights}),
            now=now,
        )

    def usual_seconds(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, float]:
        """See ``Survey.usual_seconds``."""
        asked = {"job_ids": [ref.job_id for ref in refs]}
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("usual_seconds"), asked).all()
        seconds = {row.job_id: float(row.seconds) for row in rows}
        return {ref: seconds[ref.job_id] for ref in refs if ref.job_id in seconds}

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


def _tenant_of(row: RowMapping) -> Tenant:
    return Tenant(
        ref=ref_of(row),
        name=row["name"],
        user=row["user_name"],
        team=row["team"],
        resources=resources_of(row),
        node=row["node"],
        started_at=row["started_at"],
        time_limit=parse_duration(row["time_limit"]) if row["time_limit"] else None,
    )
