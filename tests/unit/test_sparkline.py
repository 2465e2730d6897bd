"""Sparklines: as wide as asked, true to gaps, and in characters that the terminal has."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.cli.sparkline import BARS, PLAIN, axis, bars, sparkline


@pytest.fixture(autouse=True)
def utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    speaks(monkeypatch, "utf-8")


def speaks(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))


def test_bars_rise_from_zero_to_the_largest() -> None:
    pairs = [(float(at + 1), float(at)) for at in range(8)]
    assert sparkline(pairs, 8, 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([(1, 5.0), (2, 5.0)], 2, 2) == "██"
    assert sparkline([(1, 0.0), (2, 0.0)], 2, 2) == "▁▁"


def test_a_time_that_was_not_measured_is_empty() -> None:
    pairs = [(1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (9.0, 1.0), (10.0, 1.0)]
    assert sparkline(pairs, 12, 12) == "███   ████  "


def test_few_samples_fill_the_places_between_them() -> None:
    assert sparkline([(10.0, 1.0), (20.0, 2.0)], 20, 10) == "▅▅▅▅▅█████"


def test_of_samples_that_share_a_place_the_mean_or_the_largest_counts() -> None:
    pairs = [(0.1, 0.0), (0.2, 8.0), (1.5, 8.0)]
    assert sparkline(pairs, 2, 2)[0] == "▅"
    assert sparkline(pairs, 2, 2, largest=True)[0] == "█"


@given(
    st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e12)), max_size=50),
    st.floats(0, 1e5),
    st.integers(1, 200),
)
def test_a_line_takes_exactly_its_places(
    pairs: list[tuple[float, float]], seconds: float, places: int
) -> None:
    line = sparkline(sorted(pairs), seconds, places)
    assert len(line) == places
    assert set(line) <= set(BARS + " ")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_without_bars_gets_plain_characters(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    speaks(monkeypatch, encoding)
    assert bars() == PLAIN
    assert sparkline([(1.0, 1.0)], 1, 3).isascii()


def test_the_axis_says_when_it_begins_and_ends_where_there_is_room() -> None:
    assert axis("10:00", "10:30", 16) == "10:00      10:30"
    assert axis("10:00", "10:30", 8) == "10:00"
