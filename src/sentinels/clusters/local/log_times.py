"""When each line of a log was read from its program: a small file beside the log.

A record says from which byte of the log on its time holds; at most a hundred a second are written.
A byte's time is its record's and a nanosecond for each byte in between, so every line has a time of
its own, the same for whoever asks, and later lines have later ones. Only the standard library is
imported: the runner must start quickly. Before: ``log_pipe``. Next: ``log_file``, ``shipping``.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_RECORD = struct.Struct("<QQ")
_RESOLUTION_NS = 10**7


class LogClock:
    """Writes the records."""

    def __init__(self, path: Path, now_ns: Callable[[], int] = time.time_ns) -> None:
        """Into this file, which is made when there is something to write."""
        self._path, self._now_ns = path, now_ns
        self._file: int | None = None
        self._byte, self._at_ns = 0, 0

    def mark(self, byte: int) -> None:
        """What is written into the log from this byte on was read now. It is told before that is
        written: who reads the log finds the time of all that is in it. Raises ``OSError``.
        """
        now, since = self._now_ns(), self._at_ns + byte - self._byte
        if now - self._at_ns >= _RESOLUTION_NS or now < self._at_ns:
            self._byte, self._at_ns = byte, max(now, since)
            os.write(self._opened(), _RECORD.pack(byte, self._at_ns))

    def close(self) -> None:
        """Nothing more is to be marked."""
        if self._file is not None:
            os.close(self._file)

    def _opened(self) -> int:
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
        return self._file


class LogTimes:
    """Reads them."""

    def __init__(self, path: Path) -> None:
        """From this file as it is now, of which little is read; none says nothing."""
        self._records: bytes | mmap.mmap = b""
        with suppress(FileNotFoundError), path.open("rb") as file:
            if os.fstat(file.fileno()).st_size >= _RECORD.size:
                self._records = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self._count = len(self._records) // _RECORD.size

    def __enter__(self) -> LogTimes:
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self._records, mmap.mmap):
            self._records.close()

    def at(self, byte: int) -> int:
        """When this byte of the log was read, in nanoseconds since 1970; 0 where nobody knows."""
        place = self._after(0, byte) - 1
        if place < 0:
            return 0
        first, at_ns = self._record(place)
        return at_ns + byte - first

    def byte_since(self, at_ns: int) -> int:
        """The byte from which on all was read then or later."""
        place = self._after(1, at_ns - 1)
        if place == 0:
            return 0
        first, since_ns = self._record(place - 1)
        inside = first + at_ns - since_ns
        return min(inside, self._record(place)[0]) if place < self._count else inside

    def _record(self, place: int) -> tuple[int, int]:
        byte, at_ns = _RECORD.unpack_from(self._records, place * _RECORD.size)
        return byte, at_ns

    def _after(self, key: int, value: int) -> int:
        """How many records have there no more than ``value``. Both ascend."""
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._record(middle)[key] <= value:
                low = middle + 1
            else:
                high = middle
        return low
