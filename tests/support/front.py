"""The front door over real HTTP and a real PostgreSQL, with a scripted cluster and tracker."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema

from sentinels.clock import utc_now
from sentinels.clusters.local.folders import WorkloadFolder
from sentinels.clusters.local.log_file import read_log, tail
from sentinels.core.asking import Asking
from sentinels.core.bumping import BumpPorts
from sentinels.core.errors import ClusterUnavailable, NotFound, TrackerUnavailable
from sentinels.core.job import JobState
from sentinels.core.log_lines import take
from sentinels.core.log_position import START, Position, before, byte_of, moment_of
from sentinels.core.log_reading import LogReader
from sentinels.core.log_store import LogLine, LogStore
from sentinels.core.ports import (
    Artifact,
    Cluster,
    LogChunk,
    LogTail,
    RunPages,
    RunRequest,
    TrackerRun,
)
from sentinels.core.reporting import read_prices
from sentinels.core.submitting import SubmitPorts
from sentinels.core.workload import WorkloadRef
from sentinels.db.asking import PostgresAsking
from sentinels.db.bumps import PostgresBumps
from sentinels.db.census import PostgresCensus
from sentinels.db.foresight import PostgresForesight
from sentinels.db.intake import PostgresIntake
from sentinels.db.people import PostgresPeople
from sentinels.db.policies import PostgresPolicies
from sentinels.db.preferences import PostgresPreferences
from sentinels.db.reading import PostgresReading
from sentinels.db.sessions import PostgresSessions
from sentinels.functions.gauges import PulseCollector
from sentinels.functions.routing import match
from sentinels.functions.submit.door import FrontDoor, NoticeDesk, Patience
from sentinels.functions.submit.health_probes import probes_from, sql_probe
from sentinels.functions.submit.kept_logs import KeptLogs
from sentinels.functions.submit.openapi import document
from sentinels.functions.submit.routes import ROUTES
from sentinels.functions.telemetry import Telemetry
from sentinels.settings import Settings
from tests.support.desk import AnyData, AnyImage, Desk, nothing
from tests.support.scripted import ScriptedCluster
from tests.support.serving import served

_SOURCE = Path(__file__).with_name("submit_source.py")
_doors: list[FrontDoor] = []
_DOCUMENT = document(ROUTES)
_TRACKED = Settings(tracker_url="http://mlflow")


def door() -> FrontDoor:
    """The door that the running test made."""
    return _doors[-1]


@dataclass
class LoggedCluster(ScriptedCluster):
    """A scripted cluster that keeps logs as files; one in ``closed`` is not added to any more."""

    logs: dict[WorkloadRef, bytes] = field(default_factory=dict)
    closed: set[WorkloadRef] = field(default_factory=set)

    def read_log(
        self, ref: WorkloadRef, *, after: Position, limit: int, timed: bool = False
    ) -> LogChunk | None:
        if ref not in self.logs:
            return None
        with self._folder(ref) as folder:
            over = ref in self.closed
            return read_log(folder, byte=byte_of(after), limit=limit, timed=timed, over=over)

    def log_tail(self, ref: WorkloadRef, lines: int) -> LogTail | None:
        with self._folder(ref) as folder:
            return tail(folder, lines)

    @contextmanager
    def _folder(self, ref: WorkloadRef) -> Iterator[WorkloadFolder]:
        with TemporaryDirectory() as path:
            folder = WorkloadFolder(Path(path))
            if ref in self.logs:
                folder.log.write_bytes(self.logs[ref])
            yield folder


@dataclass
class LineCluster(ScriptedCluster):
    """A scripted cluster that has lines as long as it has the workload; ``rotated`` of the first
    ones are gone before. One that is ``silent`` does not answer.
    """

    keeps_logs: bool = False
    logs: dict[WorkloadRef, list[LogLine]] = field(default_factory=dict)
    closed: set[WorkloadRef] = field(default_factory=set)
    rotated: int = 0
    silent: bool = False

    def read_log(
        self, ref: WorkloadRef, *, after: Position, limit: int, timed: bool = False
    ) -> LogChunk | None:
        if self.silent:
            raise ClusterUnavailable("the Kubernetes API does not answer")
        if ref not in self.logs:
            return None
        place = moment_of(after)
        taken = take(self.logs[ref][self.rotated :], place, limit=limit, grows=True)
        return LogChunk(
            taken.text,
            taken.position,
            ended=ref in self.closed and taken.whole,
            marks=taken.marks,
            joined=taken.joined or (place.is_start and taken.first_ns is None),
            first_ns=taken.first_ns,
        )

    def log_tail(self, ref: WorkloadRef, lines: int) -> LogTail | None:
        if ref not in self.logs:
            return None
        there = self.logs[ref][self.rotated :]
        if lines == 0:
            return LogTail(START.after(line.at_ns for line in there), 0)
        last = there[max(0, len(there) - lines) :]
        first = last[0].at_ns if last else None
        return LogTail(START if first is None else before(first), len(last), first)


@dataclass
class FileTracker:
    """A tracker that opens runs and holds files; ``down``: it does not answer."""

    files: dict[str, bytes] = field(default_factory=dict)
    down: bool = False
    measured: dict[str, dict[str, float]] = field(default_factory=dict)

    def open_run(self, request: RunRequest) -> TrackerRun:
        run = f"run-{request.ref.name}"
        return TrackerRun(run, "1", f"http://mlflow/{run}", f"http://mlflow/outputs/{run}")

    def close_run(
        self, run_id: str, *, state: JobState, ended_at: datetime, tags: Mapping[str, str]
    ) -> None:
        self._check()

    def metrics(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
        self._check()
        return {run: self.measured[run] for run in run_ids if run in self.measured}

    def pages(self, page_url: str) -> RunPages:
        return RunPages(page_url, page_url.partition("/runs/")[0])

    def artifacts(self, run_id: str) -> Sequence[Artifact]:
        self._check()
        folder = [Artifact("plots", None)] if self.files else []
        return folder + [Artifact(path, len(data)) for path, data in sorted(self.files.items())]

    def read_artifact(self, run_id: str, path: str) -> bytes:
        self._check()
        if path not in self.files:
            raise NotFound(f"there is no artifact {path!r}")
        return self.files[path]

    def write_artifact(self, run: TrackerRun, path: str, content: bytes) -> None:
        self._check()
        self.files[path] = content

    def _check(self) -> None:
        if self.down:
            raise TrackerUnavailable("MLflow does not answer", retry_after=7)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@dataclass
class Client:
    """Asks as somebody; every answer is ``held`` against the OpenAPI document."""

    port: int
    token: str | None = None
    held: bool = True

    def get(self, path: str, **query: object) -> Answer:
        pairs = urlencode({name: value for name, value in query.items()}, doseq=True)
        return self.ask("GET", f"{path}?{pairs}" if pairs else path)

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, data, {"Content-Type": "application/json", **named})

    def push(self, key: str | None = None, **config: object) -> Answer:
        headers = {"Idempotency_Key": key} if key else {}
        config = {"command": ["python", "main.py"], **config}
        body = {"image": "/code/digits", "config": config}
        return self.post("/v1/jobs?again=true" if key is None else "/v1/jobs", body, **headers)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=40)
        try:
            chunked = body is not None and not isinstance(body, bytes)
            given = {**own, **(headers or {})}
            if chunked:
                given["Transfer-Encoding"] = "chunked"
            connection.request(
                method, quote(path, safe="/?=&%{}"), body, given, encode_chunked=chunked
            )
            got = connection.getresponse()
            answer = Answer(got.status, dict(got.getheaders()), got.read())
        finally:
            connection.close()
        if self.held and path.startswith("/v1/"):
            keeps_to_document(method, path, answer)
        return answer


def keeps_to_document(method: str, path: str, answer: Answer) -> None:
    """Fail unless the answer is of the shape that the OpenAPI document promises."""
    media = answer.headers["Content-Type"]
    if media == "application/problem+json":
        name = "Problem"
        assert answer.json["status"] == answer.status
    else:
        route = match(ROUTES, method, path.partition("?")[0]).route
        name = route.answers[answer.status]
        if name == "Bytes":
            return
        assert media == "application/json"
    schema = {"$ref": f"#/components/schemas/{name}", "components": _DOCUMENT["components"]}
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(answer.json)


def make_door(
    desk: Desk,
    cluster: Cluster,
    tracker: FileTracker | None,
    *,
    settings: Settings = _TRACKED,
    hears_jobs: bool = False,
    asking: Asking | None = None,
    store: LogStore | None = None,
) -> FrontDoor:
    """A door over the desk's database; ``settings`` say which parts its doctor asks."""
    ports = SubmitPorts(
        queue=PostgresIntake(desk.engine, nothing),
        images=AnyImage(),
        data=AnyData(),
        events=desk.pokes,
        policy=lambda: desk.policy,
        webhooks=("ci",),
    )
    reading, telemetry = PostgresReading(desk.engine, policy=lambda: desk.policy), Telemetry()
    asking = asking or PostgresAsking(settings.report_database_url)
    PulseCollector(reading, telemetry.registry, PostgresCensus(desk.engine))
    return FrontDoor(
        foresight=PostgresForesight(desk.engine, lambda: desk.policy),
        max_launches=desk.max_launches,
        ports=ports,
        reading=reading,
        people=PostgresPeople(desk.engine),
        sessions=PostgresSessions(desk.engine),
        cluster=cluster,
        tracker=tracker,
        probes=(
            *probes_from(settings, lambda: tracker is None or not tracker.down),
            sql_probe(settings, asking),
        ),
        hears_jobs=hears_jobs,
        clock=utc_now,
        patience=Patience(2),
        telemetry=telemetry,
        asking=asking,
        prices=read_prices(settings.prices) or None,
        logs=LogReader(cluster, store, KeptLogs(tracker).find if tracker else None, utc_now),
        store=store,
        logs_page=settings.logs_page_url,
        notices=NoticeDesk(
            PostgresPreferences(desk.engine), desk.telling(), desk.limits.rules, ports.webhooks
        ),
        policies=PostgresPolicies(desk.engine),
        bumping=BumpPorts(
            PostgresBumps(desk.engine, ports.policy, desk.limits.rules), ports.policy, desk.pokes
        ),
    )


@contextmanager
def serving(made: FrontDoor) -> Iterator[int]:
    """Serve the door as functions-framework does, on the port that is given."""
    _doors.append(made)
    try:
        with served("submit", _SOURCE) as port:
            yield port
    finally:
        _doors.pop()
