"""An attempt's log file, read from a byte, from a time, or by its last lines.

Comes in: a folder, a position. Goes out: text, never cut inside a character unless the program
wrote no more. Before: ``cluster``. Next: ``log_times``.
"""

from __future__ import annotations

from sentinels.clusters.local.folders import WorkloadFolder
from sentinels.clusters.local.log_times import LogTimes
from sentinels.core.log_lines import Marks
from sentinels.core.log_position import Offset
from sentinels.core.ports import LogChunk, LogTail
from sentinels.core.text import whole_characters

_BLOCK = 64 * 1024
_TAIL_BLOCKS = 64
"""The last lines are looked for in this many blocks: 4 MiB."""


def read_log(
    folder: WorkloadFolder, *, byte: int, limit: int, timed: bool, over: bool
) -> LogChunk | None:
    """See ``Cluster.read_log``. ``over``: nothing more is written."""
    try:
        with folder.log.open("rb") as log:
            log.seek(max(0, byte - 1))
            before = log.read(byte - log.tell())
            data = log.read(limit)
            at_end = len(data) < limit or not log.read(1)
    except FileNotFoundError:
        return None
    ended = over and at_end
    data = data if ended else data[: whole_characters(data)]
    marks = _marks(folder, data, byte, begins=before in (b"", b"\n")) if timed else ()
    return LogChunk(
        data.decode("utf-8", "replace"), Offset(byte + len(data)), ended=ended, marks=marks
    )


def tail(folder: WorkloadFolder, lines: int) -> LogTail | None:
    """See ``Cluster.log_tail``. A last line without a newline counts. At most 4 MiB."""
    try:
        end = folder.log.stat().st_size
    except FileNotFoundError:
        return None
    start, found = end, 0
    if end == 0 or lines == 0:
        return LogTail(Offset(end), lines)
    with folder.log.open("rb") as log:
        for _ in range(_TAIL_BLOCKS):
            size = min(_BLOCK, start)
            start -= size
            log.seek(start)
            block = log.read(size)
            at = len(block) - 1 if start + size == end and block.endswith(b"\n") else len(block)
            while (at := block.rfind(b"\n", 0, at)) >= 0:
                found += 1
                if found == lines:
                    return LogTail(Offset(start + at + 1), lines)
            if start == 0:
                break
    return LogTail(Offset(start), lines)


def since(folder: WorkloadFolder, at_ns: int) -> Offset:
    """See ``Cluster.log_since``: the first line that begins then or later."""
    with LogTimes(folder.log_times) as times:
        byte = times.byte_since(at_ns)
    try:
        with folder.log.open("rb") as log:
            if byte > 0:
                log.seek(byte - 1)
                log.readline()
            return Offset(log.tell())
    except FileNotFoundError:
        return Offset(byte)


def _marks(folder: WorkloadFolder, data: bytes, byte: int, *, begins: bool) -> Marks:
    """Where lines begin in the text that ``data`` is, and when each was read. At its own beginning
    one does if it ``begins`` there.
    """
    marks, place, characters = [], 0, 0
    with LogTimes(folder.log_times) as times:
        while place < len(data):
            if begins:
                marks.append((characters, times.at(byte + place)))
            end = data.find(b"\n", place) + 1 or len(data)
            characters += len(data[place:end].decode("utf-8", "replace"))
            place, begins = end, True
    return tuple(marks)
