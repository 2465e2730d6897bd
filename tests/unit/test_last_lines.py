"""The end of whatever a program prints is kept within bounds, and not a word of it is made up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.last_lines import COUNT, LONGEST, ROOM, lines_of, lines_of_bytes


def texts_of(data: bytes, *, from_start: bool = True) -> tuple[str, ...]:
    return lines_of_bytes(data, source="its log", from_start=from_start).texts


def test_a_short_log_is_whole() -> None:
    found = lines_of_bytes(b"one\n\ntwo\n", source="its log", from_start=True)
    assert found.texts == ("one", "", "two")
    assert found.whole
    assert texts_of(b"") == ()
    assert texts_of(b"no newline at its end") == ("no newline at its end",)


def test_of_many_lines_the_last_are_kept() -> None:
    found = lines_of([f"line {number}" for number in range(1000)], source="", from_start=True)
    assert found.texts == tuple(f"line {number}" for number in range(1000 - COUNT, 1000))
    assert not found.whole


def test_a_megabyte_without_a_newline_is_cut_in_its_middle_and_says_so() -> None:
    data = b"begin" + b"x" * 10**6 + b"end"
    found = lines_of_bytes(data, source="its log", from_start=True)
    [line] = found.texts
    assert line.startswith("begin")
    assert line.endswith("end")
    assert f"{10**6 + 8 - LONGEST} characters left out" in line
    assert len(line) < LONGEST + 100
    assert not found.whole


def test_a_progress_bar_is_kept_as_it_was_left() -> None:
    bar = b"".join(b"\r%d%%" % percent for percent in range(101))
    assert texts_of(b"epoch 1\n" + bar + b"\ndone\r\n") == ("epoch 1", "100%", "done")


def test_what_is_no_text_is_kept_as_far_as_it_is() -> None:
    assert texts_of(b"\xff\xfeabc\x00def\n") == ("��abc�def",)
    assert texts_of("ä".encode()[1:] + b"b\n", from_start=False) == ("�b",)


def test_escapes_stay_as_they_are_for_whoever_shows_them() -> None:
    assert texts_of(b"\x1b[31mred\x1b[0m\n") == ("\x1b[31mred\x1b[0m",)


@given(st.binary(max_size=3000), st.integers(1, 400))
def test_whatever_is_printed_stays_within_the_bounds(data: bytes, times: int) -> None:
    found = lines_of_bytes(data * times, source="its log", from_start=True)
    assert len(found.texts) <= COUNT
    assert sum(len(text.encode()) + 1 for text in found.texts) <= ROOM
    assert not any("\n" in text or "\x00" in text for text in found.texts)
    assert all(len(text) <= LONGEST + 100 for text in found.texts)


@given(
    st.lists(st.text(st.characters(blacklist_characters="\r\n\x00", codec="utf-8"), max_size=20))
)
def test_what_fits_is_kept_word_for_word(lines: list[str]) -> None:
    found = lines_of(lines, source="", from_start=True)
    assert found.texts == tuple(lines)
    assert found.whole
