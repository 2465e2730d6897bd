"""Which lane a request waits in. Before: ``rows``. Next: ``intake``, ``attempts``."""

from __future__ import annotations

from sqlalchemy import Connection

from sentinels.core.capacity import Resources
from sentinels.db.engine import statement
from sentinels.db.rows import shape_columns


def ensure_shape(connection: Connection, resources: Resources) -> int:
    """The id of the row of this request."""
    return int(connection.execute(statement("ensure_shape"), shape_columns(resources)).scalar_one())


def ensure_lane(connection: Connection, *, team_id: int, priority: int, shape_id: int) -> int:
    """The id of the lane of this team, priority and shape."""
    place = {"team_id": team_id, "priority": priority, "shape_id": shape_id}
    return int(connection.execute(statement("ensure_lane"), place).scalar_one())
