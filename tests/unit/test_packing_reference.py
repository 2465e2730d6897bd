"""The reference packer says yes only to what holds, and finds what an exhaustive search finds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sentinels.core.capacity import Resources
from tests.support.packing import Bin, holds, pack
from tests.unit.planning_reference import packable

SMALL = st.integers(0, 4)
ITEMS = st.builds(Resources, SMALL, SMALL, SMALL, st.sampled_from([None, None, "a", "b"]))
BINS = st.builds(
    Resources, st.integers(0, 9), st.integers(0, 9), st.integers(0, 8), st.sampled_from("ab")
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ITEMS, max_size=6), st.lists(BINS, min_size=1, max_size=4))
def test_it_finds_what_an_exhaustive_search_finds(
    items: list[Resources], offers: list[Resources]
) -> None:
    bins = [Bin(str(number), offer) for number, offer in enumerate(offers)]
    found = pack(items, bins)
    assert found is None or holds(items, bins, found)
    if found is not None:
        assert packable(items, offers)
    elif len(items) <= 4:
        assert not packable(items, offers)


def test_a_full_node_of_slots_takes_nothing_more() -> None:
    one = Resources(1, 1)
    assert pack([one, one], [Bin("n", Resources(9, 9), slots=1)]) is None
    assert pack([one, one], [Bin("n", Resources(9, 9), slots=2)]) == {0: 0, 1: 0}


def test_an_overfull_packing_does_not_hold() -> None:
    two = [Resources(3, 1), Resources(3, 1)]
    assert not holds(two, [Bin("n", Resources(5, 9))], {0: 0, 1: 0})
    assert not holds(two, [Bin("n", Resources(9, 9))], {0: 0})
