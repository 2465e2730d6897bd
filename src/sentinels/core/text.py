"""Text from elsewhere, made safe to show: what could steer a terminal is taken out.

Comes in: any string a person or a program set. Goes out: the same without control characters,
escape sequences, direction marks and zero-width characters. Source of the ranges: ECMA-48 (C0, C1,
CSI, OSC) and Unicode's bidirectional and default-ignorable format characters.
"""

from __future__ import annotations

import re

# No branch runs past the next ESC, so that a megabyte of them is read once. A string (OSC and its
# kin) that is never ended is not taken out: its text stays visible, only its opening goes.
_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC: titles, links
    r"|\x1b[ -/]*[0-~]"
)
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
    "|[\U000e0000-\U000e007f]"
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNSAFE_BUT_LINES = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f", 1))


def printable(text: str, *, keep_newlines: bool = False) -> str:
    """``text`` without anything that could steer a terminal; newlines and tabs on request.

    Escape sequences disappear; each other unsafe character becomes U+FFFD.
    """
    without_sequences = _SEQUENCES.sub("", text.replace("\r\n", "\n"))
    unsafe = _UNSAFE_BUT_LINES if keep_newlines else _UNSAFE
    return unsafe.sub("\ufffd", without_sequences)


def storable(text: str) -> str:
    """``text`` as PostgreSQL takes it, in text and in JSON: no NUL, no half of a character."""
    return _UNSTORABLE.sub("\ufffd", text)


def last_version(line: str) -> str:
    """What is left of a line that a program has written over and over, as progress bars do."""
    return next((part for part in reversed(line.split("\r")) if part), "")


def one_line(text: str, limit: int) -> str:
    """The first line of ``text``, printable and no longer than ``limit``."""
    first = printable(text.strip().partition("\n")[0])
    return first if len(first) <= limit else first[: limit - 1].rstrip() + "…"


def has_control(text: str) -> bool:
    """Whether there is anything in ``text`` that ``printable`` would take out."""
    return _UNSAFE.search(text) is not None


def first_control(text: str) -> str | None:
    """Which unsafe character comes first and where, as in ``U+200B as character 5``."""
    found = _UNSAFE.search(text)
    return found and f"U+{ord(found[0]):04X} as character {found.start() + 1}"


def whole_characters(data: bytes) -> int:
    """How many bytes of ``data`` do not belong to a UTF-8 character that is cut off at its end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0b1100_0000 == 0b1000_0000:
            continue
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return len(data) - back if byte < 0xF5 and length > back else len(data)
    return len(data)
