"""The administrator's policy in PostgreSQL: every version is kept, the newest is in force.

Comes in: documents that were read as policies. Goes out: the policy in force. Before: each
function's ``main``. Next: ``core/governing``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine, RowMapping, func, insert, select

from sentinels.core.governing import PolicyVersion
from sentinels.core.people import Deed
from sentinels.core.policy import Policy
from sentinels.core.policy_reading import read_policy
from sentinels.core.ports import Json
from sentinels.core.queueing import Caller
from sentinels.core.scene import Scene
from sentinels.db.audit import record
from sentinels.db.engine import statement, transaction
from sentinels.db.foresight import PostgresForesight
from sentinels.db.tables import policies, teams

_FRESH_SECONDS = 2.0


class PostgresPolicies:
    """Reads and changes the policy: ``core.governing.PolicyBook``."""

    def __init__(self, engine: Engine, *, stopwatch: Callable[[], float] = time.monotonic) -> None:
        """Over this engine; no policy was applied yet: the usual one is in force."""
        self._engine, self._stopwatch = engine, stopwatch
        self._lock = threading.Lock()
        self._known: tuple[int, Policy] = (0, Policy())
        self._read_at = float("-inf")

    def current(self) -> Policy:
        """The policy in force, as of two seconds ago at the earliest."""
        with self._lock:
            if self._stopwatch() - self._read_at >= _FRESH_SECONDS:
                self._read()
                self._read_at = self._stopwatch()
            return self._known[1]

    def versions(self, *, limit: int) -> Sequence[PolicyVersion]:
        """See ``PolicyBook.versions``."""
        newest = select(policies).order_by(policies.c.id.desc()).limit(limit)
        with transaction(self._engine) as connection:
            return [_version_of(row) for row in connection.execute(newest).mappings()]

    def version(self, number: int) -> PolicyVersion | None:
        """See ``PolicyBook.version``."""
        wanted = select(policies).where(policies.c.id == number)
        with transaction(self._engine) as connection:
            row = connection.execute(wanted).mappings().first()
        return _version_of(row) if row else None

    def apply(self, document: Json, *, actor: Caller | str, seen: int) -> PolicyVersion | None:
        """See ``PolicyBook.apply``."""
        who = actor.user if isinstance(actor, Caller) else actor
        added = insert(policies).values(document=document, actor=who).returning(policies)
        with transaction(self._engine) as connection:
            connection.execute(statement("lock_policies"))
            if (connection.execute(select(func.max(policies.c.id))).scalar() or 0) != seen:
                return None
            row = connection.execute(added).mappings().one()
            record(connection, actor, Deed("policy.apply", f"version {row['id']}"))
        with self._lock:
            self._read_at = float("-inf")
        return _version_of(row)

    def weights(self) -> Mapping[str, float]:
        """See ``PolicyBook.weights``."""
        with transaction(self._engine) as connection:
            rows = connection.execute(select(teams.c.name, teams.c.weight)).all()
        return {row.name: row.weight for row in rows}

    def scene(self, *, now: datetime) -> Scene:
        """See ``PolicyBook.scene``."""
        return PostgresForesight(self._engine, self.current).scene(now=now)

    def _read(self) -> None:
        newest = select(policies.c.id, policies.c.document).order_by(policies.c.id.desc()).limit(1)
        with transaction(self._engine) as connection:
            row = connection.execute(newest).first()
        if row is not None and row.id != self._known[0]:
            self._known = (row.id, read_policy(row.document))


def _version_of(row: RowMapping) -> PolicyVersion:
    return PolicyVersion(row["id"], row["document"], row["actor"], row["at"])
