"""Notices by recipient: ``core.notice_queue.NoticeQueue`` over PostgreSQL.

``recipients.next_at`` is lease and pace in one: nobody tells a recipient anything before it.
Before: ``outbox``, which posts notices. Next: ``core/telling``.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, RowMapping

from sentinels.core.job import JobId, JobState, Reason
from sentinels.core.notice_queue import (
    DueNotice,
    NoticedCondition,
    NoticedJob,
    Pace,
    Recipient,
)
from sentinels.core.ports import Thread
from sentinels.core.sweeps import SweepView
from sentinels.db.engine import statement, transaction
from sentinels.db.sweeps import read_sweep


class PostgresNotices:
    """Notify's side of what people are told."""

    def __init__(self, engine: Engine) -> None:
        """Over this engine."""
        self._engine = engine

    def take(self, *, lease_seconds: float) -> Recipient | None:
        """See ``NoticeQueue.take``."""
        with transaction(self._engine) as connection:
            row = connection.execute(
                statement("claim_recipient"), {"lease_seconds": lease_seconds}
            ).first()
        return Recipient(row.address or None, row.failures) if row else None

    def claim(self, address: str | None, *, lease_seconds: float) -> bool:
        """See ``NoticeQueue.claim``."""
        asked = {"address": address or "", "lease_seconds": lease_seconds}
        with transaction(self._engine) as connection:
            return connection.execute(statement("claim_address"), asked).first() is not None

    def due(self, address: str | None, *, ahead_seconds: float, most: int) -> Sequence[DueNotice]:
        """See ``NoticeQueue.due``."""
        asked = {"address": address or "", "ahead_seconds": ahead_seconds, "most": most}
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("due_notices"), asked).mappings().all()
        return [_notice_of(row) for row in rows]

    def soon(self) -> float | None:
        """See ``NoticeQueue.soon``."""
        with transaction(self._engine) as connection:
            seconds = connection.execute(statement("next_notice")).scalar_one()
        return None if seconds is None else float(seconds)

    def told(self, address: str | None, ids: Sequence[int], pace: Pace) -> None:
        """See ``NoticeQueue.told``."""
        self._finish("delivered", ids, address, pace)

    def failed(self, address: str | None, ids: Sequence[int], error: str, pace: Pace) -> None:
        """See ``NoticeQueue.failed``."""
        self._finish("failed", ids, address, pace, error)

    def redirect(self, address: str, ids: Sequence[int], error: str, pace: Pace) -> None:
        """See ``NoticeQueue.redirect``."""
        addition = f"\n(It could not be told to {address}: {error})"
        self._finish("failed", ids, address, pace, error, redirected=addition)

    def kept(self, address: str | None, ids: Sequence[int]) -> None:
        """See ``NoticeQueue.kept``."""
        finished = {"ids": list(ids), "state": "kept", "error": None}
        with transaction(self._engine) as connection:
            connection.execute(statement("finish_notices"), finished)
            connection.execute(statement("free_recipient"), {"address": address or ""})

    def postpone(
        self, address: str | None, ids: Sequence[int], *, after_seconds: float, error: str
    ) -> None:
        """See ``NoticeQueue.postpone``."""
        later = {"address": address or "", "after_seconds": after_seconds}
        with transaction(self._engine) as connection:
            connection.execute(statement("postpone_notices"), {"ids": list(ids), "error": error})
            connection.execute(statement("postpone_recipient"), later)

    def thread(self, sweep_id: JobId, address: str | None) -> Thread | None:
        """See ``NoticeQueue.thread``."""
        asked = {"sweep_id": sweep_id, "address": address or ""}
        with transaction(self._engine) as connection:
            row = connection.execute(statement("read_thread"), asked).first()
        return Thread(row.place, row.ts) if row else None

    def keep_thread(self, sweep_id: JobId, address: str | None, thread: Thread) -> None:
        """See ``NoticeQueue.keep_thread``."""
        kept = {"sweep_id": sweep_id, "address": address or ""}
        with transaction(self._engine) as connection:
            connection.execute(
                statement("keep_thread"), {**kept, "place": thread.place, "ts": thread.ts}
            )

    def sweep(self, sweep_id: JobId) -> SweepView:
        """See ``NoticeQueue.sweep``."""
        with transaction(self._engine) as connection:
            return read_sweep(connection, sweep_id)

    def _finish(
        self,
        state: str,
        ids: Sequence[int],
        address: str | None,
        pace: Pace,
        error: str = "",
        *,
        redirected: str = "",
    ) -> None:
        finished = {"ids": list(ids), "state": state, "error": error or None}
        left = {"address": address or "", "least": pace.least, "most": pace.most}
        with transaction(self._engine) as connection:
            if redirected:
                again = {"ids": list(ids), "addition": redirected}
                connection.execute(statement("redirect_notices"), again)
            connection.execute(statement("finish_notices"), finished)
            connection.execute(statement("leave_recipient"), left)


def _notice_of(row: RowMapping) -> DueNotice:
    return DueNotice(
        id=row["id"],
        kind=row["kind"],
        text=row["body"],
        at=row["created_at"],
        tries=row["tries"],
        job=_job_of(row) if row["job_id"] is not None else None,
        condition=(
            NoticedCondition(row["condition"], row["since"], row["facts"])
            if row["condition"] is not None
            else None
        ),
    )


def _job_of(row: RowMapping) -> NoticedJob:
    return NoticedJob(
        id=JobId(row["job_id"]),
        attempt=row["attempt"],
        name=row["name"],
        user=row["user_name"],
        team=row["team"],
        state=JobState(row["state"]),
        reason=Reason(row["reason"]) if row["reason"] else None,
        exit_code=row["exit_code"],
        sweep_id=row["sweep_id"],
    )
