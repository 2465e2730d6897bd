"""Positions: what was read is known behind any lines, and a cursor is the same position again."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.errors import InvalidRequest
from sentinels.core.log_position import (
    CLOSE,
    CLOSE_NS,
    REMEMBERED,
    START,
    Begun,
    Moment,
    Offset,
    before,
    byte_of,
    decode,
    encode,
    moment_of,
    since,
)

_LIMIT_OF_A_PARAMETER = 300
_TIMES = st.lists(st.integers(0, 2**62), max_size=40)
_THICK = st.lists(st.integers(2**62 - CLOSE_NS, 2**62), max_size=80)
_BEGUN = st.none() | st.builds(Begun, st.integers(0, 2**62), st.integers(0, 2**40))


@given(_TIMES | _THICK, _TIMES | _THICK, _BEGUN)
def test_a_cursor_is_short_and_stands_for_its_position(
    first: list[int], then: list[int], begun: Begun | None
) -> None:
    for position in (START.after(first), START.after(first).after(then, begun)):
        cursor = encode(position)
        assert decode(cursor) == position
        assert len(cursor) <= _LIMIT_OF_A_PARAMETER


@given(st.integers(0, 2**62))
def test_a_byte_and_a_time_are_kept_too(number: int) -> None:
    for position in (Offset(number), since(number), before(number)):
        assert decode(encode(position)) == position


@given(st.text(max_size=300))
def test_what_is_no_cursor_is_refused_as_such(text: str) -> None:
    with suppress(InvalidRequest):
        assert decode(encode(decode(text))) == decode(text)


@given(_TIMES, _TIMES)
def test_whatever_was_read_is_known_as_read(first: list[int], then: list[int]) -> None:
    position = START.after(first).after(then)
    for at in first + then:
        assert at <= position.read_to or at in position.read
    assert len(position.read) <= CLOSE
    assert list(position.read) == sorted(position.read)
    assert position.last == ([None, *first, *then])[-1]


def test_the_newest_are_remembered_whatever_the_order_of_reading() -> None:
    apart = range(10, 10 + REMEMBERED * CLOSE_NS, CLOSE_NS)
    position = START.after([5, 3, *apart, 4])
    assert position.read == tuple(apart)
    assert (position.read_to, position.last, position.earliest) == (5, 4, 5)
    assert position.after([], Begun(2, 7)).earliest == 1


def test_of_lines_that_come_thick_more_are_remembered() -> None:
    thick = range(10**18, 10**18 + CLOSE * 500_000, 500_000)
    position = START.after([10**18 - 1, *thick])
    assert position.read == tuple(thick)
    assert position.read_to == 10**18 - 1


def test_a_place_in_a_file_is_none_among_lines() -> None:
    assert (byte_of(START), moment_of(Offset(0))) == (0, START)
    assert (byte_of(Offset(7)), moment_of(since(7))) == (7, Moment(6))
    for wrong in (lambda: byte_of(since(7)), lambda: moment_of(Offset(7))):
        with pytest.raises(InvalidRequest, match="not there any more"):
            wrong()
