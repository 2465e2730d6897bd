"""``sentinels down``: end what ``up`` started, wherever that runs, and whatever is left of it.

Comes in: a data folder. Goes out: nothing of it runs any more; its jobs and files stay. Next:
``evicting``.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from sentinels.core.errors import Unavailable
from sentinels.local.daemon import is_running
from sentinels.local.evicting import evict_workloads, take_note_of_evicted
from sentinels.local.home import Home
from sentinels.local.leftovers import end_leftovers
from sentinels.local.postgres import EmbeddedPostgres
from sentinels.local.status_lines import StatusLines

_DOWN_SECONDS = 150.0


def bring_down(home: Home, lines: StatusLines) -> None:
    """Return when nothing of the folder's Sentinels runs; say what was stopped.

    Raises ``Unavailable`` where the supervisor does not end.
    """
    if not home.path.is_dir():
        lines.done(f"Sentinels is not running: there is no {home.path}")
        return
    supervised = _end_supervisor(home, lines)
    with home.claim() as claimed:
        if not claimed:
            raise Unavailable("another `sentinels up` began meanwhile", remedy="type it again")
        left = _end_the_rest(home, lines)
        home.server_file.unlink(missing_ok=True)
    if supervised or left:
        lines.done("Sentinels is down")
    else:
        lines.done(f"Sentinels is not running in {home.path}")


def _end_supervisor(home: Home, lines: StatusLines) -> bool:
    pid = home.holder()
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + _DOWN_SECONDS
    with lines.waiting("stopping Sentinels"):
        while home.holder() == pid or is_running(pid):
            if time.monotonic() > end:
                raise Unavailable(
                    f"the supervisor (process {pid}) did not end within {_DOWN_SECONDS:.0f} s",
                    remedy=f"end it with `kill -9 {pid}`, then type `sentinels down` again",
                )
            time.sleep(0.05)
    take_note_of_evicted(home, lines)
    return True


def _end_the_rest(home: Home, lines: StatusLines) -> bool:
    """End what a killed supervisor left: functions, MLflow, workloads, PostgreSQL."""
    with lines.waiting("stopping Sentinels"):
        parts = end_leftovers(home)
        workloads = evict_workloads(home, lines)
        postgres = EmbeddedPostgres(home.path)
        running = postgres.is_running()
        if running:
            postgres.stop()
    return bool(parts or workloads or running)
