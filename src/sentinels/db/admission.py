"""Admitting waiting jobs: ``core.queueing.DispatchQueue`` over PostgreSQL.

Before: ``core/dispatching``. Next: ``sql/lane_heads.sql``, ``sql/claim_jobs.sql``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from sqlalchemy import Connection, select

from sentinels.core.capacity import KINDS, Node, Snapshot
from sentinels.core.pacing import Pace
from sentinels.core.planning import Decision, Grant, LaneHead
from sentinels.core.ports import TrackerRun
from sentinels.core.preempting import Clearance
from sentinels.core.queueing import Claim, NodeWish, PassReport
from sentinels.core.quota import PastUse, TeamUse
from sentinels.core.scene import Occupant
from sentinels.core.workload import WorkloadRef
from sentinels.db.attempts import PostgresAttempts
from sentinels.db.engine import statement, transaction
from sentinels.db.rows import lane_head_of, occupant_of, past_use_of, ref_of
from sentinels.db.tables import teams


class PostgresAdmission:
    """One open admission: its transaction holds the dispatch lock."""

    def __init__(self, connection: Connection) -> None:
        """Over a connection whose transaction has taken the lock."""
        self._connection = connection

    def release_deferred(self) -> int:
        """See ``Admission.release_deferred``."""
        return int(self._connection.execute(statement("release_deferred")).scalar_one())

    def lane_heads(self, *, depth: int) -> Sequence[LaneHead]:
        """See ``Admission.lane_heads``."""
        rows = self._connection.execute(statement("lane_heads"), {"depth": depth}).mappings()
        return [lane_head_of(row) for row in rows]

    def team_weights(self) -> Mapping[str, float]:
        """See ``Admission.team_weights``."""
        rows = self._connection.execute(select(teams.c.name, teams.c.weight))
        return {row.name: row.weight for row in rows}

    def live(self) -> Sequence[Occupant]:
        """See ``Admission.live``."""
        rows = self._connection.execute(statement("live_requests")).mappings()
        return [occupant_of(row) for row in rows]

    def past_uses(self) -> Mapping[str, PastUse]:
        """See ``Admission.past_uses``."""
        rows = self._connection.execute(statement("team_uses")).mappings()
        return {row["team"]: past_use_of(row) for row in rows}

    def keep_uses(self, uses: Mapping[str, TeamUse]) -> None:
        """See ``Admission.keep_uses``."""
        records = [
            {
                "team": team,
                **{kind.fact: use.average.get(kind.fact, 0.0) for kind in KINDS},
                "gpu_hours": use.gpu_hours,
            }
            for team, use in uses.items()
        ]
        self._connection.execute(statement("keep_team_uses"), {"uses": json.dumps(records)})

    def ask_to_leave(self, clearances: Sequence[Clearance]) -> None:
        """See ``Admission.ask_to_leave``."""
        asked = [
            {"job_id": each.job_id, "attempt": each.attempt, "leaves_for": clearance.job_id}
            for clearance in clearances
            for each in clearance.asked
        ]
        if asked:
            self._connection.execute(statement("ask_to_leave"), {"asked": json.dumps(asked)})

    def claim(self, grants: Sequence[Grant], *, lease_seconds: float) -> Sequence[Claim]:
        """See ``Admission.claim``."""
        if not grants:
            return []
        asked = {
            "lane_ids": [grant.lane_id for grant in grants],
            "counts": [grant.count for grant in grants],
            "lease_seconds": lease_seconds,
        }
        rows = self._connection.execute(statement("claim_jobs"), asked).mappings()
        rooms = {grant.lane_id: iter(grant.nodes) for grant in grants}
        return [Claim(ref_of(row), next(rooms[row["lane_id"]], None)) for row in rows]

    def record_decisions(self, decisions: Sequence[Decision]) -> None:
        """See ``Admission.record_decisions``."""
        if not decisions:
            return
        records = [
            {**asdict(decision), "code": str(decision.code), "facts": dict(decision.facts)}
            for decision in decisions
        ]
        self._connection.execute(statement("record_decisions"), {"decisions": json.dumps(records)})


class PostgresDispatchQueue(PostgresAttempts):
    """Dispatch's side of the queue."""

    def record_nodes(self, snapshot: Snapshot) -> Mapping[str, NodeWish]:
        """See ``DispatchQueue.record_nodes``."""
        nodes = json.dumps([_node_record(node) for node in snapshot.nodes])
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("record_nodes"), {"nodes": nodes})
            return {row.name: NodeWish(row.wish) for row in rows}

    def forget_wish(self, node: str) -> None:
        """See ``DispatchQueue.forget_wish``."""
        with transaction(self._engine) as connection:
            connection.execute(statement("forget_wish"), {"name": node})

    def recent_passes(self) -> Sequence[Pace]:
        """See ``DispatchQueue.recent_passes``."""
        with transaction(self._engine) as connection:
            rows = connection.execute(statement("recent_passes")).all()
        return [Pace(float(row.seconds_ago), row.launched, row.unstarted) for row in rows]

    @contextmanager
    def admission(self) -> Iterator[PostgresAdmission | None]:
        """See ``DispatchQueue.admission``."""
        with transaction(self._engine) as connection:
            granted = connection.execute(statement("try_dispatch_lock")).scalar_one()
            yield PostgresAdmission(connection) if granted else None

    def record_launch(self, ref: WorkloadRef, *, uid: str, run: TrackerRun | None) -> bool:
        """See ``DispatchQueue.record_launch``."""
        changes = {
            "job_id": ref.job_id,
            "attempt": ref.attempt,
            "uid": uid,
            "mlflow_run_id": run.run_id if run else None,
            "mlflow_url": run.page_url if run else None,
            "outputs_url": run.outputs_url if run else None,
        }
        with transaction(self._engine) as connection:
            return connection.execute(statement("record_launch"), changes).first() is not None

    def record_pass(self, report: PassReport) -> None:
        """See ``DispatchQueue.record_pass``."""
        with transaction(self._engine) as connection:
            if report.settled == report.launched == 0:
                connection.execute(statement("wake_lanes"))
            connection.execute(statement("record_pass"), asdict(report))


def _node_record(node: Node) -> dict[str, object]:
    offered = asdict(node.allocatable)
    return {
        **offered,
        "name": node.name,
        "ready": node.ready,
        "foreign_use": asdict(node.foreign),
        "slots": node.slots,
        "detail": node.detail,
        "architecture": node.architecture,
    }
