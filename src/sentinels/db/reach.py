"""Whose jobs a statement may touch, as SQLAlchemy filters by it.

Comes in: a ``Reach``. Goes out: a condition on ``jobs``. Before: ``intake``, ``reading``. Next:
``tables``.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, true

from sentinels.core.rights import Reach
from sentinels.db.tables import jobs


def within(reach: Reach) -> ColumnElement[bool]:
    """Whether a job is one of those that somebody's act may touch."""
    of_team = true() if reach.team_id is None else jobs.c.team_id == reach.team_id
    of_user = true() if reach.user_id is None else jobs.c.user_id == reach.user_id
    return and_(of_team, of_user)
