"""What a workload used over time, in a file of its folder that stays small.

The runner looks every second and adds a line. When there are a thousand, neighbours are merged two
by two and the pause between two looks doubles: a week takes no more room than a quarter of an hour.
What is there survives the runner. Comes in: how much CPU time there was so far, how much memory
there is now, how busy GPUs are. Goes out: the file; ``read_points`` reads it again. Before:
``program``, ``container``. Next: ``meter``. Only the standard library is imported, and no
dataclasses: the runner must start quickly.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sentinels.clock import utc_now

SECONDS = 1.0
"""Between the first looks."""
MOST = 1000
"""Lines, an even number: never so many, the first one with the names aside."""
COLUMNS = ("cpu_cores", "memory_bytes", "gpu_percent", "gpu_memory_bytes")
_LEVELS = ("memory_bytes", "gpu_memory_bytes")
"""Of merged neighbours the larger counts; of the others it is the mean."""
_WORTH_A_LOOK = 0.5
"""A window that is a smaller part of the pause says little of how many cores were used."""

Point = tuple[float | None, ...]
"""Seconds since the start, then the columns; None is what was not measured."""


class Looked(NamedTuple):
    """One look: CPU seconds so far, and what is used now."""

    cpu_seconds: float | None
    memory_bytes: int | None
    gpu_percent: float | None = None
    gpu_memory_bytes: int | None = None


class Sampler:
    """Looks when it is time and keeps what it sees. ``peak_cores`` is the most in one window."""

    def __init__(
        self,
        path: Path,
        look: Callable[[], Looked],
        *,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begins now; the file appears with the first sample."""
        self.peak_cores: float | None = None
        self._path, self._look, self._stopwatch = path, look, stopwatch
        self._began_at = utc_now().isoformat()
        self._began = self._last = stopwatch()
        self._pause = SECONDS
        self._cpu_seconds = 0.0
        self._points: list[Point] = []

    def sample(self) -> None:
        """Look, if it is time."""
        now = self._stopwatch()
        if now - self._last >= self._pause:
            self._keep(self._look(), now)

    def end(self, looked: Looked) -> None:
        """It is over: the last window too, unless it is too short to tell anything."""
        now = self._stopwatch()
        if not self._points or now - self._last >= _WORTH_A_LOOK * self._pause:
            self._keep(looked, now)

    def _keep(self, looked: Looked, now: float) -> None:
        window = max(now - self._last, 1e-3)
        cores = None
        if looked.cpu_seconds is not None:
            # What a child that nobody waited for had used is gone with it.
            cores = max(0.0, looked.cpu_seconds - self._cpu_seconds) / window
            self._cpu_seconds = max(self._cpu_seconds, looked.cpu_seconds)
            self.peak_cores = max(self.peak_cores or 0.0, round(cores, 3))
        self._last = now
        self._add((round(now - self._began, 2), cores, *looked[1:]))

    def _add(self, point: Point) -> None:
        self._points.append(point)
        with suppress(OSError):  # a full disk costs samples, nothing else
            if len(self._points) == MOST:
                self._points = _halved(self._points)
                self._pause *= 2
                self._rewrite()
            elif len(self._points) == 1:
                self._rewrite()
            else:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(_line(point))

    def _rewrite(self) -> None:
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        head = json.dumps({"at": self._began_at, "columns": COLUMNS})
        beside.write_text(f"{head}\n{''.join(map(_line, self._points))}", encoding="utf-8")
        beside.replace(self._path)


def read_points(path: Path) -> tuple[datetime, list[dict[str, float]]] | None:
    """When it began, and every whole line by column and ``seconds``; None where there is no file.

    A line that is just being written is passed over, and so is one that a full disk cut off.
    """
    try:
        head, *lines = path.read_text("utf-8", "replace").splitlines()
        told = json.loads(head)
        began, columns = datetime.fromisoformat(told["at"]), ["seconds", *told["columns"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return began, [found for line in lines if (found := _read_line(line, columns))]


def _read_line(line: str, columns: list[str]) -> dict[str, float] | None:
    with suppress(ValueError):
        values = json.loads(line)
        if isinstance(values, list) and len(values) == len(columns):
            pairs = zip(columns, values, strict=True)
            return {name: value for name, value in pairs if isinstance(value, int | float)}
    return None


def _line(point: Point) -> str:
    return json.dumps([None if value is None else round(value, 3) for value in point]) + "\n"


def _halved(points: list[Point]) -> list[Point]:
    return [_merged(*pair) for pair in zip(points[::2], points[1::2], strict=True)]


def _merged(first: Point, second: Point) -> Point:
    pairs = zip(COLUMNS, first[1:], second[1:], strict=True)
    return (second[0], *(_one(name, left, right) for name, left, right in pairs))


def _one(name: str, left: float | None, right: float | None) -> float | None:
    if left is None or right is None:
        return right if left is None else left
    return max(left, right) if name in _LEVELS else (left + right) / 2
