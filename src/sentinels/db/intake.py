"""Storing pushes and cancelling jobs: ``core.queueing.IntakeQueue`` over PostgreSQL.

Before: ``core/submitting``. Next: ``sql/submit_jobs.sql``, ``moves``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache

from sqlalchemy import Connection, Engine, select

from sentinels.core.audience import NoticeRules
from sentinels.core.capacity import Node, Resources
from sentinels.core.errors import Conflict, NotFound
from sentinels.core.job import MOVES, TERMINAL_STATES, JobId, JobState, Move, Reason
from sentinels.core.notice import cancelled_in_queue
from sentinels.core.people import Deed
from sentinels.core.ports import Failpoint
from sentinels.core.queueing import Caller, NodeWish, Push, Pushed, Sameness, SweepCancelled
from sentinels.core.quota import TeamUse
from sentinels.core.rights import Act
from sentinels.core.submission_reading import submission_to_config
from sentinels.core.workload import WorkloadRef
from sentinels.db.audit import record
from sentinels.db.ends import post_sweep_end, post_waiting_end, subject_of
from sentinels.db.engine import statement, transaction
from sentinels.db.lanes import ensure_lane, ensure_shape
from sentinels.db.moves import Change, StaleMove, move_job
from sentinels.db.reach import within
from sentinels.db.rows import image_column, node_of
from sentinels.db.tables import jobs

_CANCEL_TRIES = 5


class PostgresIntake:
    """The front door's side of the queue."""

    def __init__(
        self, engine: Engine, failpoint: Failpoint, rules: NoticeRules | None = None
    ) -> None:
        """``failpoint`` is called before and after a push's commit; ``rules`` are for notices."""
        self._engine = engine
        self._failpoint = failpoint
        self._rules = rules or NoticeRules()
        self._lane_of = lru_cache(maxsize=4096)(self._find_lane)

    def replay(self, caller: Caller, key: str, digest: bytes) -> Pushed | None:
        """See ``IntakeQueue.replay``."""
        with transaction(self._engine) as connection:
            return _replay(connection, caller, [key, f"{key}#0"], digest)

    def submit(self, caller: Caller, push: Push) -> Pushed:
        """See ``IntakeQueue.submit``."""
        first = push.submissions[0]
        shape_id, lane_id = self._lane_of(caller.team_id, push.priority, first.resources)
        with transaction(self._engine) as connection:
            if same := _same(connection, caller, push.sameness):
                return same
            stored = connection.execute(
                statement("submit_jobs"),
                {
                    "jobs": _job_records(push),
                    "image": json.dumps(image_column(push.image)),
                    "team_id": caller.team_id,
                    "user_id": caller.user_id,
                    "actor": caller.user,
                    "priority": push.priority,
                    "shape_id": shape_id,
                    "lane_id": lane_id,
                    "request_digest": push.digest,
                    "waits_for": json.dumps(list(first.after)),
                    "rerun_of": push.rerun_of,
                    "at_once": push.at_once,
                    "definition": json.dumps(push.swept),
                },
            )
            ids = tuple(JobId(row.id) for row in stored)
            if not ids:
                return self._earlier(connection, caller, push)
            record(connection, caller, _pushed(push, ids))
            _keep_same(connection, caller, push.sameness, ids[0])
            self._failpoint("submit.before_commit")
        self._failpoint("submit.after_commit")
        return Pushed(ids, replayed=False)

    def nodes(self) -> Sequence[Node]:
        """See ``IntakeQueue.nodes``."""
        with transaction(self._engine) as connection:
            return [node_of(row) for row in connection.execute(statement("list_nodes")).mappings()]

    def waiting(self, caller: Caller, *, most: int) -> int:
        """See ``IntakeQueue.waiting``."""
        asked = {"team_id": caller.team_id, "most": most}
        with transaction(self._engine) as connection:
            return int(connection.execute(statement("count_waiting"), asked).scalar_one())

    def team_use(self, caller: Caller) -> TeamUse:
        """See ``IntakeQueue.team_use``."""
        with transaction(self._engine) as connection:
            asked = {"team_id": caller.team_id}
            row = connection.execute(statement("team_use"), asked).mappings().one()
        held = Resources(row["cpu_millis"], row["memory_bytes"], row["gpus"])
        return TeamUse(held, row["running"], row["gpus_of"], gpu_hours=row["gpu_hours"])

    def wish_node(self, caller: Caller, node: str, wish: NodeWish) -> bool:
        """See ``IntakeQueue.wish_node``."""
        wished = {"name": node, "wish": wish.value}
        with transaction(self._engine) as connection:
            if connection.execute(statement("wish_node"), wished).first() is None:
                return False
            record(connection, caller, Deed(f"node.{wish.value}", node))
        return True

    def job_states(self, caller: Caller, job_ids: Sequence[int]) -> Mapping[int, JobState]:
        """See ``IntakeQueue.job_states``."""
        if not job_ids:
            return {}
        mine = select(jobs.c.id, jobs.c.state).where(
            jobs.c.id.in_(job_ids), within(caller.reach(Act.SEE))
        )
        with transaction(self._engine) as connection:
            return {row.id: JobState(row.state) for row in connection.execute(mine)}

    def dependents(self, caller: Caller, job_id: JobId) -> Sequence[JobId]:
        """See ``IntakeQueue.dependents``."""
        asked = {"job_id": job_id, "team_id": caller.seen_team}
        with transaction(self._engine) as connection:
            return list(connection.execute(statement("read_dependents"), asked).scalars())

    def cancel(self, caller: Caller, job_id: JobId) -> JobState:
        """See ``IntakeQueue.cancel``; tries again where the job moves meanwhile."""
        for _ in range(_CANCEL_TRIES):
            with suppress(StaleMove), transaction(self._engine) as connection:
                return _cancel(connection, caller, job_id, self._rules)
        raise Conflict(f"job {job_id} is changing just now", remedy="try again")

    def cancel_sweep(self, caller: Caller, sweep_id: JobId) -> SweepCancelled:
        """See ``IntakeQueue.cancel_sweep``."""
        with transaction(self._engine) as connection:
            return _cancel_sweep(connection, caller, sweep_id, self._rules)

    def _find_lane(self, team_id: int, priority: int, resources: Resources) -> tuple[int, int]:
        with transaction(self._engine) as connection:
            shape_id = ensure_shape(connection, resources)
            lane = ensure_lane(connection, team_id=team_id, priority=priority, shape_id=shape_id)
        return shape_id, lane

    @staticmethod
    def _earlier(connection: Connection, caller: Caller, push: Push) -> Pushed:
        keys = [_key(push, position) or "" for position in range(len(push.submissions))]
        earlier = _replay(connection, caller, keys, push.digest)
        if earlier is None:
            raise Conflict("the push could not be stored", remedy="push again")
        return earlier


