"""Choices about notices: ``core.preferences.Preferences`` over PostgreSQL.

Before: ``functions/submit``. Next: ``tables``.
"""

from __future__ import annotations

from sqlalchemy import Engine, select, update

from sentinels.core.audience import Audience, Choice
from sentinels.core.notify_reading import listed
from sentinels.core.queueing import Caller
from sentinels.db.engine import transaction
from sentinels.db.rows import choice_of
from sentinels.db.tables import teams, users


class PostgresPreferences:
    """The front door's side of them."""

    def __init__(self, engine: Engine) -> None:
        """Over this engine."""
        self._engine = engine

    def choices(self, caller: Caller) -> Audience:
        """See ``Preferences.choices``."""
        mine = select(users.c.notice_to, users.c.notice_on).where(users.c.id == caller.user_id)
        ours = select(teams.c.notice_to, teams.c.notice_on).where(teams.c.id == caller.team_id)
        with transaction(self._engine) as connection:
            owner, team = (connection.execute(asked).one() for asked in (mine, ours))
        return Audience(choice_of(*owner), choice_of(*team))

    def choose(self, caller: Caller, choices: Audience) -> None:
        """See ``Preferences.choose``."""
        mine = update(users).where(users.c.id == caller.user_id).values(_columns(choices.owner))
        ours = update(teams).where(teams.c.id == caller.team_id).values(_columns(choices.team))
        with transaction(self._engine) as connection:
            connection.execute(mine)
            connection.execute(ours)


def _columns(choice: Choice) -> dict[str, list[str] | None]:
    on = None if choice.on is None else listed(choice.on)
    return {"notice_to": list(choice.to), "notice_on": on}
