"""The verbs over a real PostgreSQL and a scripted cluster, wired as the functions wire them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine, text

from sentinels.clock import utc_now
from sentinels.core.address import Service
from sentinels.core.delivering import Courier, DeliverPorts
from sentinels.core.dispatching import DispatchPorts, run_pass
from sentinels.core.filing import DOSSIER, LineFiler
from sentinels.core.job import JobId
from sentinels.core.log_keeping import LogCourier
from sentinels.core.log_reading import LogReader
from sentinels.core.log_store import LogStore
from sentinels.core.meter import Meter
from sentinels.core.metering import USAGE, UsageFiler
from sentinels.core.notice import LOGS, TRACKER
from sentinels.core.notifying import NotifyPorts
from sentinels.core.policy import Policy
from sentinels.core.ports import Failpoint, ImageStore, Messenger, Program, Tracker
from sentinels.core.queueing import Caller, PassReport, Pushed
from sentinels.core.recording import Recorder
from sentinels.core.settling import SettlePorts, SettlingLimits
from sentinels.core.submitting import Manner, SubmitPorts, push
from sentinels.core.telling import TellPorts, tell_due
from sentinels.core.workload import Image, ImageKind, WorkloadRef
from sentinels.db.admission import PostgresDispatchQueue
from sentinels.db.intake import PostgresIntake
from sentinels.db.notices import PostgresNotices
from sentinels.db.outbox import PostgresOutbox
from sentinels.db.usage import PostgresUsageFile
from sentinels.functions.telemetry import Telemetry
from tests.support.scripted import ScriptedCluster


def nothing(name: str) -> None:
    """The failpoint that never fails."""


class AnyImage:
    """Takes every directory for an image."""

    def resolve(self, reference: str, *, team: str = "default") -> Image:
        return Image(ImageKind.DIRECTORY, reference, "sha256:0", reference)

    def program(self, image: Image, command: Sequence[str] | None) -> Program | None:
        return None

    def pin(self, image: Image, *, seen: str | None) -> Image:
        return image


class AnyData:
    """Misses nothing."""

    def missing(self, paths: Sequence[str]) -> Mapping[str, str]:
        return {}


@dataclass
class Pokes:
    """Counts the pokes."""

    count: int = 0

    def queue_changed(self) -> None:
        self.count += 1


@dataclass
class Desk:
    """One caller, one queue, one cluster."""

    engine: Engine
    caller: Caller
    cluster: ScriptedCluster = field(default_factory=ScriptedCluster)
    images: ImageStore = field(default_factory=AnyImage)
    tracker: Tracker | None = None
    messenger: Messenger | None = None
    meter: Meter | None = None
    others: dict[Service, Messenger] = field(default_factory=dict)
    pause: Callable[[float], None] | None = None
    pauses: list[float] = field(default_factory=list)
    policy: Policy = field(default_factory=Policy)
    limits: SettlingLimits = field(default_factory=lambda: SettlingLimits(lease_seconds=30))
    failpoint: Failpoint = nothing
    pokes: Pokes = field(default_factory=Pokes)
    store: LogStore | None = None
    max_launches: int = 50
    paced: bool = False
    telemetry: Telemetry = field(default_factory=Telemetry)

    def push(self, key: str | None = None, **config: object) -> Pushed:
        ports = SubmitPorts(
            queue=PostgresIntake(self.engine, self.failpoint, self.limits.rules),
            images=self.images,
            data=AnyData(),
            events=self.pokes,
            policy=lambda: self.policy,
        )
        config = {"command": ["python", "main.py"], **config}
        return push(ports, self.caller, image="/code/digits", config=config, manner=Manner(key))

    def job(self, **config: object) -> JobId:
        return self.push(**config).job_ids[0]

    @property
    def queue(self) -> PostgresDispatchQueue:
        return PostgresDispatchQueue(self.engine, lease_seconds=self.limits.lease_seconds)

    def settle(self, actor: str = "dispatch") -> SettlePorts:
        return SettlePorts(
            self.queue,
            self.cluster,
            utc_now,
            self.failpoint,
            actor,
            limits=self.limits,
            tally=self.telemetry.tally,
            policy=lambda: self.policy,
        )

    def tick(self) -> PassReport:
        return run_pass(
            DispatchPorts(
                queue=self.queue,
                settle=self.settle(),
                tracker=self.tracker,
                tracker_url="",
                stopwatch=time.monotonic,
                policy=lambda: self.policy,
                max_launches=self.max_launches,
                paced=self.paced,
            )
        )

    def notify(self) -> NotifyPorts:
        settle, outbox = self.settle("notify"), PostgresOutbox(self.engine)
        logs = LogReader(settle.cluster, self.store, None, utc_now)
        couriers: dict[str, Courier] = {
            TRACKER: Recorder(outbox, settle.cluster, self.tracker, "", logs).deliver,
            LOGS: LogCourier(settle.cluster, self.store).deliver,
            DOSSIER: LineFiler(outbox, self.store).deliver,
            USAGE: UsageFiler(outbox, self.meter, PostgresUsageFile(self.engine)).deliver,
        }
        deliver = DeliverPorts(outbox, couriers, settle.failpoint)
        return NotifyPorts(settle, deliver, self.tell, lambda: self.told(self.tell()), self.pokes)

    @staticmethod
    def told(arrived: int) -> None:
        """In a test, what is to be told soon is told at once."""

    def tell(self) -> int:
        """Tell what is due; a pause makes it later without waiting, unless ``pause`` is given."""
        return tell_due(self.telling())

    def telling(self) -> TellPorts:
        chat = {Service.SLACK: self.messenger} if self.messenger else {}
        messengers, pause = {**chat, **self.others}, self.pause or self.later
        return TellPorts(PostgresNotices(self.engine), messengers, self.failpoint, pause)

    def later(self, seconds: float) -> None:
        """Let everything that is due at some time be due so much earlier."""
        self.pauses.append(seconds)
        shift = "- make_interval(secs => :seconds)"
        self.change(f"UPDATE outbox SET due_at = due_at {shift}", seconds=seconds)
        self.change(
            f"UPDATE recipients SET next_at = next_at {shift}, told_at = told_at {shift}",
            seconds=seconds,
        )

    def ask(self, query: str, **values: object) -> list[tuple[object, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def change(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def state(self, job_id: int) -> str:
        return str(self.ask("SELECT state FROM jobs WHERE id = :id", id=job_id)[0][0])

    def story(self, job_id: int) -> list[str]:
        rows = self.ask("SELECT to_state FROM job_events WHERE job_id = :id ORDER BY id", id=job_id)
        return [str(row[0]) for row in rows]


def ref(job_id: int, attempt: int = 1) -> WorkloadRef:
    """The workload of an attempt."""
    return WorkloadRef(JobId(job_id), attempt)
