"""What an ``up`` that was killed left behind, and how it ends.

Comes in: the data folder. Goes out: functions and MLflow processes of that folder that still run,
ended. Workloads and PostgreSQL are no leftovers: they are meant to outlive ``up``. Next: ``up``,
``down``.
"""

from __future__ import annotations

from pathlib import Path

import psutil

from sentinels.local.home import Home

_GRACE_SECONDS = 5.0
_MARKS = ("sentinels.local.child", "mlflow.server")
"""What the parts' processes have among their arguments; MLflow starts its web server by that."""


def end_leftovers(home: Home) -> int:
    """End the parts that no ``up`` supervises any more; return how many processes that were.

    Call only while holding the folder.
    """
    found = [process for process in psutil.process_iter() if _is_part(process, home.path)]
    for process in found:
        _send(process, kill=False)
    _, alive = psutil.wait_procs(found, timeout=_GRACE_SECONDS)
    for process in alive:
        _send(process, kill=True)
    psutil.wait_procs(alive, timeout=_GRACE_SECONDS)
    return len(found)


def _is_part(process: psutil.Process, home: Path) -> bool:
    try:
        if process.environ().get("SENTINELS_HOME") != str(home):
            return False
        return any(mark in argument for argument in process.cmdline() for mark in _MARKS)
    except psutil.Error:
        return False


def _send(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return
