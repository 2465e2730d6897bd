"""Lines with times: read from text, taken from a position on, each once, in pieces of any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.log_lines import (
    SECOND_NS,
    Taken,
    TimedText,
    format_time,
    take,
    timed_lines,
    with_times,
)
from sentinels.core.log_position import START, Moment, before, since
from sentinels.core.log_store import LogLine

_T = 1_790_000_000 * SECOND_NS
_CONTENT = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=30)


@st.composite
def logs(draw: st.DrawFn) -> list[LogLine]:
    """Lines as a file has them: two hands write, so some come a few lines late."""
    steps = draw(st.lists(st.tuples(st.integers(1, 900), _CONTENT), max_size=25))
    lines, at_ns = [], _T
    for step, text in steps:
        at_ns += step
        lines.append(LogLine(at_ns, text))
    late = [place + draw(st.integers(0, 8)) for place in range(len(lines))]
    lines = [lines[place] for place in sorted(range(len(lines)), key=late.__getitem__)]
    if lines and lines[-1].at_ns == at_ns and draw(st.booleans()):
        lines[-1] = LogLine(lines[-1].at_ns, lines[-1].text or "x", ends=False)
    return lines


def text_of(lines: Sequence[LogLine]) -> str:
    return "".join(line.text + "\n" * line.ends for line in lines)


def stamped(lines: Sequence[LogLine]) -> bytes:
    return "".join(
        f"{format_time(line.at_ns)} {line.text}" + "\n" * line.ends for line in lines
    ).encode()


def pieces(lines: Sequence[LogLine], limit: int, place: Moment = START) -> Iterator[Taken]:
    while True:
        taken = take(lines, place, limit=limit, grows=True)
        yield taken
        if taken.whole:
            return
        assert taken.text, "it goes on"
        place = taken.position


@given(logs(), st.integers(16, 200))
def test_a_files_lines_in_pieces_are_the_whole_in_the_files_order(
    lines: list[LogLine], limit: int
) -> None:
    taken = list(pieces(lines, limit))
    assert "".join(each.text for each in taken) == text_of(lines)
    assert all(each.joined for each in taken[1:])
    assert all(len(each.text.encode()) <= limit for each in taken)
    timed = "".join(with_times(each.text, each.marks) for each in taken)
    assert timed.encode() == stamped(lines)


@given(logs(), st.integers(0, 25), st.integers(16, 200))
def test_where_a_file_ends_the_store_goes_on_and_no_line_is_lost_or_doubled(
    lines: list[LogLine], cut: int, limit: int
) -> None:
    """The store has them by their times, the file as they were written."""
    there = lines[:cut]
    place, read = START, ""
    for taken in pieces(there, limit):
        place, read = taken.position, read + taken.text
    stored = sorted(lines, key=lambda line: line.at_ns)
    rest, more = "", True
    while more:
        later = [line for line in stored if line.at_ns > place.earliest]
        taken = take(later, place, limit=limit)
        place, rest, more = taken.position, rest + taken.text, not taken.whole
    assert sorted((read + rest).split("\n")) == sorted(text_of(lines).split("\n"))


@given(logs(), st.integers(1, 40))
def test_text_with_times_is_read_back_however_it_is_cut(lines: list[LogLine], size: int) -> None:
    data = stamped(lines)
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    assert list(timed_lines(cut)) == lines


@given(logs(), st.integers(16, 200), st.integers(0, 30))
def test_a_copy_is_read_like_the_file_it_is_of(lines: list[LogLine], limit: int, last: int) -> None:
    copy, place, read = TimedText(stamped(lines)), START, ""
    while True:
        taken = copy.take(place, limit=limit)
        place, read = taken.position, read + taken.text
        if taken.whole:
            break
    assert read == text_of(lines)
    in_order = lines == sorted(lines, key=lambda line: line.at_ns)
    if in_order:
        taken = copy.take(copy.before_last(last), limit=10**6)
        assert taken.text == text_of(lines[max(0, len(lines) - last) :] if last else [])


def test_lines_that_were_read_before_the_file_was_begun_anew_are_not_read_again() -> None:
    lines = [LogLine(_T + at, str(at)) for at in range(10)]
    place = take(lines, START, limit=10).position
    assert take(lines[7:], place, limit=100, grows=True) == Taken(
        "7\n8\n9\n",
        ((0, _T + 7), (2, _T + 8), (4, _T + 9)),
        place.after([_T + 7, _T + 8, _T + 9]),
        joined=False,
        first_ns=_T + 7,
        whole=True,
    )


def test_lines_of_one_time_are_told_apart_by_their_number() -> None:
    lines = [LogLine(_T, "a"), LogLine(_T, "b"), LogLine(_T, "c"), LogLine(_T + 1, "d")]
    place = take(lines, START, limit=4, grows=True).position
    for grows in (True, False):
        assert take(lines, place, limit=100, grows=grows).text == "c\nd\n"


def test_a_line_that_is_being_written_goes_on_where_it_was_left() -> None:
    first = take([LogLine(_T, "50%", ends=False)], START, limit=100, grows=True)
    assert (first.text, first.whole) == ("50%", True)
    again = take([LogLine(_T, "50%", ends=False)], first.position, limit=100, grows=True)
    assert (again.text, again.joined) == ("", True)
    later = [LogLine(_T, "50% 100%"), LogLine(_T + 5, "done")]
    for grows in (True, False):
        assert take(later, first.position, limit=100, grows=grows).text == " 100%\ndone\n"


def test_a_time_and_a_line_are_beginnings() -> None:
    lines = [LogLine(_T + at, str(at)) for at in range(5)]
    assert take(lines, since(_T + 3), limit=100, grows=True).text == "3\n4\n"
    exact = take(lines, before(_T + 2), limit=100, grows=True)
    assert (exact.text, exact.joined) == ("2\n3\n4\n", True)


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("2026-11-28T13:04:05.000000007Z", 1_795_871_045_000_000_007),
        ("2026-11-28T14:04:05.5+01:00", 1_795_871_045_500_000_000),
        ("2026-11-28T13:04:05Z", 1_795_871_045_000_000_000),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, at_ns: int) -> None:
    assert list(timed_lines([f"{text} x\n".encode()])) == [LogLine(at_ns, "x")]


def test_what_has_no_time_is_left_out() -> None:
    said = b"the rest of a line\n2026-99-28T13:04:05Z x\n" + stamped([LogLine(_T, "whole")])
    assert list(timed_lines([said])) == [LogLine(_T, "whole")]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    data = format_time(_T).encode() + b" a\xff\xfe\r\x1b[31m\n"
    assert list(timed_lines([data])) == [LogLine(_T, "a\ufffd\ufffd\r\x1b[31m")]
