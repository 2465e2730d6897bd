"""Settle a job on a hint, deliver what is due, and tell people.

Comes in: the identity of a workload that may have ended, or a tick. Goes out: moved jobs, closed
tracker runs, told people. Before: ``functions/notify``. Next: ``settling``, ``delivering``,
``telling``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sentinels.core.delivering import DeliverPorts
from sentinels.core.delivering import deliver_due as deliver
from sentinels.core.ports import Events
from sentinels.core.settling import SettlePorts, settle_jobs
from sentinels.core.workload import WorkloadRef


@dataclass(frozen=True, slots=True)
class NotifyPorts:
    """What notify stands on. ``tell`` tells people what is due, and says how much arrived;
    ``tell_soon`` has it done and does not wait, since telling does wait for bursts to end.
    """

    settle: SettlePorts
    deliver: DeliverPorts
    tell: Callable[[], int]
    tell_soon: Callable[[], None]
    events: Events


def workload_changed(ports: NotifyPorts, ref: WorkloadRef) -> None:
    """Something happened to this workload: look, move its job, have told who is to be told."""
    settled = settle_jobs(ports.settle, [ref.job_id])
    if settled.moved:
        ports.events.queue_changed()
    deliver(ports.deliver)
    ports.tell_soon()


def deliver_due(ports: NotifyPorts) -> int:
    """Deliver and tell what is due, up to a bound; how many deliveries arrived."""
    return deliver(ports.deliver) + ports.tell()
