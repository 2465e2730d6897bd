"""What a program prints, from a pipe into the attempt's log file, up to a bound, with its times.

The program writes into a pipe and never into the file itself, so it can neither cut the log off nor
fill the disk with it; past the bound it goes on and the rest is dropped. Comes in: bytes. Goes out:
the log. Before: ``program``, ``container``. Next: ``log_times``, ``shipping``.
"""

from __future__ import annotations

import os
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO

from sentinels.clusters.local.log_times import LogClock
from sentinels.clusters.local.shipping import Shipper

LOG_LIMIT = 2**30
_PIECE = 2**16
_END_SECONDS = 5.0
_NOTE = b"\n[sentinels: the log ends here, it is full; the program goes on]\n"


class LogPipe:
    """A pipe into a log file; ``write_end`` is for the program."""

    def __init__(
        self, path: Path, times: Path, shipper: Shipper | None = None, *, limit: int = LOG_LIMIT
    ) -> None:
        """``times`` is the file beside it; ``shipper`` sends what comes; ``limit`` is in bytes."""
        self._read_end, self.write_end = os.pipe()
        self._path, self._times, self._room = path, times, limit
        self._shipper = shipper
        self._thread = threading.Thread(target=self._copy, name="log", daemon=True)

    def begin(self) -> None:
        """Copy from now on; the program has been started: no fork may follow a thread."""
        self._thread.start()
        if self._shipper is not None:
            self._shipper.begin()

    def end(self) -> None:
        """Return when all of it is in the file; for nobody who still writes is it awaited long."""
        os.close(self.write_end)
        if self._thread.is_alive():
            self._thread.join(_END_SECONDS)
        if self._shipper is not None:
            self._shipper.end()

    def _copy(self) -> None:
        with self._path.open("ab", buffering=0) as log, closing(LogClock(self._times)) as clock:
            while piece := os.read(self._read_end, _PIECE):
                if self._room > 0:
                    # A full disk must not stop the program, which waits for its pipe to be read.
                    with suppress(OSError):
                        clock.mark(log.tell())
                    with suppress(OSError):
                        self._write(log, piece)

    def _write(self, log: BinaryIO, piece: bytes) -> None:
        log.write(piece[: self._room])
        self._room -= len(piece)
        if self._room <= 0:
            log.write(_NOTE)
