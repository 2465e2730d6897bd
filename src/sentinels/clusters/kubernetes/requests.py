"""What a pod asks of its node, by Kubernetes's own published formula.

Pure. A port of ``PodRequests`` of k8s.io/component-helpers/resource (v0.36): the containers' sum
and the sidecars', at least what the init containers need in turn; while a pod is resized,
the largest of what was asked, allocated and actuated; pod-level requests in their place; plus the
overhead of its runtime. Comes in: pods as JSON. Goes out: amounts. Next: ``capacity``.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from sentinels.clusters.kubernetes.names import at, rows, text_at
from sentinels.core.capacity import Resources
from sentinels.core.ports import Json

Amounts = dict[str, Decimal]

SCRATCH = "ephemeral-storage"
_POD_LEVEL = ("cpu", "memory")
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]{0,2})")


@lru_cache(maxsize=4096)
def quantity(text: str) -> Decimal:
    """A Kubernetes quantity, as in ``500m``, ``2Gi``, ``1e3``; zero where it is none."""
    found = _QUANTITY.fullmatch(text.strip())
    try:
        number = Decimal(found.group(1)) if found else Decimal(0)
    except InvalidOperation:
        return Decimal(0)
    suffix = found.group(2) if found else ""
    if suffix in _BINARY:
        return number * (1 << _BINARY[suffix])
    return number.scaleb(_DECIMAL[suffix]) if suffix in _DECIMAL else Decimal(0)


def amounts(found: Json) -> Amounts:
    """A resource list as JSON has it."""
    if not isinstance(found, Mapping):
        return {}
    return {name: quantity(str(value)) for name, value in found.items()}


def resources_of(held: Mapping[str, Decimal], gpu_type: str | None = None) -> Resources:
    """Amounts in our words. Fractions count as a whole; ``*/gpu`` of every vendor are GPUs."""
    gpus = sum((value for name, value in held.items() if name.endswith("/gpu")), Decimal(0))
    return Resources(
        cpu_millis=_whole(held.get("cpu", Decimal(0)) * 1000),
        memory_bytes=_whole(held.get("memory", Decimal(0))),
        gpus=_whole(gpus),
        gpu_type=gpu_type if gpus else None,
    )


def _whole(value: Decimal) -> int:
    return math.ceil(value)


def pod_requests(pod: Json) -> Amounts:
    """What the pod holds of its node while it is there."""
    held = _container_requests(pod)
    for name, value in _resized(pod, at(pod, "spec"), at(pod, "status")).items():
        if name in _POD_LEVEL or name.startswith("hugepages-"):
            held[name] = value
    return _sum([held, amounts(at(pod, "spec", "overhead"))])


def _container_requests(pod: Json) -> Amounts:
    statuses = {
        text_at(status, "name"): status
        for kind in ("containerStatuses", "initContainerStatuses")
        for status in rows(pod, "status", kind)
    }

    def asked(container: Json) -> Amounts:
        return _resized(pod, container, statuses.get(text_at(container, "name")))

    held = _sum(map(asked, rows(pod, "spec", "containers")))
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in rows(pod, "spec", "initContainers"):
        if text_at(container, "restartPolicy") == "Always":
            sidecars = _sum([sidecars, asked(container)])
            starting = _most([starting, sidecars])
        else:
            plain = amounts(at(container, "resources", "requests"))
            starting = _most([starting, _sum([plain, sidecars])])
    return _most([_sum([held, sidecars]), starting])


def _resized(pod: Json, spec: Json, status: Json) -> Amounts:
    """What was asked; while it is being changed, the largest of the old and the new."""
    asked = amounts(at(spec, "resources", "requests"))
    actuated = at(status, "resources", "requests")
    if actuated is None:
        return asked
    there = _most([amounts(actuated), amounts(at(status, "allocatedResources"))])
    return there if _is_infeasible(pod) else _most([asked, there])


def _is_infeasible(pod: Json) -> bool:
    return any(
        text_at(condition, "type") == "PodResizePending"
        and text_at(condition, "reason") == "Infeasible"
        for condition in rows(pod, "status", "conditions")
    )


def _sum(parts: Iterable[Mapping[str, Decimal]]) -> Amounts:
    total: dict[str, Decimal] = defaultdict(Decimal)
    for part in parts:
        for name, value in part.items():
            total[name] += value
    return dict(total)


def _most(parts: Iterable[Mapping[str, Decimal]]) -> Amounts:
    most: Amounts = {}
    for part in parts:
        for name, value in part.items():
            most[name] = max(value, most.get(name, value))
    return most
