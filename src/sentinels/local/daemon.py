"""Runs commands as another user, and starts daemons that outlive whoever started them.

Comes in: a command, and the user to run it as. Goes out: its result, or the daemon's process id.
Next: ``postgres_server``, ``postgres``, ``up``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import psutil

_COMMAND_SECONDS = 120
_START_SECONDS = 20


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Owner:
    """A user to run commands as. ``switch`` is True where that is another than this process's."""

    uid: int
    gid: int
    name: str
    switch: bool

    @property
    def identity(self) -> _Identity:
        """What ``subprocess`` needs to become this user."""
        return _Identity(user=self.uid, group=self.gid, extra_groups=[]) if self.switch else {}

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a command as this user in ``/``, for two minutes at most."""
        return subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            stdin=subprocess.DEVNULL,
            timeout=_COMMAND_SECONDS,
            umask=0o077,
            **self.identity,
        )

    def enters(self, folder: Path) -> bool:
        """True if this user can enter the folder."""
        return self.run(["/bin/sh", "-c", 'cd -- "$0"', folder]).returncode == 0


def start_daemon(command: Sequence[str], *, log: Path, owner: Owner | None = None) -> int:
    """Start a command in a session of its own, its output appended to ``log``; return its id.

    The shell between hands it to init, so that this process need not reap it.
    """
    identity = owner.identity if owner else _Identity()
    with log.open("ab") as output:
        shell = subprocess.run(
            ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            check=True,
            cwd="/",
            start_new_session=True,
            timeout=_START_SECONDS,
            umask=0o077,
            **identity,
        )
    return int(shell.stdout)


def is_running(pid: int | None) -> bool:
    """True if a process has this id and has not ended; a zombie has."""
    try:
        return pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
