"""The front door over real HTTP and a real PostgreSQL, with a scripted cluster and tracker."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema

from sentinels.clock import utc_now
from sentinels.core.errors import NotFound, TrackerUnavailable
from sentinels.core.job import JobState
from sentinels.core.ports import Artifact, LogChunk, RunRequest, TrackerRun
from sentinels.core.submitting import SubmitPorts
from sentinels.core.workload import WorkloadRef
from sentinels.db.census import PostgresCensus
from sentinels.db.intake import PostgresIntake
from sentinels.db.reading import PostgresReading
from sentinels.functions.gauges import PulseCollector
from sentinels.functions.routing import match
from sentinels.functions.submit.door import FrontDoor, Patience
from sentinels.functions.submit.health_probes import probes_from
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
    """A scripted cluster with logs; a log in ``closed`` is not added to any more."""

    logs: dict[WorkloadRef, bytes] = field(default_factory=dict)
    closed: set[WorkloadRef] = field(default_factory=set)

    def read_log(self, ref: WorkloadRef, *, offset: int, limit: int) -> LogChunk:
        log = self.logs.get(ref, b"")
        data = log[offset : offset + limit]
        reached = offset + len(data) >= len(log)
        return LogChunk(data, offset + len(data), reached and self._over(ref))

    def log_size(self, ref: WorkloadRef) -> int:
        return len(self.logs.get(ref, b""))

    def _over(self, ref: WorkloadRef) -> bool:
        return ref in self.closed or ref not in self.logs


@dataclass
class FileTracker:
    """A tracker that opens runs and holds files; ``down``: it does not answer."""

    files: dict[str, bytes] = field(default_factory=dict)
    down: bool = False

    def open_run(self, request: RunRequest) -> TrackerRun:
        run = f"run-{request.ref.name}"
        return TrackerRun(run, "1", f"http://mlflow/{run}", f"http://mlflow/outputs/{run}")

    def close_run(
        self, run_id: str, *, state: JobState, ended_at: datetime, tags: Mapping[str, str]
    ) -> None:
        self._check()

    def metrics(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
        self._check()
        return {}

    def artifacts(self, run_id: str) -> Sequence[Artifact]:
        self._check()
        folder = [Artifact("plots", None)] if self.files else []
        return folder + [Artifact(path, len(data)) for path, data in sorted(self.files.items())]

    def read_artifact(self, run_id: str, path: str) -> bytes:
        self._check()
        if path not in self.files:
            raise NotFound(f"there is no artifact {path!r}")
        return self.files[path]

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
    """Asks as somebody; every JSON answer is held against the OpenAPI document."""

    port: int
    token: str | None = None

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
        return self.post("/v1/jobs", {"image": "/code/digits", "config": config}, **headers)

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
        if path.startswith("/v1/"):
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
    cluster: LoggedCluster,
    tracker: FileTracker | None,
    *,
    settings: Settings = _TRACKED,
    hears_jobs: bool = False,
) -> FrontDoor:
    """A door over the desk's database; ``settings`` say which parts its doctor asks."""
    ports = SubmitPorts(
        queue=PostgresIntake(desk.engine, nothing),
        images=AnyImage(),
        data=AnyData(),
        events=desk.pokes,
        policy=desk.policy,
    )
    reading, telemetry = PostgresReading(desk.engine, policy=desk.policy), Telemetry()
    PulseCollector(reading, telemetry.registry, PostgresCensus(desk.engine))
    return FrontDoor(
        ports=ports,
        reading=reading,
        cluster=cluster,
        tracker=tracker,
        probes=probes_from(settings, lambda: tracker is None or not tracker.down),
        hears_jobs=hears_jobs,
        clock=utc_now,
        patience=Patience(2),
        telemetry=telemetry,
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
