"""What the runner samples, and what the local meter makes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from sentinels.clusters.local.meter import LocalMeter
from sentinels.clusters.local.samples import MOST, Looked, Sampler, read_points
from sentinels.core.capacity import Resources
from sentinels.core.errors import MeterUnavailable
from sentinels.core.job import JobId
from sentinels.core.meter import Quantity, Series
from sentinels.core.observation import Usage
from sentinels.core.workload import WorkloadRef
from tests.contract.rig import REF, Rig, await_true

GIB, MIB = 2**30, 2**20
# However busy the machine is, so much CPU time is used.
BUSY = "import time; held = bytearray(80 * 2**20)\nwhile time.process_time() < {seconds}: pass"
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@pytest.fixture
def rig(process_rig: Rig) -> Rig:
    return process_rig


@pytest.fixture
def meter(rig: Rig) -> LocalMeter:
    return LocalMeter(rig.home)


def series(meter: LocalMeter, points: int = 500) -> Series:
    return meter.series(REF, begin=EVER[0], end=EVER[1], points=points)


def assert_sums_up(meter: LocalMeter, usage: Usage) -> None:
    """The samples tell of all the CPU time that the kernel counted, and of no more."""
    read = read_points(meter._layout.folder(REF.name).usage)
    assert read is not None
    begun, spent = 0.0, 0.0
    for point in read[1]:
        spent += point["cpu_cores"] * (point["seconds"] - begun)
        begun = point["seconds"]
    assert usage.cpu_seconds is not None
    assert 0.8 * usage.cpu_seconds - 0.05 < spent < 1.05 * usage.cpu_seconds + 0.05


def busy(rig: Rig, seconds: float) -> None:
    script = f"exec {sys.executable} -c '{BUSY.format(seconds=seconds)}'"
    rig.cluster.launch(rig.shell(script, resources=Resources(1000, GIB)))


def test_a_busy_program_is_seen_using_a_core_and_its_memory_while_it_runs(
    rig: Rig, meter: LocalMeter
) -> None:
    busy(rig, 60)
    await_true(lambda: len(series(meter).get(Quantity.CPU_CORES, ())) >= 2)
    found = series(meter)
    assert 0.02 < found[Quantity.CPU_CORES][-1].value < 1.2
    assert 80 * MIB < found[Quantity.MEMORY_BYTES][-1].value < 160 * MIB
    used = meter.usage(REF, begin=EVER[0], end=EVER[1])
    assert used.peak_memory_bytes is not None
    assert used.peak_memory_bytes >= 80 * MIB
    began = rig.await_running(REF).started_at
    assert abs(found[Quantity.CPU_CORES][0].at - began) < timedelta(seconds=4)


def test_an_ended_program_has_its_peaks_in_the_exit_record_and_its_samples_stay(
    rig: Rig, meter: LocalMeter
) -> None:
    busy(rig, 0.8)
    seen = rig.await_end(REF)
    assert meter.usage(REF, begin=EVER[0], end=EVER[1]) == seen.usage
    cores = [sample.value for sample in series(meter)[Quantity.CPU_CORES]]
    assert seen.usage.peak_cpu_cores == max(cores)
    assert_sums_up(meter, seen.usage)


def test_a_program_that_is_over_at_once_has_one_sample(rig: Rig, meter: LocalMeter) -> None:
    seen = rig.finish(rig.shell("true"))
    assert seen.usage.peak_cpu_cores is not None
    assert {quantity: len(found) for quantity, found in series(meter).items()} == {
        Quantity.CPU_CORES: 1,
        Quantity.MEMORY_BYTES: 1,
    }


def test_processes_that_came_and_went_between_two_looks_are_counted(
    rig: Rig, meter: LocalMeter
) -> None:
    short = f"{sys.executable} -S -c '{BUSY.format(seconds=0.1)}'"
    script = f"for each in 1 2 3 4 5 6; do {short}; done; setsid {short}"
    seen = rig.finish(rig.shell(script, resources=Resources(1000, GIB)))
    assert seen.usage.cpu_seconds is not None
    assert seen.usage.cpu_seconds > 0.7
    assert_sums_up(meter, seen.usage)


def test_what_a_killed_runner_had_seen_can_still_be_read(rig: Rig, meter: LocalMeter) -> None:
    busy(rig, 60)
    await_true(lambda: series(meter))
    os.kill(rig.runner(REF), signal.SIGKILL)
    rig.await_end(REF)
    assert series(meter)[Quantity.CPU_CORES]
    used = meter.usage(REF, begin=EVER[0], end=EVER[1])
    assert used.peak_cpu_cores is not None


def test_a_span_leaves_out_what_was_before_and_after(rig: Rig, meter: LocalMeter) -> None:
    busy(rig, 0.3)
    rig.await_end(REF)
    [at, *_] = [sample.at for sample in series(meter)[Quantity.CPU_CORES]]
    before = at - timedelta(seconds=1)
    assert meter.series(REF, begin=EVER[0], end=before, points=9) == {}


def test_an_attempt_without_a_folder_was_not_measured(meter: LocalMeter) -> None:
    nobody = WorkloadRef(JobId(99), 1)
    assert meter.series(nobody, begin=EVER[0], end=EVER[1], points=9) == {}
    assert meter.usage(nobody, begin=EVER[0], end=EVER[1]) == Usage()
    assert meter.gpu_percent([nobody], begin=EVER[0], end=EVER[1]) == {}


def test_a_folder_that_cannot_be_read_is_the_meters_trouble(rig: Rig, meter: LocalMeter) -> None:
    folder = rig.folder(REF)
    folder.usage.mkdir(parents=True)
    with pytest.raises(MeterUnavailable, match="cannot be read"):
        series(meter)


def test_the_mean_use_of_gpus_is_told_for_those_that_have_some(rig: Rig, meter: LocalMeter) -> None:
    folder = rig.folder(REF)
    folder.path.mkdir(parents=True)
    looked = iter([Looked(0, 1, 20.0, 5), Looked(0, 1, 60.0, 9)])
    sampler = Sampler(folder.usage, lambda: next(looked), stopwatch=_clock(1))
    sampler.sample()
    sampler.sample()
    other = WorkloadRef(JobId(8), 1)
    assert meter.gpu_percent([REF, other], begin=EVER[0], end=EVER[1]) == {REF: 40.0}
    used = meter.usage(REF, begin=EVER[0], end=EVER[1])
    assert (used.peak_gpu_memory_bytes, used.mean_gpu_percent) == (9, 40.0)


def test_network_is_said_not_to_be_measured(meter: LocalMeter) -> None:
    assert "share this machine's network" in meter.unmeasured[Quantity.SENT_BYTES]


def _clock(step: float) -> Iterator[float] | object:
    ticks = iter(range(10**6))
    return lambda: next(ticks) * step


def test_a_week_of_samples_stays_small_and_even_and_keeps_the_largest(tmp_path: Path) -> None:
    path, now, seconds = tmp_path / "usage", [0.0], 7 * 24 * 3600
    peak_at = 300_000

    def look() -> Looked:
        memory = 999 if peak_at <= now[0] < peak_at + 1024 else 7
        return Looked(now[0] * 2, memory)

    sampler = Sampler(path, look, stopwatch=lambda: now[0])
    while now[0] < seconds:
        now[0] += 1
        sampler.sample()
    read = read_points(path)
    assert read is not None
    points = read[1]
    assert MOST / 2 <= len(points) <= MOST
    assert path.stat().st_size < 64 * 1024
    gaps = {round(b["seconds"] - a["seconds"]) for a, b in pairwise(points)}
    assert gaps == {1024}
    assert max(point["memory_bytes"] for point in points) == 999
    assert {point["cpu_cores"] for point in points} == {2.0}
    assert sampler.peak_cores == 2.0


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "usage"
    head = json.dumps({"at": "2026-01-02T03:04:05+00:00", "columns": ["cpu_cores"]})
    path.write_text(f"{head}\n[1, 0.5]\n[2, 0.\n[3, 0.25]\n[4")
    read = read_points(path)
    assert read is not None
    assert read[1] == [{"seconds": 1, "cpu_cores": 0.5}, {"seconds": 3, "cpu_cores": 0.25}]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"at": 3, "columns": []}'])
def test_a_file_that_is_none_of_ours_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "usage"
    path.write_text(text)
    assert read_points(path) is None


def test_the_runner_starts_without_anything_new_that_is_heavy() -> None:
    probe = "import sys, sentinels.clusters.local.runner; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=True, timeout=30
    ).stdout.split()
    assert {"dataclasses", "statistics", "sqlalchemy", "httpx", "psutil"}.isdisjoint(told)
