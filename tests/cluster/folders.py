"""Folders of test sessions' control planes: whose runner was killed is seen by a lock that is free.

Comes in: nothing. Goes out: a folder; and none is left of runners that are no more. Next:
``control_plane``.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.control_plane import ControlPlane

_PREFIX = "sen-cluster-"
_LOCK = "held"


@contextmanager
def own_folder(base: Path | None = None) -> Iterator[Path]:
    """A folder that is held until the end of this block, or of this process."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    fresh = folder / f"{_LOCK}.new"
    with fresh.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fresh.rename(folder / _LOCK)  # so that it is never seen unheld
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(base: Path | None = None) -> list[Path]:
    """End what runs in folders that nobody holds any more, and remove them; which these were."""
    folders = Path(base or tempfile.gettempdir()).glob(f"{_PREFIX}*")
    return [folder for folder in folders if _is_removed(folder)]


def _is_removed(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ControlPlane(folder).stop()
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # held, another user's, or gone meanwhile
        return False
    return True
