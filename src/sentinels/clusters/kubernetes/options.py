"""What an administrator decides about workloads on Kubernetes.

Comes in: ``functions/wiring``, from the settings. Goes out: to ``manifest``, ``capacity`` and
``translation``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Toleration:
    """A taint that workloads tolerate; an empty value tolerates any, an empty effect every one."""

    key: str
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds after which a pod that cannot start is given up; see ``Settings`` for each."""

    image_missing: float = 30.0
    registry: float = 900.0
    config_missing: float = 60.0
    uncreated: float = 60.0
    unplaced: float = 300.0
    unready: float = 300.0
    node_lost: float = 300.0


@dataclass(frozen=True, slots=True)
class Options:
    """What every workload of this cluster is given, and how long it may get stuck."""

    namespace_prefix: str = "sen-"
    sidecar_image: str = ""
    data_claim: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Toleration] = ()
    gpu_type_label: str = "sentinels.dev/gpu-type"
    pod_security: str = "restricted"
    grace_seconds: float = 120.0
    keep_finished_seconds: float = 21600.0
    deadlines: Deadlines = Deadlines()
