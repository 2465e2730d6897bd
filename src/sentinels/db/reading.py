"""Reading jobs, the queue and the state of the whole: ``core.reading.Reading`` over PostgreSQL.

Before: ``functions/submit``. Next: ``sql/read_*.sql``, ``view_rows``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Engine, RowMapping, func, select

from sentinels.core.capacity import Resources, add
from sentinels.core.dossier import Dossier, read_dossier
from sentinels.core.errors import Ambiguous, NotFound
from sentinels.core.job import JobId, JobState
from sentinels.core.notice import MESSENGER
from sentinels.core.planning import LaneHead
from sentinels.core.policy import CLASS_STEP, CurrentPolicy, Policy
from sentinels.core.ports import JobRef
from sentinels.core.queueing import Caller, NodeWish
from sentinels.core.reading import (
    WAITING_BOUND,
    Answer,
    AttemptView,
    EventView,
    Held,
    JobFilter,
    JobView,
    NodeJob,
    NodeView,
    NoticeView,
    Places,
    Pulse,
)
from sentinels.core.rights import Act
from sentinels.core.sweeps import SweepView
from sentinels.db import migrate
from sentinels.db.engine import statement, transaction
from sentinels.db.reach import within
from sentinels.db.rows import lane_head_of, node_of, resources_of
from sentinels.db.sweeps import read_sweep
from sentinels.db.tables import job_events, jobs
from sentinels.db.view_rows import (
    attempts_of,
    event_of,
    held_of,
    job_of,
    job_ref_of,
    node_job_of,
    notice_of,
    pulse_of,
)

CANDIDATES = 10
EVENTS_BOUND = 1000
_LARGEST_ID = 2**63 - 1


class PostgresReading:
    """The front door's questions."""

    def __init__(self, engine: Engine, *, policy: CurrentPolicy = Policy) -> None:
        """``policy`` says how waiting jobs age, and what the classes are called."""
        self._engine, self._policy = engine, policy

    def _ageing(self) -> dict[str, object]:
        policy = self._policy()
        return {
            "ageing_step": CLASS_STEP,
            "ageing_limit": policy.ageing_limit,
            "ageing_seconds": policy.ageing_seconds,
            "bound": WAITING_BOUND,
        }

    def find(self, caller: Caller, ref: str) -> JobRef:
        """See ``Reading.find``."""
        found = self._by_id(caller, ref) or self._by_name(caller, ref)
        if found is not None:
            return found
        names = self._names(caller, ref)
        if len(names) > 1:
            raise Ambiguous(
                f"several jobs' names begin with {ref!r}",
                remedy="type more of the name, or the id",
                candidates=names[:CANDIDATES],
            )
        found = self._by_name(caller, names[0]) if names else None
        if found is None:
            raise NotFound(f"there is no job {ref!r}", remedy="see: sentinels jobs")
        return found

    def jobs(self, caller: Caller, ids: Sequence[int]) -> Sequence[JobView]:
        """See ``Reading.jobs``."""
        if not ids:
            return []
        rows = self._rows("read_jobs", team_id=caller.seen_team, ids=list(ids))
        policy = self._policy()
        return [job_of(row, policy) for row in rows]

    def list_ids(
        self, caller: Caller, wanted: JobFilter, *, before: int | None, limit: int
    ) -> Sequence[JobId]:
        """See ``Reading.list_ids``."""
        rows = self._rows(
            "read_job_list",
            team_id=caller.seen_team,
            before=before,
            states=[state.value for state in wanted.states] or None,
            name=wanted.name,
            experiment=wanted.experiment,
            user_name=wanted.user,
            labels=json.dumps(dict(wanted.labels)) if wanted.labels else None,
            sweep=wanted.sweep,
            team=wanted.team,
            folded=wanted.folded,
            limit=limit,
        )
        return [row["id"] for row in rows]

    def sweep(self, caller: Caller, sweep_id: JobId) -> SweepView | None:
        """See ``Reading.sweep``."""
        first = select(jobs.c.sweep_id).where(jobs.c.id == sweep_id, within(caller.reach(Act.SEE)))
        with transaction(self._engine) as connection:
            if connection.execute(first).scalar() is None:
                return None
            return read_sweep(connection, sweep_id)

    def tallies(self, sweeps: Sequence[int]) -> Mapping[int, Mapping[JobState, int]]:
        """See ``Reading.tallies``."""
        found: dict[int, dict[JobState, int]] = defaultdict(dict)
        for row in self._rows("tally_sweeps", sweeps=list(sweeps)) if sweeps else ():
            found[row["sweep_id"]][JobState(row["state"])] = row["jobs"]
        return found

    def attempts(self, job: JobRef) -> Sequence[AttemptView]:
        """See ``Reading.attempts``."""
        return attempts_of(self._rows("read_attempts", job_id=job.id))

    def image_seen(self, job: JobRef) -> str | None:
        """See ``Reading.image_seen``."""
        rows = self._rows("read_image_seen", job_id=job.id)
        return rows[0]["image_id"] if rows else None

    def dossier(self, job: JobRef, attempt: int) -> Dossier:
        """See ``Reading.dossier``."""
        rows = self._rows("read_dossier", job_id=job.id, attempt=attempt)
        return read_dossier(rows[0]["dossier"] if rows else None)

    def events(self, job: JobRef) -> Sequence[EventView]:
        """See ``Reading.events``; the newest thousand."""
        rows = self._rows("read_events", job_id=job.id, limit=EVENTS_BOUND)
        return [event_of(row, job.id) for row in rows]

    def last_event(self, job: JobRef) -> int:
        """See ``Reading.last_event``."""
        newest = select(func.max(job_events.c.id)).where(job_events.c.job_id == job.id)
        with transaction(self._engine) as connection:
            return connection.execute(newest).scalar() or 0

    def places(self, ids: Sequence[int]) -> Places:
        """See ``Reading.places``."""
        rows = self._rows("read_places", ids=list(ids), **self._ageing())
        position = {row["job_id"]: row["position"] for row in rows if row["job_id"] is not None}
        return Places(rows[0]["waiting"], position)

    def next_ids(
        self, caller: Caller, *, limit: int, team: str | None = None, folded: bool = False
    ) -> Sequence[JobId]:
        """See ``Reading.next_ids``."""
        asked = {"team_id": caller.seen_team, "team": team, "limit": limit, "folded": folded}
        rows = self._rows("read_next", **asked, **self._ageing())
        return [row["job_id"] for row in rows]

    def live_ids(self, caller: Caller, *, limit: int, team: str | None = None) -> Sequence[JobId]:
        """See ``Reading.live_ids``."""
        rows = self._rows("read_live", team_id=caller.seen_team, team=team, limit=limit)
        return [row["job_id"] for row in rows]

    def answers(self, ids: Sequence[int]) -> Mapping[int, Answer]:
        """See ``Reading.answers``."""
        rows = self._rows("read_answers", ids=list(ids))
        return {row["job_id"]: Answer(row["sentence"], row["considered"]) for row in rows}

    def held(self, ids: Sequence[int]) -> Mapping[int, Held]:
        """See ``Reading.held``."""
        rows = self._rows("read_deferred", ids=list(ids))
        return {row["job_id"]: held_of(row) for row in rows}

    def nodes(self, caller: Caller) -> Sequence[NodeView]:
        """See ``Reading.nodes``."""
        used: dict[str, Resources] = defaultdict(Resources)
        mine: dict[str, list[int]] = defaultdict(list)
        for row in self._rows("read_node_use", team_id=caller.seen_team):
            used[row["node"]] = add(used[row["node"]], resources_of(row))
            if row["mine"]:
                mine[row["node"]].append(row["job_id"])
        return [
            NodeView(
                node=node_of(row),
                used=used[row["name"]],
                jobs=mine[row["name"]],
                wish=NodeWish(row["wish"]) if row["wish"] else None,
            )
            for row in self._rows("list_nodes")
        ]

    def node_jobs(self, node: str) -> Sequence[NodeJob]:
        """See ``Reading.node_jobs``."""
        return [node_job_of(row) for row in self._rows("read_node_jobs", node=node)]

    def lanes(self) -> Sequence[LaneHead]:
        """See ``Reading.lanes``."""
        return [lane_head_of(row) for row in self._rows("lane_heads", depth=WAITING_BOUND)]

    def notices(self, caller: Caller, *, job: int | None, limit: int) -> Sequence[NoticeView]:
        """See ``Reading.notices``."""
        rows = self._rows(
            "read_notices", team_id=caller.seen_team, channel=MESSENGER, job_id=job, limit=limit
        )
        return [notice_of(row) for row in rows]

    def late(self, job: JobRef) -> Mapping[str, str]:
        """See ``Reading.late``."""
        return {row["channel"]: row["error"] for row in self._rows("read_late", job_id=job.id)}

    def pulse(self) -> Pulse:
        """See ``Reading.pulse``."""
        return pulse_of(self._rows("read_pulse", bound=WAITING_BOUND)[0])

    def conditions(self) -> Sequence[str]:
        """See ``Reading.conditions``."""
        return [row["line"] for row in self._rows("read_conditions")]

    def behind(self) -> str | None:
        """See ``Reading.behind``."""
        status = migrate.status(self._engine.url.render_as_string(hide_password=False))
        if status.up_to_date:
            return None
        return f"the database is at {status.current or 'nothing'}, this version is {status.head}"

    def _rows(self, name: str, /, **values: object) -> Sequence[RowMapping]:
        with transaction(self._engine) as connection:
            return connection.execute(statement(name), values).mappings().all()

    def _by_id(self, caller: Caller, ref: str) -> JobRef | None:
        if not (ref.isascii() and ref.isdigit() and int(ref) <= _LARGEST_ID):
            return None
        rows = self._rows("find_job", team_id=caller.seen_team, job_id=int(ref))
        return job_ref_of(rows[0]) if rows else None

    def _by_name(self, caller: Caller, name: str) -> JobRef | None:
        rows = self._rows("find_named_job", team_id=caller.seen_team, name=name)
        return job_ref_of(rows[0]) if rows else None

    def _names(self, caller: Caller, beginning: str) -> Sequence[str]:
        rows = self._rows(
            "read_names", team_id=caller.seen_team, beginning=beginning, limit=CANDIDATES + 1
        )
        return [row["name"] for row in rows]
