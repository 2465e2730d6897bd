"""Two configs side by side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.comparing import compared

LEAF = st.sampled_from([None, True, False, 0, 1, 2.5, "x", "y", [], [1], ["x", 2]])
KEY = st.sampled_from(["params", "env", "C", "lr", "resources"])
CONFIG = st.dictionaries(KEY, LEAF | st.dictionaries(KEY, LEAF, max_size=3), max_size=4)


def different(a: dict[str, object], b: dict[str, object]) -> list[tuple[str, object, object]]:
    return [(each.path, each.a, each.b) for each in compared(a, b) if each.is_one]


def test_paths_are_told_in_the_configs_order_each_beside_its_kind() -> None:
    a = {"name": "fit", "params": {"C": 1, "k": 2}, "args": ["x"], "time_limit": "1h"}
    b = {"params": {"C": 2, "new": True}, "args": ["y"], "labels": {"a": "b"}, "name": "fit"}
    assert different(a, b) == [
        ("params.C", 1, 2),
        ("params.k", 2, None),
        ("params.new", None, True),
        ("args", ["x"], ["y"]),
        ("time_limit", "1h", None),
        ("labels.a", None, "b"),
    ]


def test_a_number_is_itself_however_it_is_written_and_no_truth_value() -> None:
    assert different({"a": 1}, {"a": 1.0}) == []
    assert different({"a": 1}, {"a": True}) == [("a", 1, True)]


@given(CONFIG)
def test_a_config_is_no_different_from_itself(config: dict[str, object]) -> None:
    assert different(config, config) == []


@given(CONFIG, CONFIG)
def test_each_side_stays_on_its_side(a: dict[str, object], b: dict[str, object]) -> None:
    turned = sorted((path, right, left) for path, left, right in map(tuple, different(b, a)))
    assert [each[0] for each in turned] == sorted(each[0] for each in different(a, b))
