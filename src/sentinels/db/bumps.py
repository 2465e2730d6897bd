"""Bumping jobs: ``core.bumping.Bumps`` over PostgreSQL.

Before: ``core/bumping``. Next: ``sql/bump_jobs.sql``, ``foresight``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, select

from sentinels.core.addressing import Happening, Listeners
from sentinels.core.audience import NoticeRules
from sentinels.core.bumping import Bump, Target, Told
from sentinels.core.job import JobId, JobState
from sentinels.core.notice import MESSENGER
from sentinels.core.people import Deed
from sentinels.core.policy import CurrentPolicy
from sentinels.core.queueing import Delivery
from sentinels.core.rights import Holder
from sentinels.core.scene import Scene
from sentinels.core.workload import WorkloadRef
from sentinels.db.audit import record
from sentinels.db.ends import subject_of
from sentinels.db.engine import statement, transaction
from sentinels.db.foresight import PostgresForesight
from sentinels.db.outbox import post_again
from sentinels.db.tables import jobs


class PostgresBumps:
    """The front door's side of bumps."""

    def __init__(
        self, engine: Engine, policy: CurrentPolicy, rules: NoticeRules | None = None
    ) -> None:
        """``policy`` is dispatch's; ``rules`` are for notices."""
        self._engine, self._rules = engine, rules or NoticeRules()
        self._foresight = PostgresForesight(engine, policy)

    def targets(self, job_ids: Sequence[int]) -> Sequence[Target]:
        """See ``Bumps.targets``."""
        asked = {"job_ids": list(job_ids)}
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("bump_targets"), asked).mappings().all()
        return [_target_of(row) for row in rows]

    def scene(self, *, now: datetime) -> Scene:
        """See ``Bumps.scene``."""
        return self._foresight.scene(now=now)

    def bump(self, bump: Bump) -> frozenset[int]:
        """See ``Bumps.bump``. It holds the dispatch lock, so no pass has the jobs in its hands."""
        asked = {
            "job_ids": [job.job_id for job in bump.jobs],
            "priority": bump.priority,
            "names": json.dumps(bump.names),
            "actor": bump.caller.user,
        }
        with transaction(self._engine) as connection:
            connection.execute(statement("await_dispatch_lock"))
            done = frozenset(connection.execute(statement("bump_jobs"), asked).scalars())
            for job in bump.jobs:
                if job.job_id in done:
                    record(connection, bump.caller, _deed(job, bump))
            if done:
                self._tell(connection, bump.told(done))
        return done

    def _tell(self, connection: Connection, told: Told) -> None:
        """Those that still wait, as their people want to be told."""
        wanted = select(jobs.c.id, jobs.c.attempt).where(
            jobs.c.id.in_(list(told)), jobs.c.state == JobState.QUEUED.value
        )
        for row in connection.execute(wanted).all():
            subject = subject_of(connection, JobId(row.id))
            ref = WorkloadRef(JobId(row.id), row.attempt)
            notice = Delivery(ref, "delayed", MESSENGER, body=told[JobId(row.id)])
            listeners = Listeners(subject.submission.notify, subject.audience, self._rules)
            what = Happening(("delayed",), in_sweep=subject.sweep_id is not None)
            post_again(connection, listeners.addressed([notice], what))


def _deed(job: Target, bump: Bump) -> Deed:
    detail = {"from": job.priority, "to": bump.priority}
    return Deed("bump", job.name, job.job_id, job.holder.team_id, detail)


def _target_of(row: RowMapping) -> Target:
    return Target(
        job_id=JobId(row["job_id"]),
        name=row["name"],
        state=JobState(row["state"]),
        priority=row["priority"],
        user=row["user_name"],
        team=row["team"],
        holder=Holder(row["user_id"], row["team_id"]),
    )
