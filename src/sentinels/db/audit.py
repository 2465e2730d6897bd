"""Who did what: one row a change, in the change's own transaction.

Comes in: a connection, who acts, a ``Deed``. Goes out: a row. Before: every repository that changes
something for a person. Next: ``tables``.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert

from sentinels.core.people import Deed
from sentinels.core.queueing import Caller
from sentinels.db.tables import audit


def record(connection: Connection, actor: Caller | str, deed: Deed) -> None:
    """Write it down; a text as actor is somebody who holds the database itself."""
    team_id = deed.team_id
    if team_id is None and isinstance(actor, Caller):
        team_id = actor.team_id
    connection.execute(
        insert(audit).values(
            actor=actor.user if isinstance(actor, Caller) else actor,
            act=deed.act,
            team_id=team_id,
            job_id=deed.job_id,
            subject=deed.subject,
            detail=dict(deed.detail),
        )
    )
