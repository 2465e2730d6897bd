"""The administrator's policy in PostgreSQL: every version is kept, the newest is in force.

Comes in: documents that were read as policies. Goes out: the policy in force. Before: each
function's ``main``. Next: ``core/policy_reading``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, insert, select

from sentinels.core.policy import Policy
from sentinels.core.policy_reading import read_policy
from sentinels.core.ports import Json
from sentinels.db.engine import transaction
from sentinels.db.tables import policies

_FRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of the policy, and who applied it when."""

    id: int
    document: Json
    actor: str
    at: datetime


class PostgresPolicies:
    """Reads and changes the policy."""

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
        """The newest versions, the one in force first."""
        newest = select(policies).order_by(policies.c.id.desc()).limit(limit)
        with transaction(self._engine) as connection:
            return [
                PolicyVersion(row.id, row.document, row.actor, row.at)
                for row in connection.execute(newest)
            ]

    def apply(self, document: Json, *, actor: str) -> None:
        """Put a document in force that ``read_policy`` has taken."""
        with transaction(self._engine) as connection:
            connection.execute(insert(policies).values(document=document, actor=actor))
        with self._lock:
            self._read_at = float("-inf")

    def _read(self) -> None:
        newest = select(policies.c.id, policies.c.document).order_by(policies.c.id.desc()).limit(1)
        with transaction(self._engine) as connection:
            row = connection.execute(newest).first()
        if row is not None and row.id != self._known[0]:
            self._known = (row.id, read_policy(row.document))
