"""Sweeps as one: what has become of their jobs, and the end of all of them.

Before: ``ends``, ``notices``, ``reading``. Next: ``read_sweep.sql``, ``cancel_sweep_waiting.sql``.
"""

from __future__ import annotations

from sqlalchemy import Connection

from sentinels.core.job import JobId, JobState
from sentinels.core.sweeps import MOST_FAILURES, SweepView, Unsuccessful
from sentinels.db.engine import statement


def read_sweep(connection: Connection, sweep_id: JobId) -> SweepView:
    """The sweep with this first job."""
    asked = {"sweep_id": sweep_id, "most": MOST_FAILURES}
    row = connection.execute(statement("read_sweep"), asked).mappings().one()
    return SweepView(
        sweep_id=sweep_id,
        name=row["name"],
        user=row["user_name"],
        team=row["team"],
        jobs=row["jobs"],
        states={JobState(state): number for state, number in (row["states"] or {}).items()},
        submitted_at=row["submitted_at"],
        finished_at=row["finished_at"],
        unsuccessful=[
            Unsuccessful(JobId(job["id"]), JobState(job["state"]), job["params"] or {}, job["why"])
            for job in row["unsuccessful"]
        ],
        definition=row["definition"] or {},
        at_once=row["at_once"],
    )
