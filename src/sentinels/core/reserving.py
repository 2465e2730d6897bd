"""A node kept free for a job that waits too long, and what may use it without delaying that job.

Pure. A job may go onto a kept node where it has certainly ended before the kept job could start, or
where both fit beside each other then. Only time limits are certain: where something without one
must end first, nobody knows when, and nothing is let on. Comes in: a node with its tenants, the
job it is kept for. Goes out: a ``Reservation``. Before: ``planning``. Next: ``capacity``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sentinels.core.capacity import FreeNode, Resources, Tenant, add, fits, subtract, total
from sentinels.core.job import JobId

MARGIN_SECONDS = 120
"""What lies between a launch and the start of its program, and between its limit and its end."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A node that is kept for a job.

    ``starts_by`` is when the job fits at the latest; None: nobody knows. ``free_then`` is what is
    free on the node at that time, before the job takes its part.
    """

    job_id: JobId
    request: Resources
    starts_by: datetime | None
    free_then: Resources

    def lets_on(self, request: Resources, time_limit: int | None, now: datetime) -> bool:
        """Whether a job that fits now may start on the node without delaying the one it is for."""
        return self._has_ended(time_limit, now) or self._fits_beside(request)

    def with_guest(self, request: Resources, time_limit: int | None, now: datetime) -> Reservation:
        """The same after such a job was let on."""
        if self._has_ended(time_limit, now):
            return self
        return replace(self, free_then=subtract(self.free_then, request))

    def _has_ended(self, time_limit: int | None, now: datetime) -> bool:
        if time_limit is None or self.starts_by is None:
            return False
        return now + timedelta(seconds=time_limit + MARGIN_SECONDS) <= self.starts_by

    def _fits_beside(self, request: Resources) -> bool:
        if self.starts_by is None:
            return False
        return fits(add(self.request, request), _untyped(self.free_then, self.request))


def reservation(node: FreeNode, job_id: JobId, request: Resources) -> Reservation:
    """Keep the node for a job that does not fit now but would if it were empty of ours."""
    free = node.free
    for at, freed in _releases(node):
        free = add(free, freed)
        if fits(request, _typed(free, node)):
            return Reservation(job_id, request, at, _typed(free, node))
    return Reservation(job_id, request, None, _typed(node.room, node))


def cleared(
    node: FreeNode, job_id: JobId, request: Resources, leaving: Sequence[Tenant], now: datetime
) -> Reservation:
    """Keep the node for a job that starts as soon as these have left: only what fits beside it is
    let on, however soon that ends.
    """
    gone = [each.held for each in node.tenants if each in leaving or each.leaves_for is not None]
    return Reservation(job_id, request, now, _typed(add(node.free, total(gone)), node))


def _releases(node: FreeNode) -> Iterator[tuple[datetime, Resources]]:
    """What becomes free and when at the latest, in the order of time."""
    freed: dict[datetime, list[Resources]] = defaultdict(list)
    for tenant in node.tenants:
        if tenant.ends_by is not None:
            freed[tenant.ends_by].append(tenant.held)
    for at in sorted(freed):
        yield at, freed[at][0] if len(freed[at]) == 1 else total(freed[at])


def _typed(amount: Resources, node: FreeNode) -> Resources:
    # Built anew and not replaced, which takes three times as long: a plan does it very often.
    held = amount.cpu_millis, amount.memory_bytes, amount.gpus
    return Resources(*held, node.allocatable.gpu_type)


def _untyped(amount: Resources, like: Resources) -> Resources:
    return replace(amount, gpu_type=like.gpu_type)
