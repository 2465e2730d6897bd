"""Nodes and pods as the API lists them, turned into what is free where.

Pure. A pod counts on its node until it has succeeded or failed, also while it is terminating; one
that waits counts on the node that the scheduler has named for it. Comes in: lists as JSON, the
administrator's options. Goes out: a ``Snapshot``. Before: ``cluster``. Next: ``core/capacity``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from sentinels.clusters.kubernetes.manifest import SCRATCH_BYTES
from sentinels.clusters.kubernetes.names import at, ref_of, rows, text_at
from sentinels.clusters.kubernetes.options import Options, Toleration
from sentinels.clusters.kubernetes.requests import SCRATCH, amounts, pod_requests, resources_of
from sentinels.core.capacity import Node, Resources, Snapshot, total
from sentinels.core.ports import Json
from sentinels.core.workload import WorkloadRef

NODES_PATH = "/api/v1/nodes"
PODS_PATH = "/api/v1/pods"
LIVE_PODS = "status.phase!=Succeeded,status.phase!=Failed"
"""Pods that hold something of a node."""

_GPU_LABELS = (
    "nvidia.com/gpu.product",
    "amd.com/gpu.product-name",
    "cloud.google.com/gke-accelerator",
    "k8s.amazonaws.com/accelerator",
    "accelerator",
)
"""Where vendors and clouds name the type of a node's GPUs."""
_MAKERS = re.compile(r"^(nvidia|amd|tesla|instinct|geforce|radeon|rtx)$")
_BLOCKING = frozenset({"NoSchedule", "NoExecute"})
_OWN_TAINTS = {
    "node.kubernetes.io/unschedulable": "cordoned",
    "node.kubernetes.io/not-ready": "not ready",
    "node.kubernetes.io/unreachable": "not ready: it is silent",
    "node.kubernetes.io/disk-pressure": "short of disk",
    "node.kubernetes.io/memory-pressure": "short of memory",
    "node.kubernetes.io/pid-pressure": "short of process ids",
    "node.kubernetes.io/network-unavailable": "not ready: no network",
}
"""Taints that Kubernetes itself sets, in words."""


def snapshot_of(
    nodes: Sequence[Mapping[str, Json]], pods: Iterable[Mapping[str, Json]], options: Options
) -> Snapshot:
    """What every node offers, and what is on it."""
    placed: dict[str, list[Mapping[str, Json]]] = defaultdict(list)
    for pod in pods:
        node = text_at(pod, "spec", "nodeName") or text_at(pod, "status", "nominatedNodeName")
        if node and text_at(pod, "status", "phase") not in ("Succeeded", "Failed"):
            placed[node].append(pod)
    return Snapshot(
        [_node(node, placed[text_at(node, "metadata", "name")], options) for node in nodes]
    )


def gpu_type_of(node: Json, options: Options) -> str | None:
    """The type of a node's GPUs in a short word, as in ``a100``; None where nothing names it."""
    labels = at(node, "metadata", "labels")
    own = text_at(labels, options.gpu_type_label)
    if own:
        return own.lower()
    return next((_short(text_at(labels, key)) for key in _GPU_LABELS if text_at(labels, key)), None)


def gpu_labels(
    nodes: Iterable[Json], gpu_type: str | None, options: Options
) -> dict[str, list[str]]:
    """The node labels and values that mean this type; nothing where any type will do."""
    if gpu_type is None:
        return {}
    meaning: dict[str, set[str]] = defaultdict(set)
    for node in nodes:
        if gpu_type_of(node, options) != gpu_type:
            continue
        labels = at(node, "metadata", "labels")
        for key in (options.gpu_type_label, *_GPU_LABELS):
            if value := text_at(labels, key):
                meaning[key].add(value)
                break
    return {key: sorted(values) for key, values in meaning.items()} or {
        options.gpu_type_label: [gpu_type]
    }


def _short(product: str) -> str:
    words = re.split(r"[-_ ]+", product.lower())
    return next((word for word in words if word and not _MAKERS.match(word)), product.lower())


def _node(node: Json, pods: Sequence[Json], options: Options) -> Node:
    offered = amounts(at(node, "status", "allocatable"))
    gpu_type = gpu_type_of(node, options)
    workloads: dict[str, Resources] = {}
    foreign: list[Resources] = []
    scratch = Decimal(0)
    for pod in pods:
        held = pod_requests(pod)
        scratch += held.get(SCRATCH, Decimal(0))
        ref = _ours(pod, options)
        if ref is None or ref.name in workloads:
            foreign.append(resources_of(held, gpu_type))
        else:
            workloads[ref.name] = resources_of(held, gpu_type)
    why_not = _why_not(node, options)
    return Node(
        name=text_at(node, "metadata", "name"),
        allocatable=resources_of(offered, gpu_type),
        foreign=total(foreign),
        workloads=workloads,
        ready=not why_not,
        detail=why_not,
        slots=_slots(offered, len(pods), scratch),
        architecture=text_at(node, "status", "nodeInfo", "architecture"),
    )


def _ours(pod: Json, options: Options) -> WorkloadRef | None:
    """Another installation on the same cluster has another prefix, and the same numbers."""
    if not text_at(pod, "metadata", "namespace").startswith(options.namespace_prefix):
        return None
    return ref_of(at(pod, "metadata", "labels"))


def _slots(offered: Mapping[str, Decimal], pods: int, scratch: Decimal) -> int | None:
    """How many pods more the node takes, by their count and by its scratch space."""
    limits = []
    if "pods" in offered:
        limits.append(int(offered["pods"]) - pods)
    if SCRATCH in offered:
        limits.append(int((offered[SCRATCH] - scratch) // SCRATCH_BYTES))
    return max(0, min(limits)) if limits else None


def _why_not(node: Json, options: Options) -> str:
    """Why the node takes nothing of ours; empty where it does."""
    if at(node, "spec", "unschedulable") is True:
        return "cordoned"
    if not is_ready(node):
        return "not ready"
    for taint in rows(node, "spec", "taints"):
        if text_at(taint, "effect") in _BLOCKING and not _tolerated(taint, options.tolerations):
            return _taint_words(taint)
    labels = at(node, "metadata", "labels")
    missing = [
        f"{name}={value}"
        for name, value in options.node_selector.items()
        if text_at(labels, name) != value
    ]
    return f"without label {', '.join(missing)}" if missing else ""


def is_ready(node: Json) -> bool:
    """Whether the node's kubelet says that it takes pods."""
    return any(
        text_at(condition, "type") == "Ready" and text_at(condition, "status") == "True"
        for condition in rows(node, "status", "conditions")
    )


def _tolerated(taint: Json, tolerations: Sequence[Toleration]) -> bool:
    return any(
        each.key == text_at(taint, "key")
        and each.value in ("", text_at(taint, "value"))
        and each.effect in ("", text_at(taint, "effect"))
        for each in tolerations
    )


def _taint_words(taint: Json) -> str:
    key, value = text_at(taint, "key"), text_at(taint, "value")
    if key in _OWN_TAINTS:
        return _OWN_TAINTS[key]
    return f"taint {key}{f'={value}' if value else ''}:{text_at(taint, 'effect')}"
