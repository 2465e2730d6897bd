"""What would have sufficed: enough, in sizes that people write, and told only where it matters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.capacity import Resources
from sentinels.core.job import Reason
from sentinels.core.observation import Usage
from sentinels.core.quantity import parse_cpu, parse_memory
from sentinels.core.sizing import MEMORY_HEADROOM, Sizing, Verdict, sizings

GIB = 2**30


def judged(
    asked: Resources, usage: Usage, kind: str, *, usual: float | None = None, **more: Reason
) -> Sizing:
    [found] = [s for s in sizings(asked, usage, usual_cores=usual, **more) if s.kind == kind]
    return found


def memory(asked: float, peak: float, **more: Reason) -> Sizing:
    request = Resources(1000, int(asked * GIB))
    return judged(request, Usage(peak_memory_bytes=int(peak * GIB)), "memory", **more)


def cpu(asked: float, usual: float | None, peak: float | None = None) -> Sizing:
    usage = Usage(peak_cpu_cores=peak)
    return judged(Resources(int(asked * 1000), GIB), usage, "cpu", usual=usual)


@pytest.mark.parametrize(
    ("asked", "peak", "sentence"),
    [
        (4, 1.1, "asked 4Gi, used 1.1Gi at most (27 %): 1.5Gi would have sufficed"),
        (1, 0.3, "asked 1Gi, used 307.2Mi at most (30 %): 384Mi would have sufficed"),
        (0.5, 0.01, "asked 512Mi, used 10.2Mi at most (2 %): 64Mi would have sufficed"),
        (512, 100, "asked 512Gi, used 100Gi at most (20 %): 128Gi would have sufficed"),
        (4, 3, "asked 4Gi, used 3Gi at most (75 %)"),
        (4, 3.95, "asked 4Gi, used 3.9Gi at most (99 %): 5Gi would leave it room"),
    ],
)
def test_memory_is_told_with_a_quarter_more_than_its_peak(
    asked: float, peak: float, sentence: str
) -> None:
    assert memory(asked, peak).sentence == sentence


@pytest.mark.parametrize(
    ("asked", "usual", "sentence"),
    [
        (2, 0.98, "asked 2, used up to 0.98 (49 %): 1 would have sufficed"),
        (2, 1.02, "asked 2, used up to 1 (51 %): 1 would have sufficed"),
        (8, 2.3, "asked 8, used up to 2.3 (29 %): 2.5 would have sufficed"),
        (1, 0.04, "asked 1, used up to 0.04 (4 %): 0.1 would have sufficed"),
        (1, 0.9, "asked 1, used up to 0.9 (90 %)"),
        (1, 0.99, "asked 1, used up to 0.99 (99 %): more might make it faster"),
    ],
)
def test_cpus_are_told_by_what_was_used_in_nineteen_of_twenty_moments(
    asked: float, usual: float, sentence: str
) -> None:
    assert cpu(asked, usual).sentence == sentence


def test_without_a_series_the_peak_speaks_for_the_cpus() -> None:
    assert cpu(4, None, 0.5).enough == 500


def test_what_was_killed_for_its_memory_would_have_needed_more_than_it_asked_for() -> None:
    killed = memory(1, 0.5, reason=Reason.OUT_OF_MEMORY)
    assert (killed.verdict, killed.enough) == (Verdict.MORE, int(1.25 * GIB))


@pytest.mark.parametrize(
    ("percent", "sentence"),
    [
        (1.4, "asked 2 GPUs, used 1 % of their time: hardly any"),
        (81.0, "asked 2 GPUs, used 81 % of their time"),
    ],
)
def test_idle_gpus_are_told(percent: float, sentence: str) -> None:
    request = Resources(1000, GIB, gpus=2)
    assert judged(request, Usage(mean_gpu_percent=percent), "gpu").sentence == sentence


def test_nothing_is_said_of_what_was_not_measured_or_not_asked_for() -> None:
    assert sizings(Resources(1000, GIB, gpus=1), Usage()) == []
    assert [s.kind for s in sizings(Resources(1000), Usage(peak_memory_bytes=1))] == []


@given(asked=st.integers(2**26, 2**42), peak=st.integers(1, 2**42), cores=st.floats(0.001, 500))
def test_what_would_have_sufficed_holds_the_peak_and_can_be_written_in_a_config(
    asked: int, peak: int, cores: float
) -> None:
    request = Resources(500_000, asked)
    for sizing in sizings(request, Usage(peak_memory_bytes=peak, peak_cpu_cores=cores)):
        if sizing.enough is None:
            continue
        assert sizing.enough_text is not None
        if sizing.kind == "memory":
            assert parse_memory(sizing.enough_text) == sizing.enough >= peak * MEMORY_HEADROOM
        else:
            assert parse_cpu(sizing.enough_text) == sizing.enough >= cores * 1000 / 1.04
        if sizing.verdict is Verdict.LESS:
            assert sizing.enough < sizing.asked