def _job_records(push: Push) -> str:
    return json.dumps(
        [
            {
                "name": submission.name,
                "experiment": submission.experiment,
                "config": submission_to_config(submission),
                "idem_key": _key(push, position),
            }
            for position, submission in enumerate(push.submissions)
        ]
    )


def _pushed(push: Push, ids: Sequence[JobId]) -> Deed:
    act = "push" if push.rerun_of is None else "rerun"
    return Deed(act, push.submissions[0].name, ids[0], detail={"jobs": len(ids)})


def _key(push: Push, position: int) -> str | None:
    if push.key is None or len(push.submissions) == 1:
        return push.key
    return f"{push.key}#{position}"


def _replay(
    connection: Connection, caller: Caller, keys: Sequence[str], digest: bytes
) -> Pushed | None:
    found = connection.execute(
        statement("find_pushed"), {"user_id": caller.user_id, "keys": list(keys)}
    ).all()
    if not found:
        return None
    if any(bytes(row.request_digest) != digest for row in found):
        raise Conflict(
            f"this Idempotency-Key was used for another push, of job {found[0].id}",
            remedy="use a new key for a new push",
        )
    return Pushed(_whole(connection, [row.id for row in found]), replayed=True)


def _same(connection: Connection, caller: Caller, wanted: Sameness | None) -> Pushed | None:
    """The jobs of the same push, if there is one; else its place is held, so that nobody else
    stores it meanwhile.
    """
    if wanted is None:
        return None
    place = {"user_id": caller.user_id, "digest": wanted.digest, "seconds": wanted.seconds}
    found = connection.execute(statement("claim_same"), place).scalar_one()
    if found is None or wanted.again:
        return None
    if not connection.execute(statement("unended_push"), {"job_id": found}).scalar_one():
        return None
    return Pushed(_whole(connection, [found]), replayed=True, same=True)


