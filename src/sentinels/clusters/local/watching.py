"""Watch a program until it has ended, and judge how it ended.

A process and a container are watched alike, for the same ends: by themselves, out of memory, out of
time, asked to stop. Comes in: something ``Watched``, a folder and its spec. Goes out: ``Ended``.
Before: ``program``, ``container``. Only the standard library is imported, and no dataclasses: the
runner must start quickly.
"""

from __future__ import annotations

import signal
import time
from typing import NamedTuple, Protocol

from sentinels.clusters.local.folders import Record, WorkloadFolder, read_record

_TURN_SECONDS = 0.05
_MIB = 2**20


class Ended(NamedTuple):
    """How a program ended and what it used. ``reason`` None is success."""

    reason: str | None = None
    exit_code: int | None = None
    message: str = ""
    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    peak_gpu_memory_bytes: int | None = None
    mean_gpu_percent: float | None = None
    peak_cpu_cores: float | None = None


class Cut(NamedTuple):
    """Why the runner itself ends a program; ``at_once``, or with the time to say goodbye."""

    reason: str
    message: str = ""
    at_once: bool = False


class Watched(Protocol):
    """A started program."""

    def wait(self, seconds: float) -> int | None:
        """The exit code (negative: the signal) once it has ended, waiting this long for it."""
        ...

    def send(self, number: int) -> None:
        """Bring a signal to it."""
        ...

    def memory_excess(self) -> str | None:
        """Measure; a sentence where it uses more memory than it asked for."""
        ...


def watch(folder: WorkloadFolder, spec: Record, program: Watched) -> Ended:
    """Return when the program itself has ended; what it started may remain."""
    watcher = _Watcher(folder, spec, program)
    while (code := program.wait(_TURN_SECONDS)) is None:
        watcher.look()
    return judge(code, watcher.cut)


def judge(code: int, cut: Cut | None) -> Ended:
    """How a program ended, from its exit code (negative: the signal) and why it was cut off.

    A program that was cut off has not succeeded, even where it said goodbye with exit code 0.
    """
    if cut is not None:
        return Ended(cut.reason, code if code >= 0 else None, cut.message)
    if code == 0:
        return Ended(exit_code=0)
    if code > 0:
        return Ended("exited_nonzero", code)
    message = f"{signal_name(-code)} ended it, which Sentinels did not send"
    return Ended("killed", 128 - code, message)


def signal_name(number: int) -> str:
    """``SIGSEGV``; a realtime signal has only a number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def memory_message(limit: int, peak: int) -> str:
    """Why a program was killed for its memory."""
    return f"it used {peak / _MIB:.0f} MiB of memory; it asked for {limit / _MIB:.0f} MiB"


class _Watcher:
    """Looks at a program turn by turn; ``cut`` says why it was told to end."""

    def __init__(self, folder: WorkloadFolder, spec: Record, program: Watched) -> None:
        self.cut: Cut | None = None
        self._folder, self._program = folder, program
        self._limit = float(str(spec["time_limit"])) if spec["time_limit"] else None
        self._grace = float(str(spec["grace_seconds"]))
        self._began = time.monotonic()
        self._kill_at = 0.0

    def look(self) -> None:
        """Look once, and tell it to end where there is a reason to."""
        if self.cut is None:
            self.cut = self._cut_now()
            if self.cut is not None:
                self._begin_end(self.cut)
        elif time.monotonic() >= self._kill_at:
            self._program.send(signal.SIGKILL)

    def _begin_end(self, cut: Cut) -> None:
        grace = 0.0 if cut.at_once else self._grace
        self._kill_at = time.monotonic() + grace
        self._program.send(signal.SIGTERM if grace else signal.SIGKILL)

    def _cut_now(self) -> Cut | None:
        excess = self._program.memory_excess()
        if excess is not None:
            return Cut("out_of_memory", excess, at_once=True)
        if self._limit is not None and time.monotonic() - self._began >= self._limit:
            return Cut("deadline_exceeded", f"it ran into its time limit of {_time(self._limit)}")
        stop = read_record(self._folder.stop)
        return Cut(str(stop["why"])) if stop is not None else None


def _time(seconds: float) -> str:
    from sentinels.core.quantity import format_duration

    return format_duration(int(seconds))
