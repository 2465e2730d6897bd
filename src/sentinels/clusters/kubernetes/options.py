"""What an administrator decides about workloads on Kubernetes.

Comes in: the settings. Goes out: ``Options``, or every fault of them at once. Before:
``functions/sites``. Next: ``manifest``, ``capacity``, ``waiting``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sentinels.core.errors import InvalidRequest
from sentinels.settings import Settings


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


_POD_SECURITY = ("restricted", "baseline")


def options_from(settings: Settings) -> Options:
    """The options that the settings mean. Raises ``InvalidRequest`` that names every fault."""
    faults: list[str] = []
    if settings.pod_security not in _POD_SECURITY:
        faults.append(
            f"SENTINELS_POD_SECURITY={settings.pod_security!r}: it is restricted or baseline"
        )
    options = Options(
        namespace_prefix=settings.namespace_prefix,
        sidecar_image=settings.sidecar_image,
        data_claim=settings.data_claim,
        node_selector=_node_selector(settings.node_selector, faults),
        tolerations=_tolerations(settings.tolerations, faults),
        gpu_type_label=settings.gpu_type_label,
        pod_security=settings.pod_security,
        grace_seconds=settings.grace_seconds,
        keep_finished_seconds=settings.keep_finished_seconds,
        deadlines=Deadlines(
            image_missing=settings.image_missing_seconds,
            registry=settings.registry_seconds,
            config_missing=settings.config_missing_seconds,
            uncreated=settings.uncreated_seconds,
            unplaced=settings.unplaced_seconds,
            unready=settings.unready_seconds,
            node_lost=settings.node_lost_seconds,
        ),
    )
    if faults:
        raise InvalidRequest("; ".join(faults), remedy="correct the environment and start again")
    return options


def _node_selector(text: str, faults: list[str]) -> dict[str, str]:
    pairs = [word.strip().partition("=") for word in text.split(",") if word.strip()]
    for name, equals, value in pairs:
        if not (name and equals and value):
            faults.append(f"SENTINELS_NODE_SELECTOR: {name!r} is not of the form name=value")
    return {name: value for name, _, value in pairs}


def _tolerations(text: str, faults: list[str]) -> tuple[Toleration, ...]:
    found = []
    for word in filter(None, map(str.strip, text.split(","))):
        taint, _, effect = word.partition(":")
        key, _, value = taint.partition("=")
        if not key or effect not in ("", "NoSchedule", "PreferNoSchedule", "NoExecute"):
            faults.append(f"SENTINELS_TOLERATIONS: {word!r} is not of the form key=value:Effect")
        found.append(Toleration(key, value, effect))
    return tuple(found)
