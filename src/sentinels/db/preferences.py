"""Choices about notices: ``core.preferences.Preferences`` over PostgreSQL.

Before: ``functions/submit``. Next: ``audit``.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Table, or_, select, update

from sentinels.core.audience import Audience, Choice
from sentinels.core.notify_reading import listed
from sentinels.core.people import Deed
from sentinels.core.queueing import Caller
from sentinels.core.rights import Act, Holder
from sentinels.db.audit import record
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
        """See ``Preferences.choose``; a team's is left alone by who may not change it."""
        mine = _Row("notify.user", users, caller.user_id, caller.user, choices.owner)
        ours = _Row("notify.team", teams, caller.team_id, caller.team, choices.team)
        team_too = caller.may(Act.CHANGE, Holder(user_id=0, team_id=caller.team_id))
        with transaction(self._engine) as connection:
            for row in [mine, ours] if team_too else [mine]:
                _store(connection, caller, row)


@dataclass(frozen=True, slots=True)
class _Row:
    """A choice, and the row that it is kept in."""

    act: str
    table: Table
    id: int
    name: str
    choice: Choice


def _store(connection: Connection, caller: Caller, row: _Row) -> None:
    """Keep the choice, and write it down where it is another than before."""
    values, columns = _columns(row.choice), row.table.c
    differs = or_(*(columns[name].is_distinct_from(value) for name, value in values.items()))
    change = update(row.table).where(columns.id == row.id, differs).values(values)
    if connection.execute(change.returning(columns.id)).first() is not None:
        record(connection, caller, Deed(row.act, row.name, detail=values))


def _columns(choice: Choice) -> dict[str, list[str] | None]:
    on = None if choice.on is None else listed(choice.on)
    return {"notice_to": list(choice.to), "notice_on": on}
