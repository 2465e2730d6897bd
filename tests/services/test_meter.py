"""What a job uses, asked of a real Prometheus with the chart's rules, also while it is away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinels.clock import utc_now
from sentinels.core.delivering import DeliverPorts, deliver_due
from sentinels.core.errors import MeterUnavailable
from sentinels.core.job import JobId
from sentinels.core.meter import Quantity
from sentinels.core.metering import USAGE, UsageFiler
from sentinels.core.observation import Finished, Running, Usage
from sentinels.core.settling import SettlingLimits
from sentinels.core.workload import WorkloadRef
from sentinels.db.outbox import PostgresOutbox
from sentinels.db.usage import PostgresUsageFile
from sentinels.services.meter import PrometheusMeter
from tests.chart.rendering import Helm
from tests.conftest import TOKEN
from tests.services.monitoring import Prometheus, await_true, chart_files, free_port, watching
from tests.standins.exporter import Exporter, gpu, workload
from tests.standins.pages import Pages
from tests.support.desk import Desk, nothing
from tests.support.front import Client, LoggedCluster, make_door, serving

GIB = 2**30
JOB, OTHER = WorkloadRef(JobId(12), 1), WorkloadRef(JobId(12), 2)
SECONDS = 2.0
_RULES = ("recording.yml",)


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    with Exporter() as made:
        made.samples |= workload(12, cores=0.5, memory=GIB)
        made.samples |= gpu(12, number=0, percent=80) | gpu(12, number=1, percent=40)
        made.samples |= workload(12, 2, cores=0.25) | workload(13)
        yield made


@pytest.fixture(scope="module")
def prometheus(
    helm: Helm, exporter: Exporter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    rules = chart_files(helm)["prometheus"]
    folder = tmp_path_factory.mktemp("prometheus")
    files = {name: rules[name] for name in _RULES}
    with watching(folder, {"containers": [exporter.address]}, files) as process:
        process.await_series("sentinels_job:cpu_cores")
        yield process


@pytest.fixture
def meter(prometheus: Prometheus) -> PrometheusMeter:
    return PrometheusMeter(prometheus.url)


@pytest.fixture
def desk(engine, caller) -> Desk:  # type: ignore[no-untyped-def]  # fixtures of tests/conftest.py
    return Desk(engine, caller, limits=SettlingLimits(measured_late_seconds=0.0))


def a_minute_ago() -> datetime:
    return utc_now() - timedelta(seconds=60)


def test_an_attempts_use_comes_as_series_of_every_quantity(meter: PrometheusMeter) -> None:
    found = meter.series(JOB, begin=a_minute_ago(), end=utc_now(), points=60)
    assert set(found) == set(Quantity)
    last = {quantity: samples[-1].value for quantity, samples in found.items()}
    assert last[Quantity.CPU_CORES] == pytest.approx(0.5, abs=0.1)
    assert last[Quantity.MEMORY_BYTES] == GIB
    assert last[Quantity.GPU_PERCENT] == 60
    assert last[Quantity.GPU_MEMORY_BYTES] == 2 * GIB
    assert last[Quantity.RECEIVED_BYTES] == pytest.approx(1000, rel=0.2)
    assert last[Quantity.SENT_BYTES] == pytest.approx(500, rel=0.2)


def test_a_series_has_no_more_points_than_asked_for_and_none_after_its_end(
    meter: PrometheusMeter,
) -> None:
    end = utc_now()
    found = meter.series(JOB, begin=end - timedelta(days=7), end=end, points=40)
    for samples in found.values():
        assert 1 <= len(samples) <= 40
        assert all(sample.at <= end for sample in samples)
        assert [sample.at for sample in samples] == sorted(sample.at for sample in samples)


def test_an_attempts_peaks_and_sums_come_in_one_answer(meter: PrometheusMeter) -> None:
    used = meter.usage(JOB, begin=a_minute_ago(), end=utc_now())
    assert used.peak_memory_bytes == GIB
    assert used.peak_gpu_memory_bytes == 2 * GIB
    assert used.mean_gpu_percent == 60
    assert used.peak_cpu_cores == pytest.approx(0.5, abs=0.1)
    assert used.cpu_seconds is not None
    assert used.cpu_seconds > 1000


def test_what_was_never_seen_is_empty_and_no_error(meter: PrometheusMeter) -> None:
    nobody = WorkloadRef(JobId(99), 1)
    assert meter.series(nobody, begin=a_minute_ago(), end=utc_now(), points=9) == {}
    assert meter.usage(nobody, begin=a_minute_ago(), end=utc_now()) == Usage()
    early = utc_now() - timedelta(days=1)
    assert meter.series(JOB, begin=early, end=early + timedelta(minutes=5), points=9) == {}


def test_the_use_of_gpus_is_told_of_many_attempts_at_once(meter: PrometheusMeter) -> None:
    many = [WorkloadRef(JobId(number), 1) for number in range(1, 500)]
    found = meter.gpu_percent([*many, OTHER], begin=a_minute_ago(), end=utc_now())
    assert found == {JOB: 60}


@pytest.mark.parametrize("call", ["series", "usage", "gpu_percent"])
def test_silence_is_told_in_time_without_the_password(prometheus: Prometheus, call: str) -> None:
    url = prometheus.url.replace("//", "//ann:hush@")
    calls = {
        "series": lambda meter: meter.series(JOB, begin=a_minute_ago(), end=utc_now(), points=9),
        "usage": lambda meter: meter.usage(JOB, begin=a_minute_ago(), end=utc_now()),
        "gpu_percent": lambda meter: meter.gpu_percent([JOB], begin=a_minute_ago(), end=utc_now()),
    }
    prometheus.freeze()
    try:
        begun = time.monotonic()
        with pytest.raises(MeterUnavailable, match="does not answer") as raised:
            calls[call](PrometheusMeter(url))
        assert time.monotonic() - begun < SECONDS
    finally:
        prometheus.thaw()
    assert "hush" not in str(raised.value)
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, "<html>a login page</html>", "nothing that makes sense"),
        (503, "Service Unavailable", "answered 503"),
        (400, {"status": "error", "error": "parse error"}, "parse error"),
        (200, {"status": "success", "data": {"result": [{"metric": 3}]}}, "nothing that"),
        (200, {"status": "success", "data": None}, "nothing that makes sense"),
    ],
)
def test_an_answer_that_is_none_is_the_meters_trouble(status: int, body: object, said: str) -> None:
    with Pages() as pages:
        pages.pages["/api/v1/query"] = (status, body)
        with pytest.raises(MeterUnavailable, match=said):
            PrometheusMeter(pages.url).usage(JOB, begin=a_minute_ago(), end=utc_now())


def test_an_answer_without_an_end_is_given_up_in_time() -> None:
    with Pages() as pages:
        pages.pages["/api/v1/query"] = (200, "")
        pages.drips = True
        begun = time.monotonic()
        with pytest.raises(MeterUnavailable, match="does not come to an end"):
            PrometheusMeter(pages.url).usage(JOB, begin=a_minute_ago(), end=utc_now())
        assert time.monotonic() - begun < SECONDS


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(MeterUnavailable):
        PrometheusMeter(f"http://127.0.0.1:{free_port()}").usage(
            JOB, begin=a_minute_ago(), end=utc_now()
        )


def test_with_prometheus_down_jobs_run_and_everybody_is_answered_and_it_catches_up(
    desk: Desk, helm: Helm, exporter: Exporter, tmp_path: Path
) -> None:
    rules = chart_files(helm)["prometheus"]
    files = {name: rules[name] for name in _RULES}
    with ExitStack() as stack:
        prometheus = stack.enter_context(
            watching(tmp_path / "own", {"containers": [exporter.address]}, files)
        )
        meter = PrometheusMeter(prometheus.url)
        door = replace(
            make_door(desk, LoggedCluster(), None),
            meter=meter,
            usage_file=PostgresUsageFile(desk.engine),
        )
        client = Client(stack.enter_context(serving(door)), TOKEN)
        job = _started(desk, exporter, prometheus)
        assert _told(client, job)["source"] == "Prometheus"

        prometheus.kill()
        _ended(desk, job)
        assert desk.state(job) == "succeeded"
        begun = time.monotonic()
        assert client.get(f"/v1/jobs/{job}").json["state"] == "succeeded"
        found = _told(client, job)
        assert time.monotonic() - begun < SECONDS
        assert "does not answer" in found["unavailable"]["detail"]
        assert found["quantities"] == []
        assert _deliver(desk, meter) == 0
        other = desk.job()
        desk.tick()
        assert desk.state(other) == "dispatched"

        prometheus.start()
        desk.change("UPDATE outbox SET due_at = now() WHERE channel = 'usage'")
        await_true("it is filed", lambda: _filed(desk, meter), seconds=30)
        found = _told(client, job)
        assert found["source"] == "kept with the job"
        assert {each["name"] for each in found["quantities"]} >= {"cpu_cores", "memory_bytes"}
        assert found["used"]["peak_memory_bytes"] == GIB
        assert found["sizing"]


def _started(desk: Desk, exporter: Exporter, prometheus: Prometheus) -> JobId:
    job = desk.job(resources={"cpu": 2, "memory": "4Gi"})
    desk.tick()
    exporter.samples |= workload(job, memory=GIB)
    desk.cluster.seen[WorkloadRef(job, 1)] = Running("uid", utc_now() - timedelta(seconds=1))
    desk.tick()
    prometheus.await_series(f'sentinels_job:cpu_cores{{sentinels_job="{job}"}}')
    return job


def _ended(desk: Desk, job: JobId) -> None:
    began = utc_now() - timedelta(seconds=30)
    desk.cluster.seen[WorkloadRef(job, 1)] = Finished("uid", None, 0, began, utc_now())
    desk.tick()


def _told(client: Client, job: JobId) -> dict[str, Any]:
    answer = client.get(f"/v1/jobs/{job}/usage")
    assert answer.status == 200
    return answer.json


def _deliver(desk: Desk, meter: PrometheusMeter) -> int:
    outbox = PostgresOutbox(desk.engine)
    filer = UsageFiler(outbox, meter, PostgresUsageFile(desk.engine))
    return deliver_due(DeliverPorts(outbox, {USAGE: filer.deliver}, nothing))


def _filed(desk: Desk, meter: PrometheusMeter) -> bool:
    _deliver(desk, meter)
    return desk.ask("SELECT count(*) FROM usage_series") == [(1,)]
