"""What an attempt used: asked live, filed after its end, told over HTTP and at the terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from sentinels.core.delivering import DeliverPorts, deliver_due
from sentinels.core.errors import MeterUnavailable
from sentinels.core.job import JobId
from sentinels.core.meter import Quantity, Sample, Series
from sentinels.core.metering import KEPT_POINTS, USAGE, UsageFiler
from sentinels.core.observation import Finished, Running, Usage
from sentinels.core.settling import SettlingLimits
from sentinels.core.workload import WorkloadRef
from sentinels.db.outbox import PostgresOutbox
from sentinels.db.usage import PostgresUsageFile
from sentinels.functions.submit.usage import LIMIT_SECONDS
from tests.conftest import TOKEN
from tests.support.desk import Desk, nothing, ref
from tests.support.front import Client, LoggedCluster, make_door, serving

GIB = 2**30
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NETWORK = {Quantity.SENT_BYTES: "nobody knows whose", Quantity.RECEIVED_BYTES: "nobody knows whose"}


@dataclass
class NotedMeter:
    """Answers with what was noted for it; ``down``: it does not answer; ``hangs``: never."""

    name = "a meter"
    late_seconds = 0.0
    unmeasured: Mapping[Quantity, str] = field(default_factory=dict)
    noted: Series = field(default_factory=dict)
    peaks: Usage = field(default_factory=Usage)
    down: bool = False
    hangs: bool = False
    asked: list[tuple[WorkloadRef, datetime, datetime, int]] = field(default_factory=list)

    def series(self, ref: WorkloadRef, *, begin: datetime, end: datetime, points: int) -> Series:
        self._check()
        self.asked.append((ref, begin, end, points))
        return self.noted

    def usage(self, ref: WorkloadRef, *, begin: datetime, end: datetime) -> Usage:
        self._check()
        return self.peaks

    def gpu_percent(
        self, refs: Sequence[WorkloadRef], *, begin: datetime, end: datetime
    ) -> Mapping[WorkloadRef, float]:
        self._check()
        return {}

    def _check(self) -> None:
        if self.hangs:
            time.sleep(20)
        if self.down:
            raise MeterUnavailable("the meter does not answer", remedy="start it")


def noted(cores: Sequence[float], *, memory: int = GIB) -> Series:
    moments = [BEGIN + timedelta(seconds=30 * (at + 1)) for at in range(len(cores))]
    return {
        Quantity.CPU_CORES: [Sample(at, value) for at, value in zip(moments, cores, strict=True)],
        Quantity.MEMORY_BYTES: [Sample(at, memory) for at in moments],
    }


@pytest.fixture
def meter() -> NotedMeter:
    return NotedMeter(noted=noted([0.5, 1.5, 1.0]), peaks=Usage(peak_cpu_cores=1.5))


@pytest.fixture
def measured(desk: Desk) -> Desk:
    """The desk, where ends are measured at once."""
    desk.limits = replace(desk.limits, measured_late_seconds=0.0)
    return desk


@pytest.fixture
def client(measured: Desk, meter: NotedMeter) -> Iterator[Client]:
    door = make_door(measured, LoggedCluster(), None)
    with serving(replace(door, meter=meter, usage_file=PostgresUsageFile(measured.engine))) as port:
        yield Client(port, TOKEN)


def run(desk: Desk, *, seconds: float = 90, usage: Usage | None = None) -> JobId:
    """A job that began at ``BEGIN`` and has ended well."""
    job = desk.job(resources={"cpu": 2, "memory": "4Gi"})
    begin(desk, job)
    end = BEGIN + timedelta(seconds=seconds)
    desk.cluster.seen[ref(job)] = Finished(
        "uid", None, 0, BEGIN, end, usage=usage or Usage(peak_memory_bytes=GIB)
    )
    desk.tick()
    return job


def begin(desk: Desk, job: JobId) -> None:
    desk.tick()
    desk.cluster.seen[ref(job)] = Running("uid", BEGIN)
    desk.tick()


def deliver(desk: Desk, meter: NotedMeter | None) -> int:
    outbox = PostgresOutbox(desk.engine)
    filer = UsageFiler(outbox, meter, PostgresUsageFile(desk.engine))
    return deliver_due(DeliverPorts(outbox, {USAGE: filer.deliver}, nothing))


def told(client: Client, job: JobId, **query: object) -> dict[str, object]:
    answer = client.get(f"/v1/jobs/{job}/usage", **query)
    assert answer.status == 200
    return answer.json


def outbox_state(desk: Desk, job: JobId) -> tuple[object, ...]:
    [found] = desk.ask(
        "SELECT state, error FROM outbox WHERE job_id = :id AND channel = 'usage'", id=job
    )
    return found


def test_a_running_attempt_is_asked_for_up_to_now(
    measured: Desk, client: Client, meter: NotedMeter
) -> None:
    job = measured.job(resources={"cpu": 2, "memory": "4Gi"})
    begin(measured, job)
    found = told(client, job, points=40)
    assert (found["source"], found["live"], found["sizing"]) == ("a meter", True, [])
    cpu, memory = found["quantities"]  # type: ignore[misc]
    assert cpu == {
        "name": "cpu_cores",
        "unit": "cores",
        "asked": 2.0,
        "now": 1.0,
        "mean": 1.0,
        "p95": 1.5,
        "peak": 1.5,
        "samples": [[30.0, 0.5], [60.0, 1.5], [90.0, 1.0]],
    }
    assert (memory["asked"], memory["peak"]) == (4 * GIB, GIB)
    [(asked, since, until, points)] = meter.asked
    assert (asked, since, points) == (ref(job), BEGIN, 40)
    assert until > BEGIN


def test_after_the_end_it_is_filed_with_its_peaks_and_what_would_have_sufficed(
    measured: Desk, client: Client, meter: NotedMeter
) -> None:
    job = run(measured)
    assert told(client, job)["source"] == "a meter"
    assert deliver(measured, meter) == 1
    meter.noted = {}
    found = told(client, job)
    assert found["source"] == "kept with the job"
    assert [quantity["name"] for quantity in found["quantities"]] == ["cpu_cores", "memory_bytes"]  # type: ignore[attr-defined]
    assert found["used"] == {
        "peak_memory_bytes": GIB,  # the end told it: the meter's word does not replace it
        "cpu_seconds": None,
        "peak_gpu_memory_bytes": None,
        "mean_gpu_percent": None,
        "peak_cpu_cores": 1.5,
    }
    assert [sizing["sentence"] for sizing in found["sizing"]] == [  # type: ignore[attr-defined]
        "asked 2, used up to 1.5 (75 %): 1.5 would have sufficed",
        "asked 4Gi, used 1Gi at most (25 %): 1.25Gi would have sufficed",
    ]


def test_what_is_filed_is_thin_however_long_it_ran(measured: Desk, meter: NotedMeter) -> None:
    job = run(measured, seconds=30 * 3000)
    meter.noted = noted([1.0] * 3000)
    assert deliver(measured, meter) == 1
    filed = PostgresUsageFile(measured.engine).filed(ref(job), begin=BEGIN)
    assert filed is not None
    assert {quantity: len(samples) for quantity, samples in filed.items()} == {
        Quantity.CPU_CORES: KEPT_POINTS,
        Quantity.MEMORY_BYTES: KEPT_POINTS,
    }


def test_a_peak_that_the_end_told_is_not_replaced(measured: Desk, meter: NotedMeter) -> None:
    job = run(measured, usage=Usage(peak_memory_bytes=7, peak_cpu_cores=0.25))
    meter.peaks = Usage(peak_memory_bytes=8, peak_cpu_cores=9.0, cpu_seconds=3.5)
    deliver(measured, meter)
    assert measured.ask(
        "SELECT peak_memory_bytes, peak_cpu_cores, cpu_seconds FROM attempts WHERE job_id = :id",
        id=job,
    ) == [(7, 0.25, 3.5)]


def test_a_meter_that_is_away_makes_the_filing_wait_and_is_caught_up(
    measured: Desk, client: Client, meter: NotedMeter
) -> None:
    job = run(measured)
    meter.down = True
    assert deliver(measured, meter) == 0
    assert outbox_state(measured, job) == ("pending", "the meter does not answer")
    found = told(client, job)
    assert found["unavailable"] == {"detail": "the meter does not answer", "remedy": "start it"}
    assert found["quantities"] == []
    assert found["used"]["peak_memory_bytes"] == GIB  # type: ignore[index]
    assert [sizing["resource"] for sizing in found["sizing"]] == ["memory"]  # type: ignore[attr-defined]
    meter.down = False
    measured.change("UPDATE outbox SET due_at = now() WHERE due_at IS NOT NULL")
    assert deliver(measured, meter) == 1
    assert told(client, job)["unavailable"] is None


def test_a_meter_that_hangs_costs_less_than_two_seconds(
    measured: Desk, client: Client, meter: NotedMeter
) -> None:
    job = run(measured)
    meter.hangs = True
    begun = time.monotonic()
    found = told(client, job)
    assert time.monotonic() - begun < 2.0
    assert found["unavailable"]["detail"] == (  # type: ignore[index]
        f"a meter did not answer within {LIMIT_SECONDS:g} s"
    )


def test_the_filing_is_due_only_when_the_last_measurement_is_there(
    measured: Desk, meter: NotedMeter
) -> None:
    measured.limits = SettlingLimits(measured_late_seconds=60.0)
    job = run(measured)
    assert deliver(measured, meter) == 0
    [(seconds,)] = measured.ask(
        "SELECT round(extract(epoch FROM due_at - created_at)) FROM outbox"
        " WHERE job_id = :id AND channel = 'usage'",
        id=job,
    )
    assert seconds == 60


def test_without_a_meter_or_a_start_nothing_is_to_be_filed(desk: Desk) -> None:
    for limits, started in ((SettlingLimits(), BEGIN), (replace(desk.limits), None)):
        desk.limits = limits
        job = desk.job()
        desk.tick()
        desk.cluster.seen[ref(job)] = Finished("uid", None, 0, started, BEGIN)
        desk.tick()
    assert desk.ask("SELECT count(*) FROM outbox WHERE channel = 'usage'") == [(0,)]


def test_what_was_not_measured_is_told_with_why(
    measured: Desk, client: Client, meter: NotedMeter
) -> None:
    meter.unmeasured = NETWORK
    job = measured.job()
    assert told(client, job)["notes"] == ["it has not started yet"]
    begin(measured, job)
    assert told(client, job)["notes"] == ["nobody knows whose"]
    meter.noted = {}
    assert told(client, job)["notes"] == ["a meter has not looked at it yet"]
    measured.cluster.seen[ref(job)] = Finished("uid", None, 0, BEGIN, BEGIN)
    measured.tick()
    assert told(client, job)["notes"] == [
        "a meter knows nothing of it: it was over before it was looked at, or is too long ago"
    ]


def test_a_gpu_that_nobody_measured_is_told(
    measured: Desk, client: Client, meter: NotedMeter
) -> None:
    job = measured.job()
    begin(measured, job)
    measured.change(
        "UPDATE shapes SET gpus = 1 WHERE id = (SELECT shape_id FROM attempts WHERE job_id = :id)",
        id=job,
    )
    [note] = told(client, job)["notes"]  # type: ignore[misc]
    assert note.startswith("its GPUs were not measured")


def test_a_door_without_a_meter_says_so(measured: Desk) -> None:
    job = run(measured)
    with serving(make_door(measured, LoggedCluster(), None)) as port:
        found = told(Client(port, TOKEN), job)
    assert found["notes"] == ["nothing measures use here: see SENTINELS_PROMETHEUS_URL"]
    assert found["source"] is None


def test_an_attempt_that_is_none_is_not_found(measured: Desk, client: Client) -> None:
    job = run(measured)
    assert client.get(f"/v1/jobs/{job}/usage", attempt=2).status == 404
    assert client.get("/v1/jobs/99/usage").status == 404
    assert client.get(f"/v1/jobs/{job}/usage", points=1).status == 400
