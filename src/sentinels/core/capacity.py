"""What a job asks for and what is free where.

Comes in: a cluster's snapshot and the requests of live attempts. Goes out: nodes with what is free
on each, decremented while jobs are placed. Next: ``planning``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Resources:
    """A request, or an amount: CPU in thousandths of a core, memory in bytes, whole GPUs."""

    cpu_millis: int = 0
    memory_bytes: int = 0
    gpus: int = 0
    gpu_type: str | None = None
    """Which GPUs; None takes any."""


@dataclass(frozen=True, slots=True)
class Node:
    """One machine: what it offers to jobs in all, and what each workload of ours on it holds.

    ``foreign`` is what others than Sentinels use of it. ``ready`` is False for a node that must not
    be given new work (cordoned, not ready).
    """

    name: str
    allocatable: Resources
    foreign: Resources = Resources()
    workloads: Mapping[str, Resources] = field(default_factory=dict)
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a cluster reported at one moment."""

    nodes: Sequence[Node]
