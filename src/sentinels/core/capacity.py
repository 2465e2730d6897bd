"""What a job asks for and what is free where.

Comes in: a cluster's snapshot and the requests of live attempts. Goes out: nodes with what is free
on each, decremented while jobs are placed. Next: ``planning``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from sentinels.core.errors import Fault
from sentinels.core.quantity import format_cpu


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
    be given new work (cordoned, not ready, tainted); ``detail`` says why. ``slots`` is how many
    more workloads it takes whatever they ask for (pods, scratch space); None: no such limit.
    ``architecture`` is its processors', as in amd64; empty: not known.
    """

    name: str
    allocatable: Resources
    foreign: Resources = Resources()
    workloads: Mapping[str, Resources] = field(default_factory=dict)
    ready: bool = True
    detail: str = ""
    slots: int | None = None
    architecture: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a cluster reported at one moment."""

    nodes: Sequence[Node]


@dataclass(frozen=True, slots=True)
class Tenant:
    """A live attempt of ours on a node, and what it holds there.

    ``ends_by`` is when its time limit ends it at the latest; None: nothing does. ``leaves_for`` is
    the job for which it was asked to leave.
    """

    job_id: int
    attempt: int
    held: Resources
    priority: int = 0
    started_at: datetime | None = None
    ends_by: datetime | None = None
    leaves_for: int | None = None


@dataclass(frozen=True, slots=True)
class FreeNode:
    """A ready node. ``free`` is what a new job may take now, ``room`` what is left to jobs of ours
    once none of them is on it (others' use taken off), ``allocatable`` what it offers in all.
    ``slots`` is how many more workloads it takes; None: as many as fit. ``tenants`` are the
    attempts of ours that it reports, or that are expected there.
    """

    name: str
    free: Resources
    room: Resources
    allocatable: Resources
    slots: int | None = None
    tenants: tuple[Tenant, ...] = ()

    def less(self, taken: Resources) -> FreeNode:
        """The same node with one workload more, and this much less free."""
        slots = None if self.slots is None else max(0, self.slots - 1)
        return replace(self, free=subtract(self.free, taken), slots=slots)

    def takes(self, request: Resources) -> bool:
        """Whether one more workload with this request fits now."""
        return self.slots != 0 and fits(request, self.free)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource: its key in a config, its key in facts, its amount and its words.

    ``asked`` words a request and rounds up, ``there`` words what a node has and rounds down: a
    request never reads as if it were met when it is not.
    """

    key: str
    fact: str
    amount: Callable[[Resources], int]
    asked: Callable[[Resources], str]
    there: Callable[[Resources], str]
    noun: Callable[[Resources], str]

    def words(self, request: Resources) -> str:
        """What is asked for, for people: "2 CPUs", "8Gi of memory", "1 a100 GPU"."""
        return f"{self.asked(request)} {self.noun(request)}"


def _cpus(amount: Resources) -> str:
    return format_cpu(amount.cpu_millis)


def _cpu_noun(amount: Resources) -> str:
    return "CPU" if amount.cpu_millis == 1000 else "CPUs"


def _memory_up(amount: Resources) -> str:
    return _tenths(amount.memory_bytes, up=True)


def _memory_down(amount: Resources) -> str:
    return _tenths(amount.memory_bytes, up=False)


def _memory_noun(_: Resources) -> str:
    return "of memory"


def _gpus(amount: Resources) -> str:
    return str(amount.gpus)


def _gpu_noun(amount: Resources) -> str:
    noun = "GPU" if amount.gpus == 1 else "GPUs"
    return f"{amount.gpu_type} {noun}" if amount.gpu_type else noun


def _tenths(size: int, *, up: bool) -> str:
    for power, unit in ((40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")):
        if size >= 1 << power:
            tenths = -(-size * 10 >> power) if up else size * 10 >> power
            return f"{tenths / 10:g}{unit}"
    return str(size)


CPU = Kind("cpu", "cpu_millis", lambda held: held.cpu_millis, _cpus, _cpus, _cpu_noun)
MEMORY = Kind(
    "memory",
    "memory_bytes",
    lambda held: held.memory_bytes,
    _memory_up,
    _memory_down,
    _memory_noun,
)
GPU = Kind("gpu", "gpus", lambda held: held.gpus, _gpus, _gpus, _gpu_noun)
KINDS = (CPU, MEMORY, GPU)


def add(one: Resources, other: Resources) -> Resources:
    """The sum; its GPU type is the one that both have, else none."""
    return Resources(
        one.cpu_millis + other.cpu_millis,
        one.memory_bytes + other.memory_bytes,
        one.gpus + other.gpus,
        one.gpu_type if one.gpu_type == other.gpu_type else None,
    )


def subtract(amount: Resources, taken: Resources) -> Resources:
    """What is left of ``amount``, of its GPU type; no kind falls below zero."""
    return Resources(
        max(0, amount.cpu_millis - taken.cpu_millis),
        max(0, amount.memory_bytes - taken.memory_bytes),
        max(0, amount.gpus - taken.gpus),
        amount.gpu_type,
    )


def suits(request: Resources, offer: Resources) -> bool:
    """Whether the GPU type is right: a request without one takes any."""
    return request.gpu_type is None or request.gpu_type == offer.gpu_type


def kept_away(
    avoids: frozenset[str], request: Resources, nodes: Iterable[tuple[str, Resources]]
) -> frozenset[str]:
    """The nodes that a request keeps away from; none where no other could ever hold it: a job that
    avoids every node would wait for ever.
    """
    if avoids and any(name not in avoids and fits(request, whole) for name, whole in nodes):
        return avoids
    return frozenset()


def fits(request: Resources, free: Resources) -> bool:
    """Whether the request can be met from ``free`` of one node."""
    return (
        request.cpu_millis <= free.cpu_millis
        and request.memory_bytes <= free.memory_bytes
        and request.gpus <= free.gpus
        and (request.gpu_type is None or request.gpu_type == free.gpu_type)
    )


def coverage(request: Resources, free: Resources) -> float:
    """Which part of the request ``free`` covers, by the kind it covers least; infinite for nothing.

    The GPU type is not looked at.
    """
    least = math.inf
    if request.cpu_millis:
        least = free.cpu_millis / request.cpu_millis
    if request.memory_bytes:
        least = min(least, free.memory_bytes / request.memory_bytes)
    if request.gpus:
        least = min(least, free.gpus / request.gpus)
    return least


def free_nodes(
    snapshot: Snapshot,
    *,
    in_flight: Mapping[str, Resources],
    tenants: Mapping[str, Tenant] = MappingProxyType({}),
) -> list[FreeNode]:
    """The ready nodes in the snapshot's order, with what is free on each.

    ``tenants`` says more of workloads that nodes report, by their names.

    ``in_flight`` are the live attempts, by workload name. One that a node reports is counted there,
    ready or not. Each other one is about to appear somewhere: it is reserved first fit, the largest
    first, so that the next pass does not give its place away. One that fits nowhere is taken off
    the nodes that suit it, the freest first, until all of it is accounted for; this may hold back
    more than it will use, never less. One too large for every ready node reserves nothing.
    """
    nodes = [_free_node(node, tenants) for node in snapshot.nodes if node.ready]
    seen = {name for node in snapshot.nodes for name in node.workloads}
    unseen = [(request, name) for name, request in in_flight.items() if name not in seen]
    whole = total(node.allocatable for node in nodes)
    for request, name in sorted(unseen, key=lambda each: coverage(each[0], whole)):
        _reserve(nodes, request, tenants.get(name))
    return nodes


def total(amounts: Iterable[Resources]) -> Resources:
    """The sum of all, of no GPU type."""
    result = Resources()
    for amount in amounts:
        result = add(result, amount)
    return result


def _free_node(node: Node, tenants: Mapping[str, Tenant]) -> FreeNode:
    room = subtract(node.allocatable, node.foreign)
    # The sum first: what overcommits one kind must not vanish in a floor on the way.
    used = add(node.foreign, total(node.workloads.values()))
    free = subtract(node.allocatable, used)
    known = tuple(tenants[name] for name in node.workloads if name in tenants)
    return FreeNode(node.name, free, room, node.allocatable, node.slots, known)


def _reserve(nodes: list[FreeNode], request: Resources, tenant: Tenant | None) -> None:
    for index, node in enumerate(nodes):
        if node.takes(request):
            known = (*node.tenants, tenant) if tenant is not None else node.tenants
            nodes[index] = replace(node.less(request), tenants=known)
            return
    if any(fits(request, node.allocatable) for node in nodes):
        _spread(nodes, request)


def _spread(nodes: list[FreeNode], request: Resources) -> None:
    suited = [index for index, node in enumerate(nodes) if suits(request, node.free)]
    for index in sorted(suited, key=lambda each: -coverage(request, nodes[each].free)):
        before = nodes[index]
        nodes[index] = before.less(request)
        request = subtract(request, before.free)


def largest_fit_faults(request: Resources, nodes: Sequence[Node]) -> list[Fault]:
    """What no node could ever give, ready or not; nothing while no node is known."""
    if not nodes or any(fits(request, node.allocatable) for node in nodes):
        return []
    suited = [node for node in nodes if suits(request, node.allocatable)]
    if not suited:
        return [_type_fault(request, nodes)]
    faults = [fault for kind in KINDS for fault in _kind_faults(kind, request, suited)]
    return faults or [_together_fault(request, suited)]


def _type_fault(request: Resources, nodes: Sequence[Node]) -> Fault:
    types = sorted({node.allocatable.gpu_type for node in nodes if node.allocatable.gpu_type})
    has = f"there are: {', '.join(types)}" if types else "none is known"
    return Fault(
        "resources.gpu_type",
        f"no node has GPUs of this type; {has}",
        value=request.gpu_type,
        remedy="leave it out to take any GPU",
    )


def _kind_faults(kind: Kind, request: Resources, nodes: Sequence[Node]) -> list[Fault]:
    largest = max(nodes, key=lambda node: kind.amount(node.allocatable))
    if kind.amount(request) <= kind.amount(largest.allocatable):
        return []
    most = kind.there(largest.allocatable)
    return [
        Fault(
            f"resources.{kind.key}",
            f"{kind.words(request)}; the largest node ({largest.name}) has {most}",
            value=kind.asked(request),
            remedy=f"ask for at most {most}",
        )
    ]


def _together_fault(request: Resources, nodes: Sequence[Node]) -> Fault:
    closest = max(nodes, key=lambda node: coverage(request, node.allocatable))
    asked = [kind for kind in KINDS if kind.amount(request)]
    wanted = " and ".join(kind.words(request) for kind in asked)
    offered = " and ".join(
        f"{kind.there(closest.allocatable)} {kind.noun(closest.allocatable)}" for kind in asked
    )
    return Fault(
        "resources",
        f"no single node has {wanted}; the closest ({closest.name}) has {offered}",
        remedy="ask for less of one of them",
    )
