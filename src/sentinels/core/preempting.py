"""Who is asked to leave so that a more urgent job can start.

Pure. Only where the policy lets the job's class ask, only jobs of lower classes that it lets be
asked, and only as many as make room: on the node where the least urgent are asked, then the fewest,
then those that lose least time. Comes in: a job that fits nowhere, the nodes with their tenants.
Goes out: a ``Clearance``, or None. Before: ``planning``. Next: ``dispatching``, which asks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sentinels.core.capacity import FreeNode, Resources, Tenant, add, fits, suits
from sentinels.core.job import JobId
from sentinels.core.policy import Policy


@dataclass(frozen=True, slots=True)
class Clearance:
    """A node that is cleared for a job; ``asked`` are those who are asked to leave it now. Empty:
    enough of them were asked before.
    """

    node: str
    job_id: JobId
    asked: tuple[Tenant, ...]


def clearance(
    nodes: Sequence[FreeNode],
    job_id: JobId,
    request: Resources,
    priority: int,
    policy: Policy,
    now: datetime,
) -> Clearance | None:
    """Where to make room for a job, and by whom; None where nobody may be asked."""
    if policy.class_name(priority) not in policy.preemption.by:
        return None
    found = [
        (cost(asked, now), node.name, asked)
        for node in nodes
        if (asked := _fewest(node, request, priority, policy, now)) is not None
    ]
    if not found:
        return None
    _, name, asked = min(found, key=lambda each: each[:2])
    return Clearance(name, job_id, asked)


def cost(asked: Sequence[Tenant], now: datetime) -> tuple[int, int, float]:
    """How bad it is to ask these: the highest class among them, how many, the time they lose."""
    lost = sum((now - each.started_at).total_seconds() for each in asked if each.started_at)
    return max((each.priority for each in asked), default=0), len(asked), lost


def _fewest(
    node: FreeNode, request: Resources, priority: int, policy: Policy, now: datetime
) -> tuple[Tenant, ...] | None:
    """Who must leave the node at least; None where it is not enough if all do that may be asked."""
    free = node.free
    for tenant in node.tenants:
        free = add(free, tenant.held) if tenant.leaves_for is not None else free
    if not suits(request, node.allocatable):
        return None
    asked: list[Tenant] = []
    for tenant in _askable(node, priority, policy, now):
        if _fits_on(node, request, free):
            break
        free = add(free, tenant.held)
        asked.append(tenant)
    return _spared(asked, node, request, free) if _fits_on(node, request, free) else None


def _askable(node: FreeNode, priority: int, policy: Policy, now: datetime) -> list[Tenant]:
    """The least urgent first, of these those that began last."""
    may = [
        tenant
        for tenant in node.tenants
        if tenant.leaves_for is None
        and policy.may_preempt(priority, tenant.priority)
        and tenant.started_at is not None
        and (now - tenant.started_at).total_seconds() >= policy.preemption.spare_seconds
    ]
    return sorted(may, key=lambda each: (each.priority, _age(each, now), each.job_id))


def _spared(
    asked: Sequence[Tenant], node: FreeNode, request: Resources, free: Resources
) -> tuple[Tenant, ...]:
    """Without those whose leaving makes no difference, the most urgent spared first."""
    kept = list(asked)
    for tenant in reversed(asked):
        without = Resources(
            free.cpu_millis - tenant.held.cpu_millis,
            free.memory_bytes - tenant.held.memory_bytes,
            free.gpus - tenant.held.gpus,
        )
        if _fits_on(node, request, without):
            kept.remove(tenant)
            free = without
    return tuple(kept)


def _fits_on(node: FreeNode, request: Resources, free: Resources) -> bool:
    typed = Resources(free.cpu_millis, free.memory_bytes, free.gpus, node.allocatable.gpu_type)
    return fits(request, typed)


def _age(tenant: Tenant, now: datetime) -> float:
    return (now - tenant.started_at).total_seconds() if tenant.started_at else 0.0
