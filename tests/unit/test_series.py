"""Series: thinned without losing what counts, summed up, written down and read again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.meter import Quantity, Sample
from sentinels.core.series import read_series, series_json, summary, thinned, within

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def samples(values: Sequence[float], *, every: float = 1.0) -> list[Sample]:
    return [Sample(BEGIN + timedelta(seconds=at * every), v) for at, v in enumerate(values)]


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=500), st.integers(1, 80))
def test_thinning_keeps_the_largest_of_a_level_and_stays_in_order(
    values: list[int], points: int
) -> None:
    [thin] = thinned({Quantity.MEMORY_BYTES: samples(values)}, points).values()
    assert len(thin) <= max(points, 1)
    assert max(sample.value for sample in thin) == max(values)
    assert [sample.at for sample in thin] == sorted(sample.at for sample in thin)
    assert thin[-1].at == samples(values)[-1].at


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=500), st.integers(1, 80))
def test_thinning_a_rate_goes_above_and_below_nothing_that_was_measured(
    values: list[float], points: int
) -> None:
    [thin] = thinned({Quantity.CPU_CORES: samples(values)}, points).values()
    assert all(min(values) - 1e-6 <= sample.value <= max(values) + 1e-6 for sample in thin)


def test_a_rates_mean_survives_thinning() -> None:
    [thin] = thinned({Quantity.CPU_CORES: samples([0.0, 2.0] * 50)}, 10).values()
    assert [round(sample.value, 6) for sample in thin] == [1.0] * 10


def test_few_samples_stay_as_they_are() -> None:
    few = samples([1.0, 2.0])
    assert thinned({Quantity.CPU_CORES: few}, 60) == {Quantity.CPU_CORES: few}


def test_a_summary_is_the_last_the_mean_the_usual_and_the_largest() -> None:
    found = summary(samples([float(value) for value in range(1, 21)][::-1]))
    assert found is not None
    assert (found.now, found.mean, found.p95, found.peak) == (1.0, 10.5, 19.0, 20.0)
    assert summary([]) is None


def test_within_takes_both_ends() -> None:
    found = within(
        samples([1, 2, 3, 4]), BEGIN + timedelta(seconds=1), BEGIN + timedelta(seconds=2)
    )
    assert [sample.value for sample in found] == [2, 3]


def test_what_is_written_as_json_is_read_again() -> None:
    series = {
        Quantity.CPU_CORES: samples([0.12345, 1.0]),
        Quantity.MEMORY_BYTES: samples([1.0e9, 2.0e9 + 0.4], every=30),
    }
    written = json.loads(json.dumps(series_json(series, BEGIN)))
    assert written["cpu_cores"] == [[0.0, 0.123], [1.0, 1.0]]
    assert written["memory_bytes"][1] == [30.0, 2000000000]
    found = read_series({**written, "of_a_later_version": [[0, 1]]}, BEGIN)
    assert [sample.at for sample in found[Quantity.MEMORY_BYTES]] == [
        sample.at for sample in series[Quantity.MEMORY_BYTES]
    ]
    assert set(found) == set(series)
