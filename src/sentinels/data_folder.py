"""Where the one-machine mode keeps its data: known to the CLI, which looks for the server there.

Comes in: the environment. Goes out: a path. Next: ``local/home``, ``cli/address``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_SYSTEM_HOME = Path("/var/lib/sentinels")
SERVER_FILE = "server.json"
"""The file below it by which the CLI finds the running server."""


def find_home(environ: Mapping[str, str], *, uid: int) -> Path:
    """The data folder where none was named: ``SENTINELS_HOME``, else the system's or the user's."""
    named = environ.get("SENTINELS_HOME")
    if named:
        return Path(named).expanduser().absolute()
    if uid == 0:
        return _SYSTEM_HOME
    shared = environ.get("XDG_DATA_HOME")
    base = Path(shared) if shared else Path(environ.get("HOME", "/")) / ".local" / "share"
    return base / "sentinels"
