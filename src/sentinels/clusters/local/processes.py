"""The processes of one attempt: found, measured, ended. Linux's /proc is the source.

The runner is a subreaper, so whatever its program starts stays below it, even what makes a session
of its own. Comes in: a pid. Goes out: descendants, their memory and CPU time. Next: ``runner``,
``observe``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_CPU_FIELDS = slice(11, 15)
"""Of what stands behind the name in ``stat``: user and system time, own and the children's."""
MARK = "SENTINELS_WORKLOAD_UID"
"""The variable by which an attempt's processes are known when their runner is gone."""


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies; end at once if it has died."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def descendants(pid: int) -> list[int]:
    """Every living process below ``pid``."""
    found: list[int] = []
    below = _children(pid)
    while below:
        found.extend(below)
        below = [child for parent in below for child in _children(parent)]
    return found


def resident_bytes(pids: list[int]) -> int:
    """The resident memory of these processes; what they share counts for each."""
    return sum(_resident(pid) for pid in pids)


def proportional_bytes(pids: list[int]) -> int:
    """The same, with shared memory divided among its users; dearer to find out."""
    return sum(_proportional(pid) for pid in pids)


def cpu_seconds(pids: list[int]) -> float:
    """The CPU time of these processes so far, with that of children that each has waited for."""
    return sum(_cpu_ticks(pid) for pid in pids) / _TICKS


def end_all(find: Callable[[], list[int]], *, seconds: float = 10.0, reap: bool = False) -> bool:
    """Kill what ``find`` finds until it finds nothing; False where something stays.

    ``reap`` collects dead children too: only for a process that awaits none of its own.
    """
    deadline = time.monotonic() + seconds
    while pids := find():
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if reap:
            _reap()
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def reap_orphans(but: int) -> None:
    """Collect the dead children other than ``but``, whose status another awaits."""
    with suppress(ChildProcessError):
        while (dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if dead.si_pid == but:
                return
            os.waitpid(dead.si_pid, 0)


def marked(uid: str) -> list[int]:
    """The processes of a workload by its mark, wherever they hang by now."""
    mark = f"{MARK}={uid}".encode()
    return [pid for pid in _all() if pid != os.getpid() and mark in _environment(pid)]


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  # twenty times a second
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as children:  # noqa: PTH123  # the same
                found += map(int, children.read().split())
    return found


def _all() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _resident(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    with suppress(OSError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return _resident(pid)


def _cpu_ticks(pid: int) -> int:
    try:
        told = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
        return sum(map(int, told.rpartition(")")[2].split()[_CPU_FIELDS]))
    except (OSError, ValueError):
        return 0


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
