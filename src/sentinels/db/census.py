"""How the whole stands, counted: ``core.census.CensusTaker`` over PostgreSQL.

Before: ``functions/gauges``. Next: ``sql/census_*.sql``, ``reading``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Engine, RowMapping

from sentinels.core.capacity import Resources, add
from sentinels.core.census import Census, OutboxCount, TeamCount, Waiting, bounded_teams
from sentinels.core.queueing import NodeWish
from sentinels.core.reading import WAITING_BOUND, NodeView
from sentinels.db.engine import statement, transaction
from sentinels.db.rows import node_of, resources_of

_NOBODY = 0


class PostgresCensus:
    """Counts in one transaction, so that the numbers go together."""

    def __init__(self, engine: Engine) -> None:
        """Over this engine."""
        self._engine = engine

    def take(self) -> Census:
        """See ``CensusTaker.take``."""
        with transaction(self._engine) as connection:
            waiting = _rows(connection, "census_waiting", bound=WAITING_BOUND)
            return Census(
                waiting=_by_priority(waiting),
                blocked=_by_code(waiting),
                teams=bounded_teams(_teams(waiting, _rows(connection, "census_live"))),
                outbox=_outbox(_rows(connection, "census_outbox", bound=WAITING_BOUND)),
                nodes=_nodes(connection),
                database_bytes=int(_rows(connection, "census_database")[0]["bytes"]),
            )


def _rows(connection: Connection, name: str, /, **values: object) -> Sequence[RowMapping]:
    return connection.execute(statement(name), values).mappings().all()


def _by_priority(rows: Sequence[RowMapping]) -> Mapping[int, Waiting]:
    return {
        row["priority"]: Waiting(int(row["waiting"]), float(row["oldest_seconds"]))
        for row in rows
        if row["priority"] is not None
    }


def _by_code(rows: Sequence[RowMapping]) -> Mapping[str, int]:
    return {row["code"]: int(row["waiting"]) for row in rows if row["code"] is not None}


def _teams(waiting: Sequence[RowMapping], live: Sequence[RowMapping]) -> Mapping[str, TeamCount]:
    found: dict[str, TeamCount] = defaultdict(TeamCount)
    for row in waiting:
        if row["team"] is not None:
            found[row["team"]] = TeamCount(waiting=int(row["waiting"]))
    for row in live:
        held = Resources(int(row["cpu_millis"]), int(row["memory_bytes"]), int(row["gpus"]))
        found[row["team"]] = replace(found[row["team"]], live=row["live"], held=held)
    return found


def _outbox(rows: Sequence[RowMapping]) -> Mapping[str, OutboxCount]:
    return {row["channel"]: OutboxCount(row["pending"], float(row["lag_seconds"])) for row in rows}


def _nodes(connection: Connection) -> Sequence[NodeView]:
    used: dict[str, Resources] = defaultdict(Resources)
    for row in _rows(connection, "read_node_use", team_id=_NOBODY):
        used[row["node"]] = add(used[row["node"]], resources_of(row))
    return [
        NodeView(
            node=node_of(row),
            used=used[row["name"]],
            jobs=(),
            wish=NodeWish(row["wish"]) if row["wish"] else None,
        )
        for row in _rows(connection, "list_nodes")
    ]
