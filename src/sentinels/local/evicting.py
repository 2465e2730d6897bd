"""Stops the workloads when Sentinels goes down; their jobs are queued again at the next ``up``.

Comes in: the data folder, with no function running any more. Goes out: no workload runs; each left
its exit record, which the next dispatch pass reads as "evicted". Next: ``clusters/local``.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress

from sentinels.clusters.local.cluster import LocalCluster
from sentinels.core.job import Reason
from sentinels.core.observation import Pending, Running
from sentinels.core.ports import Cluster
from sentinels.core.workload import WorkloadRef
from sentinels.local.home import Home
from sentinels.local.status_lines import StatusLines

_GONE_SECONDS = 45.0
_BEGIN_SECONDS = 5.0
"""How long a workload may take to begin: after that, its runner was never started."""

_POLL_SECONDS = 0.1
_COUNT_FILE = "evicted"

_Kinds = tuple[type[Pending] | type[Running], ...]
_LIVE: _Kinds = (Pending, Running)


def evict_workloads(home: Home, lines: StatusLines) -> int:
    """Return how many workloads were stopped, when they are gone; say so."""
    cluster = LocalCluster(home.path)
    found = left = _live(cluster, cluster.held(), _LIVE)
    for ref in found:
        cluster.stop(ref, why=Reason.EVICTED)
    began = time.monotonic()
    while left and (waited := time.monotonic() - began) < _GONE_SECONDS:
        time.sleep(_POLL_SECONDS)
        left = _live(cluster, left, _LIVE if waited < _BEGIN_SECONDS else (Running,))
    stopped = len(found) - len(left)
    (home.path / _COUNT_FILE).write_text(str(stopped))
    _say(stopped, lines)
    for ref in left:
        lines.note(f"{ref.name} was told to end and still runs")
    return len(found)


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


def _live(cluster: Cluster, refs: Collection[WorkloadRef], kinds: _Kinds) -> list[WorkloadRef]:
    seen = cluster.observe(sorted(refs, key=lambda ref: ref.name))
    return [ref for ref, found in seen.items() if isinstance(found, kinds)]
