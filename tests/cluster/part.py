"""A process of a cluster in a folder: started, killed, started again, found after a crash.

Its state file says which process it is (pid and start time), so that whoever comes next finds it.
Comes in: a command. Goes out: a running process. Before: ``control_plane``, ``nodes``.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_STOP_SECONDS = 4.0
_PR_SET_PDEATHSIG = 1
_children: dict[int, subprocess.Popen[bytes]] = {}


class Part:
    """One process; it dies with this one unless it is to be ``lasting``."""

    def __init__(self, folder: Path, name: str, *, lasting: bool = False) -> None:
        """``folder`` holds its log and its state."""
        self.name = name
        self.log = folder / f"{name}.log"
        self._state = folder / f"{name}.pid"
        self._lasting = lasting

    def start(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """Start it; what an earlier one left running is ended first."""
        self.stop()
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=None if self._lasting else _die_with_parent,  # noqa: PLW1509  # one call of libc
                env={**os.environ, **(env or {})},
            )
        _children[process.pid] = process
        started = psutil.Process(process.pid).create_time()
        self._state.write_text(json.dumps({"pid": process.pid, "started": started}))

    @property
    def process(self) -> psutil.Process | None:
        """The running process."""
        try:
            state = json.loads(self._state.read_text())
            found = psutil.Process(state["pid"])
            same = abs(found.create_time() - state["started"]) < 1
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None

    def kill(self) -> None:
        """End it at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it, politely first."""
        self._end(signal.SIGTERM)
        self._state.unlink(missing_ok=True)

    def _end(self, number: int) -> None:
        found = self.process
        if found is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(found.pid, number)
        end = time.monotonic() + _STOP_SECONDS
        while self.process is not None:
            if time.monotonic() > end:
                with suppress(ProcessLookupError):
                    os.killpg(found.pid, signal.SIGKILL)
            _reap(found.pid)
            time.sleep(0.02)
        _reap(found.pid)

    def await_ready(self, condition: Callable[[], object], *, seconds: float = 60) -> None:
        """Return when the condition holds; fail with the log's end where it does not."""
        end = time.monotonic() + seconds
        while True:
            ready = condition()
            if self.process is None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} is not ready: {self.tail()}")
            if ready:
                return
            time.sleep(0.05)

    def tail(self) -> str:
        """The last lines of its log."""
        return self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""


def end_all_of(folder: Path, names: Sequence[str]) -> None:
    """End programs of these names that were told this folder, whoever started them.

    A runner that was killed between starting one and writing its state has left no state file.
    """
    for each in processes_of(folder, names):
        with suppress(psutil.NoSuchProcess):
            each.kill()
            each.wait(_STOP_SECONDS)


def processes_of(folder: Path, names: Sequence[str]) -> list[psutil.Process]:
    """The running programs of these names that were told this folder."""
    return [
        each
        for each in psutil.process_iter(["cmdline", "status"])
        if (words := each.info["cmdline"]) and Path(words[0]).name in names
        if any(f"{folder}/" in word for word in words[1:])
        if each.info["status"] != psutil.STATUS_ZOMBIE
    ]


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
