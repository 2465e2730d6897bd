"""People in other roles than a member's."""

from __future__ import annotations

from sqlalchemy import Engine, update

from sentinels.core.rights import Role
from sentinels.db.tables import users


def promote(engine: Engine, user: str, role: Role) -> None:
    """The user is in this role from now on."""
    with engine.begin() as connection:
        connection.execute(update(users).where(users.c.name == user).values(role=role.value))
