"""The whole at one moment, out of PostgreSQL, with how long such jobs took before.

Six statements in one transaction that sees one state; bounded, however many jobs wait. Comes in: a
moment. Goes out: a ``Scene``; what was foretold is kept here too. Before:
``core/surveying``, ``core/forecasting``, ``functions/submit``. Next: ``sql/read_waiting.sql``,
``sql/read_histories.sql``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, select

from sentinels.core.capacity import Node
from sentinels.core.fitting import PastUse
from sentinels.core.forecasting import Change, Owned, Prediction
from sentinels.core.foreseeing import Range
from sentinels.core.job import JobId
from sentinels.core.observation import Usage
from sentinels.core.policy import CurrentPolicy
from sentinels.core.queueing import NodeWish
from sentinels.core.scene import History, Scene, Waiting
from sentinels.db.engine import guarded, statement, transaction
from sentinels.db.rows import (
    audience_of,
    lane_head_of,
    node_of,
    occupant_of,
    past_use_of,
    ref_of,
    seconds_of,
    submission_of,
)
from sentinels.db.tables import teams

MOST_WAITING = 5000
"""Waiting jobs that are looked at."""
MOST_CHANGES = 100


class PostgresForesight:
    """Loads the scene."""

    def __init__(self, engine: Engine, policy: CurrentPolicy) -> None:
        """``policy`` is dispatch's."""
        self._engine, self._policy = engine, policy

    def scene(self, *, now: datetime, most: int = MOST_WAITING) -> Scene:
        """The queue, the nodes as the last pass saw them, and every live attempt. Of ``most``
        waiting jobs more is known than how many they are. Raises ``QueueUnavailable``.
        """
        with guarded(), self._engine.connect() as connection:
            reading = connection.execution_options(isolation_level="REPEATABLE READ")
            with reading.begin():
                return self._read(reading, now, most)

    def predictions(self, ids: Sequence[int]) -> Mapping[int, Prediction]:
        """See ``Foresight.predictions``."""
        if not ids:
            return {}
        with transaction(self._engine) as connection:
            rows = _rows(connection, "read_predictions", ids=list(ids))
        return {
            row["job_id"]: Prediction(
                Range(row["first_early"], row["first_late"]),
                Range(row["early"], row["late"]),
                row["told"],
            )
            for row in rows
        }

    def keep(self, found: Mapping[int, Range]) -> None:
        """See ``Foresight.keep``."""
        records = [
            {
                "job_id": job_id,
                "early": each.early.isoformat(),
                "late": each.late.isoformat() if each.late else None,
            }
            for job_id, each in found.items()
        ]
        if records:
            with transaction(self._engine) as connection:
                kept = {"predictions": json.dumps(records)}
                connection.execute(statement("keep_predictions"), kept)

    def owned(self, ids: Sequence[int]) -> Sequence[Owned]:
        """See ``Foresight.owned``."""
        with transaction(self._engine) as connection:
            rows = _rows(connection, "read_owners", ids=list(ids))
        return [
            Owned(
                ref_of(row),
                row["user_name"],
                submission_of(row),
                row["sweep_id"] is not None,
                audience_of(row),
            )
            for row in rows
        ]

    def past_use(self, team_id: int, name: str) -> PastUse:
        """See ``Foresight.past_use``."""
        with transaction(self._engine) as connection:
            [row] = _rows(connection, "read_past_use", team_id=team_id, name=name)
        peaks = {key: row[key] for key in ("peak_memory_bytes", "peak_cpu_cores")}
        return PastUse(row["runs"], Usage(**peaks))

    def story(self, job_id: JobId) -> Sequence[Change]:
        """See ``Foresight.story``."""
        with transaction(self._engine) as connection:
            rows = _rows(connection, "read_lane_story", job_id=job_id, limit=MOST_CHANGES)
        return [Change(row["at"], row["sentence"]) for row in rows]

    def _read(self, connection: Connection, now: datetime, most: int) -> Scene:
        waiting = [_waiting_of(row) for row in _rows(connection, "read_waiting", most=most)]
        occupants = [occupant_of(row) for row in _rows(connection, "live_requests")]
        weights = connection.execute(select(teams.c.name, teams.c.weight)).all()
        ids = [*(each.job_id for each in waiting), *(each.ref.job_id for each in occupants)]
        took = _histories(connection, ids)
        return Scene(
            now=now,
            lanes=[lane_head_of(row) for row in _rows(connection, "lane_heads", depth=most)],
            nodes=[_node_of(row) for row in _rows(connection, "list_nodes")],
            occupants=[replace(each, history=took.get(each.ref.job_id)) for each in occupants],
            policy=self._policy().with_weights({row.name: row.weight for row in weights}),
            waiting=[replace(each, history=took.get(each.job_id)) for each in waiting],
            past={row["team"]: past_use_of(row) for row in _rows(connection, "team_uses")},
        )


def _histories(connection: Connection, ids: Sequence[int]) -> Mapping[int, History]:
    rows = _rows(connection, "read_histories", job_ids=list(ids)) if ids else ()
    return {
        job_id: History(float(row["low"]), float(row["usual"]), float(row["high"]))
        for row in rows
        for job_id in row["job_ids"]
    }


def _rows(connection: Connection, name: str, /, **values: object) -> Sequence[RowMapping]:
    return connection.execute(statement(name), values).mappings().all()


def _node_of(row: RowMapping) -> Node:
    """As operators want it: what is retired takes nothing new."""
    node = node_of(row)
    return replace(node, ready=False) if row["wish"] == NodeWish.CLOSE else node


def _waiting_of(row: RowMapping) -> Waiting:
    return Waiting(
        job_id=JobId(row["job_id"]),
        lane_id=row["lane_id"],
        enqueued_at=row["enqueued_at"],
        time_limit=seconds_of(row["time_limit"]),
        user=row["user_name"],
        avoids=frozenset(row["avoids"]),
    )
