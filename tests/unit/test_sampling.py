"""A sweep is drawn the same everywhere, within its bounds, and no sample twice."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from sentinels.core.capacity import Resources
from sentinels.core.sampling import combinations, expand_sweep
from sentinels.core.submission import Span, Submission, Values

EXAMPLES = settings(max_examples=200, deadline=None)


def drawn(sweep: dict[str, Values], samples: int, seed: int = 0) -> list[tuple[object, ...]]:
    asked = Submission(
        "a", "a", "a", Resources(1, 1), sweep=sweep, samples=samples, seed=seed, at_once=2
    )
    expanded = expand_sweep(asked)
    assert all(each.at_once is each.samples is None and not each.sweep for each in expanded)
    return [tuple(each.params.values()) for each in expanded]


SPANS = st.one_of(
    st.tuples(st.integers(1, 10**9), st.integers(1, 10**6)).map(lambda at: (at[0], at[0] + at[1])),
    st.tuples(st.floats(1e-9, 1e6), st.floats(1.01, 1e9)).map(lambda at: (at[0], at[0] * at[1])),
)


@EXAMPLES
@given(ends=SPANS, is_log=st.booleans(), samples=st.integers(1, 30), seed=st.integers(0, 2**64))
def test_every_sample_lies_within_its_bounds_and_none_comes_twice(
    *, ends: tuple[float, float], is_log: bool, samples: int, seed: int
) -> None:
    span = Span(*ends, is_log=is_log)
    wanted = int(min(samples, combinations({"x": span})))
    found = drawn({"x": span}, wanted, seed)
    assert all(span.low <= float(str(x)) <= span.high for (x,) in found)
    assert all(isinstance(x, int) == span.is_whole for (x,) in found)
    assert len(set(found)) == wanted


@EXAMPLES
@given(SPANS, st.integers(1, 30), st.integers(0, 2**64))
def test_more_samples_begin_with_the_same_ones(
    ends: tuple[float, float], samples: int, seed: int
) -> None:
    sweep: dict[str, Values] = {"x": Span(*ends), "opt": ("adam", "sgd"), "y": Span(0.0, 1.0)}
    assert drawn(sweep, 40, seed)[:samples] == drawn(sweep, samples, seed)


def test_these_are_the_samples_of_this_seed_on_every_machine() -> None:
    sweep: dict[str, Values] = {
        "lr": Span(1e-5, 0.1, is_log=True),
        "layers": Span(2, 8),
        "opt": ("adam", "sgd"),
    }
    assert drawn(sweep, 3, 7) == [
        (0.000197393, 3, "sgd"),
        (1.9487e-05, 5, "adam"),
        (1.70607e-05, 5, "adam"),
    ]
    assert drawn(sweep, 3, 8) != drawn(sweep, 3, 7)


def test_whole_numbers_are_all_drawn_their_ends_as_often_as_the_others() -> None:
    found = [x for seed in range(3000) for (x,) in drawn({"x": Span(2, 5)}, 1, seed)]
    assert all(abs(found.count(x) / 3000 - 0.25) < 0.03 for x in (2, 3, 4, 5))
    both: dict[str, Values] = {"x": Span(1, 3, is_log=True), "y": (1, 2)}
    assert set(drawn(both, 6)) == {(x, y) for x in (1, 2, 3) for y in (1, 2)}


def test_on_a_log_scale_each_power_of_ten_is_as_likely() -> None:
    found = [
        math.floor(math.log10(float(str(x))))
        for seed in range(3000)
        for (x,) in drawn({"x": Span(1e-4, 1.0, is_log=True)}, 1, seed)
    ]
    assert all(abs(found.count(power) / 3000 - 0.25) < 0.03 for power in (-4, -3, -2, -1))
