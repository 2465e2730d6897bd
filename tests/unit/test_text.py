"""Whatever a stranger wrote, a terminal is not steered by it."""

from __future__ import annotations

import unicodedata
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinels.core.text import first_control, has_control, printable

EXAMPLES = settings(max_examples=200, deadline=None)

STEERING = {
    "\x1b[31mred\x1b[0m": "red",
    "\x9b31mred": "red",
    "a\x1b[2J\x1b[Hb": "ab",
    "\x1b]0;title\x07text": "text",
    "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": "link",
    "\x1b]52;c;ZXZpbA==\x07": "",
    "\x1bP1$r\x1b\\text": "text",
    "\x1bcreset": "reset",
    "\x1b(Btext": "text",
    "abc\rxyz": "abc\ufffdxyz",
    "abc\b\b\bxyz": "abc\ufffd\ufffd\ufffdxyz",
    "nul\x00": "nul\ufffd",
    "del\x7f": "del\ufffd",
    "user\u202egpj.exe": "user\ufffdgpj.exe",
    "zero\u200bwidth": "zero\ufffdwidth",
    "\ufeffbom": "\ufffdbom",
    "line\u2028line": "line\ufffdline",
    "\U000e0041tag": "\ufffdtag",
    "half\ud800": "half\ufffd",
}

_PIECES = st.sampled_from(
    [
        "\x1b",
        "\x1b[",
        "\x1b]",
        "\x1bP",
        "\x9b",
        "\x9c",
        "\x07",
        "\\",
        "[",
        "]",
        "m",
        "0",
        ";",
        "\n",
        "\r",
    ]
)
_HOSTILE = st.lists(_PIECES | st.characters(), max_size=30).map("".join)


@pytest.mark.parametrize(("hostile", "shown"), STEERING.items())
def test_what_steers_a_terminal_is_taken_out(hostile: str, shown: str) -> None:
    assert printable(hostile) == shown
    assert has_control(hostile)


@pytest.mark.parametrize("text", ["", "plain", "größer ≥ 2 – 日本語 עברית 👍", "C:\\path", "[31m"])
def test_what_only_shows_is_left_as_it_is(text: str) -> None:
    assert printable(text) == text
    assert not has_control(text)


@EXAMPLES
@given(_HOSTILE)
def test_nothing_unsafe_is_left_of_anything(text: str) -> None:
    shown = printable(text)
    assert not has_control(shown)
    assert printable(shown) == shown
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in shown)


@EXAMPLES
@given(_HOSTILE)
def test_with_newlines_kept_only_they_and_tabs_are_left(text: str) -> None:
    shown = printable(text, keep_newlines=True)
    assert not has_control(shown.replace("\n", "").replace("\t", ""))


@EXAMPLES
@given(_HOSTILE)
def test_what_has_no_control_is_shown_unchanged(text: str) -> None:
    assert has_control(text) or printable(text) == text


def test_lines_stay_lines_where_they_are_wanted() -> None:
    assert printable("a\r\n\tb\n", keep_newlines=True) == "a\n\tb\n"
    assert printable("a\nb") == "a\ufffdb"


def test_an_escape_that_is_never_ended_hides_nothing() -> None:
    assert printable("\x1b]0;title\nerror: out of memory", keep_newlines=True) == (
        "0;title\nerror: out of memory"
    )


def test_the_first_unsafe_character_is_named_with_its_place() -> None:
    assert first_control("ab\u200bc\x1b") == "U+200B as character 3"
    assert first_control("abc") is None


@pytest.mark.parametrize("piece", ["\x1b]", "\x1b[", "\x1b[0", "\x1bPx", "\x1b ", "\x1b\x1b]x"])
def test_a_megabyte_of_escapes_is_read_in_one_go(piece: str) -> None:
    started = perf_counter()
    printable(piece * (1_000_000 // len(piece)), keep_newlines=True)
    assert perf_counter() - started < 5
