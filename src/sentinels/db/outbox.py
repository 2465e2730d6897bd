"""The outbox: ``core.queueing.Outbox`` over PostgreSQL.

A delivery is posted in the transaction that causes it, and taken with a lease: whoever takes it and
dies leaves it to the next. Before: ``attempts``. Next: ``core/notifying``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, Engine

from sentinels.core.dossier import Dossier, dossier_json, read_dossier
from sentinels.core.job import JobState, Reason
from sentinels.core.ports import TrackerRun
from sentinels.core.queueing import Delivery, DueDelivery, EndedAttempt
from sentinels.core.workload import WorkloadRef
from sentinels.db.engine import statement, transaction
from sentinels.db.rows import live_attempt_of, ref_of, usage_of


def post(connection: Connection, deliveries: Sequence[Delivery]) -> None:
    """Add deliveries in the caller's transaction; one that is there already stays as it is."""
    if deliveries:
        items = [_item(delivery) for delivery in deliveries]
        connection.execute(statement("post_outbox"), {"items": json.dumps(items)})


def post_again(connection: Connection, notices: Sequence[Delivery]) -> None:
    """Add notices that may be told of a job again; one that still waits is told with the new."""
    if notices:
        items = [_item(notice) for notice in notices]
        connection.execute(statement("post_again"), {"items": json.dumps(items)})


def _item(delivery: Delivery) -> dict[str, str | float | None]:
    return {
        "job_id": delivery.ref.job_id,
        "attempt": delivery.ref.attempt,
        "kind": delivery.kind,
        "channel": delivery.channel,
        "recipient": delivery.recipient,
        "body": delivery.body,
        "after_seconds": delivery.after_seconds,
    }


class PostgresOutbox:
    """Notify's side of the outbox."""

    def __init__(self, engine: Engine) -> None:
        """Over this engine."""
        self._engine = engine

    def take_due(self, *, batch: int, lease_seconds: float) -> Sequence[DueDelivery]:
        """See ``Outbox.take_due``."""
        asked = {"batch": batch, "lease_seconds": lease_seconds}
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("claim_outbox"), asked).mappings().all()
        return [
            DueDelivery(
                id=row["id"],
                delivery=Delivery(
                    ref_of(row), row["kind"], row["channel"], row["recipient"], row["body"]
                ),
                tries=row["tries"],
            )
            for row in sorted(rows, key=lambda row: int(row["id"]))
        ]

    def delivered(self, delivery_id: int) -> None:
        """See ``Outbox.delivered``."""
        self._finish(delivery_id, "delivered")

    def kept(self, delivery_id: int) -> None:
        """See ``Outbox.kept``."""
        self._finish(delivery_id, "kept")

    def failed(self, delivery_id: int, error: str) -> None:
        """See ``Outbox.failed``."""
        self._finish(delivery_id, "failed", error)

    def postpone(self, delivery_id: int, *, after_seconds: float, error: str | None) -> None:
        """See ``Outbox.postpone``."""
        changes = {"id": delivery_id, "after_seconds": after_seconds, "error": error}
        with transaction(self._engine) as connection:
            connection.execute(statement("postpone_outbox"), changes)

    def ended_attempt(self, ref: WorkloadRef) -> EndedAttempt | None:
        """See ``Outbox.ended_attempt``."""
        asked = {"job_id": ref.job_id, "attempt": ref.attempt}
        with transaction(self._engine) as connection:
            row = connection.execute(statement("ended_attempt"), asked).mappings().first()
        if row is None:
            return None
        return EndedAttempt(
            attempt=live_attempt_of(row),
            state=JobState(row["outcome"]),
            reason=Reason(row["attempt_reason"]) if row["attempt_reason"] else None,
            exit_code=row["exit_code"],
            started_at=row["started_at"],
            finished_at=row["finished_at"],
            outputs_complete=row["outputs_complete"],
            usage=usage_of(row),
            dossier=read_dossier(row["dossier"]),
        )

    def record_run(self, ref: WorkloadRef, run: TrackerRun) -> None:
        """See ``Outbox.record_run``."""
        changes = {
            "job_id": ref.job_id,
            "attempt": ref.attempt,
            "mlflow_run_id": run.run_id,
            "mlflow_url": run.page_url,
            "outputs_url": run.outputs_url,
        }
        with transaction(self._engine) as connection:
            connection.execute(statement("record_run"), changes)

    def record_outputs(self, ref: WorkloadRef) -> None:
        """See ``Outbox.record_outputs``."""
        changes = {"job_id": ref.job_id, "attempt": ref.attempt}
        with transaction(self._engine) as connection:
            connection.execute(statement("record_outputs"), changes)

    def record_dossier(self, ref: WorkloadRef, dossier: Dossier) -> None:
        """See ``Outbox.record_dossier``."""
        changes = {
            "job_id": ref.job_id,
            "attempt": ref.attempt,
            "dossier": json.dumps(dossier_json(dossier)),
        }
        with transaction(self._engine) as connection:
            connection.execute(statement("record_dossier"), changes)

    def _finish(self, delivery_id: int, state: str, error: str | None = None) -> None:
        changes = {"id": delivery_id, "state": state, "error": error}
        with transaction(self._engine) as connection:
            connection.execute(statement("finish_outbox"), changes)