def _keep_same(
    connection: Connection, caller: Caller, wanted: Sameness | None, first: JobId
) -> None:
    if wanted is not None:
        kept = {"user_id": caller.user_id, "digest": wanted.digest, "seconds": wanted.seconds}
        connection.execute(statement("keep_same"), {**kept, "job_id": first})


def _whole(connection: Connection, first: Sequence[int]) -> tuple[JobId, ...]:
    """These jobs, or all of the sweep that begins with them."""
    sweep = select(jobs.c.id).where(jobs.c.sweep_id == first[0]).order_by(jobs.c.id)
    return tuple(map(JobId, connection.execute(sweep).scalars().all() or first))


def _cancel(connection: Connection, caller: Caller, job_id: JobId, rules: NoticeRules) -> JobState:
    reach = caller.reach(Act.CHANGE)
    mine = select(jobs).where(jobs.c.id == job_id, within(reach))
    row = connection.execute(mine).mappings().first()
    if row is None:
        raise NotFound(f"there is no job {job_id}", remedy="see: sentinels jobs")
    state = JobState(row["state"])
    if state in TERMINAL_STATES:
        already = "is already cancelled" if state is JobState.CANCELLED else f"has already {state}"
        raise Conflict(f"job {job_id} {already}", remedy=f"see: sentinels status {job_id}")
    record(connection, caller, Deed("cancel", row["name"], job_id, row["team_id"]))
    if state is JobState.QUEUED:
        _cancel_waiting(connection, caller, WorkloadRef(job_id, row["attempt"]), rules)
        return JobState.CANCELLED
    asked = {"job_id": job_id, "actor": caller.user, **asdict(reach)}
    if connection.execute(statement("request_cancel"), asked).first() is None:
        raise StaleMove
    return state


def _cancel_sweep(
    connection: Connection, caller: Caller, sweep_id: JobId, rules: NoticeRules
) -> SweepCancelled:
    """Again and again until none waits: between two statements a claim may take one, or an end may
    queue one again. One that was asked to end is never queued again.
    """
    edge, mine = MOVES[Move.CANCEL], {"sweep_id": sweep_id, **asdict(caller.reach(Act.CHANGE))}
    allowed, detail = [JobState.QUEUED.value], f"cancelled by {caller.user}, with its sweep"
    change = {"target": edge.target.value, "allowed": allowed, "detail": detail}
    waiting = asked = 0
    team_id = connection.execute(select(jobs.c.team_id).where(jobs.c.id == sweep_id)).scalar()
    for _ in range(_CANCEL_TRIES):
        gone = connection.execute(
            statement("cancel_sweep_waiting"), {**mine, **change, "actor": caller.user}
        )
        waiting += int(gone.scalar_one())
        told = {**mine, "actor": caller.user}
        row = connection.execute(statement("cancel_sweep_live"), told).one()
        asked += row.asked
        if not row.waiting:
            if waiting or asked:
                record(connection, caller, Deed("cancel", "the sweep", sweep_id, team_id))
            if waiting:
                post_sweep_end(connection, sweep_id, rules, actor=caller.user)
            return SweepCancelled(waiting, asked)
    raise Conflict(f"sweep {sweep_id} is changing just now", remedy="try again")


def _cancel_waiting(
    connection: Connection, caller: Caller, ref: WorkloadRef, rules: NoticeRules
) -> None:
    # The queue row goes first, as a claim takes them: the other order could deadlock with it.
    connection.execute(statement("leave_queue"), {"job_id": ref.job_id})
    connection.execute(statement("leave_deferred"), {"job_id": ref.job_id})
    change = Change(
        Move.CANCEL,
        actor=caller.user,
        reason=Reason.CANCELLED,
        detail=f"cancelled by {caller.user}",
        only_from=frozenset({JobState.QUEUED}),
    )
    move_job(connection, ref, change)
    subject = subject_of(connection, ref.job_id)
    told = cancelled_in_queue(ref, subject.submission, caller.user)
    post_waiting_end(connection, subject, told, rules, actor=caller.user)
