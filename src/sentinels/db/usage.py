"""What ended attempts used over time: ``core.metering.UsageFile`` over PostgreSQL.

Before: ``core/metering``, ``functions/submit/usage``. Next: ``sql/file_usage.sql``.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Engine

from sentinels.core.meter import Series
from sentinels.core.observation import Usage
from sentinels.core.series import read_series, series_json
from sentinels.core.workload import WorkloadRef
from sentinels.db.engine import statement, transaction


class PostgresUsageFile:
    """A row an attempt."""

    def __init__(self, engine: Engine) -> None:
        """Over this engine."""
        self._engine = engine

    def file(self, ref: WorkloadRef, series: Series, usage: Usage, *, begin: datetime) -> None:
        """See ``UsageFile.file``."""
        values = {
            "job_id": ref.job_id,
            "attempt": ref.attempt,
            "series": json.dumps(series_json(series, begin)),
            **asdict(usage),
        }
        with transaction(self._engine) as connection:
            connection.execute(statement("file_usage"), values)

    def filed(self, ref: WorkloadRef, *, begin: datetime) -> Series | None:
        """See ``UsageFile.filed``."""
        asked = {"job_id": ref.job_id, "attempt": ref.attempt}
        with transaction(self._engine) as connection:
            row = connection.execute(statement("read_usage"), asked).first()
        return None if row is None else read_series(row.series, begin)
