"""The end of what a program printed, within bounds.

A program prints what it likes: escapes, a megabyte without a newline, no text at all. Comes in:
bytes or lines, of which the last count. Goes out: at most so many lines and bytes; a line that is
longer than is worth reading is cut in its middle and says so. Nothing is made safe to show here:
``core.text.printable`` is for whoever shows it. Before: the clusters, ``filing``. Next:
``dossier``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sentinels.core.dossier import LastLines
from sentinels.core.text import last_version, storable

COUNT = 200
"""Lines that are kept at most."""
ROOM = 64 * 1024
"""Bytes that they may take in all."""
LONGEST = 4000
"""Characters of one line."""
WORTH_READING = 256 * 1024
"""Bytes at the end of a log among which the last lines are looked for."""


def lines_of_bytes(data: bytes, *, source: str, from_start: bool) -> LastLines:
    """The last lines of the end of a log; ``from_start``: it is all of it."""
    text = data.decode("utf-8", "replace")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines_of(lines, source=source, from_start=from_start)


def lines_of(lines: Sequence[str], *, source: str, from_start: bool) -> LastLines:
    """The last ones of these; ``from_start``: none was printed before them."""
    shown = [storable(last_version(line)) for line in lines[-COUNT:]]
    kept = _fitting(map(_shortened, reversed(shown)))
    kept.reverse()
    uncut = len(kept) == len(lines) and all(len(line) <= LONGEST for line in shown)
    return LastLines(tuple(kept), source, whole=from_start and uncut)


def _fitting(newest_first: Iterable[str]) -> list[str]:
    kept, room = [], ROOM
    for line in newest_first:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


def _shortened(line: str) -> str:
    if len(line) <= LONGEST:
        return line
    half = LONGEST // 2
    left_out = len(line) - 2 * half
    return f"{line[:half]} […{left_out} characters left out…] {line[-half:]}"
