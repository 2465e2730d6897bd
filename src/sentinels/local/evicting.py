"""Stops the workloads when Sentinels goes down; their jobs are queued again at the next ``up``.

Comes in: the data folder and the functions' settings, with no function running any more. Goes out:
no workload runs; each left its exit record, which the next dispatch pass reads as "evicted". Next:
``clusters/local``.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import suppress

from sentinels.clusters.local.cluster import LocalCluster
from sentinels.core.observation import Pending, Running
from sentinels.core.ports import Cluster
from sentinels.core.workload import WorkloadRef
from sentinels.local.home import Home
from sentinels.local.status_lines import StatusLines

_GONE_SECONDS = 45.0
_POLL_SECONDS = 0.1
_COUNT_FILE = "evicted"


def evict_workloads(home: Home, settings: Mapping[str, str], lines: StatusLines) -> int:
    """Return how many workloads were stopped, when they are gone; say so."""
    cluster = LocalCluster(home.path)
    running = _running(cluster, cluster.held())
    for ref in running:
        cluster.stop(ref, why="evicted")
    end = time.monotonic() + _GONE_SECONDS
    left = running
    while left and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
        left = _running(cluster, left)
    (home.path / _COUNT_FILE).write_text(str(len(running) - len(left)))
    _say(len(running) - len(left), lines)
    for ref in left:
        lines.note(f"{ref.name} was told to end and still runs")
    return len(running)


def take_note_of_evicted(home: Home, lines: StatusLines) -> None:
    """Say how many workloads another process of this folder stopped."""
    with suppress(OSError, ValueError):
        _say(int((home.path / _COUNT_FILE).read_text()), lines)


def _say(count: int, lines: StatusLines) -> None:
    if count:
        jobs, they = (
            ("1 running job", "it starts")
            if count == 1
            else (f"{count} running jobs", "they start")
        )
        lines.done(f"stopped {jobs}; {they} again at the next `sentinels up`")


def _running(cluster: Cluster, refs: Collection[WorkloadRef]) -> list[WorkloadRef]:
    seen = cluster.observe(sorted(refs, key=lambda ref: ref.name))
    return [ref for ref, found in seen.items() if isinstance(found, Pending | Running)]
