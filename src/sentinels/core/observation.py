"""What a cluster was seen doing with one workload.

Adapters translate their own words into these four; nothing of Kubernetes or of a process table goes
further. Comes in: what ``Cluster.observe`` returned. Goes out: see ``settling.verdict``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sentinels.core.job import Reason


@dataclass(frozen=True, slots=True)
class Usage:
    """What a workload used at most and in all; None where it was not measured."""

    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    peak_gpu_memory_bytes: int | None = None
    mean_gpu_percent: float | None = None
    peak_cpu_cores: float | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """The cluster knows no such workload: never created, or gone without a trace."""


@dataclass(frozen=True, slots=True)
class StopFor:
    """Why a workload must be ended although nobody asked for it: it can never start, has outlived
    its limit, or has lost what looks after it. ``message`` is for its owner.
    """

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Pending:
    """Created, not running yet. ``detail`` says what it waits for, as far as the cluster says.

    ``accepted`` is False while the cluster has not begun with it: too many of these, and it is
    given more than it takes.
    """

    uid: str
    detail: str = ""
    accepted: bool = True
    stop_for: StopFor | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """Its program was started and has not been seen to end."""

    uid: str
    started_at: datetime
    node: str | None = None
    stop_for: StopFor | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing of it runs any more. ``reason`` None is success.

    ``outputs_complete`` is False where what it left in its output folder has not all reached the
    tracker. ``evidence`` is kept with its dossier, as facts in the cluster's own words.
    """

    uid: str
    reason: Reason | None
    exit_code: int | None
    started_at: datetime | None
    finished_at: datetime
    message: str = ""
    node: str | None = None
    usage: Usage = Usage()
    outputs_complete: bool = True
    evidence: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


Observation = Absent | Pending | Running | Finished
