"""Settle a job on a hint, and deliver what is due.

Comes in: the identity of a workload that may have ended, or a tick. Goes out: moved jobs, sent
notices, closed tracker runs. Before: ``functions/notify``. Next: ``settling``, ``delivering``.
"""

from __future__ import annotations

from dataclasses import dataclass

from sentinels.core.delivering import DeliverPorts
from sentinels.core.delivering import deliver_due as deliver
from sentinels.core.ports import Events
from sentinels.core.settling import SettlePorts, settle_jobs
from sentinels.core.workload import WorkloadRef


@dataclass(frozen=True, slots=True)
class NotifyPorts:
    """What notify stands on."""

    settle: SettlePorts
    deliver: DeliverPorts
    events: Events


def workload_changed(ports: NotifyPorts, ref: WorkloadRef) -> None:
    """Something happened to this workload: look, move its job, tell who is to be told."""
    settled = settle_jobs(ports.settle, [ref.job_id])
    if settled.moved:
        ports.events.queue_changed()
    deliver(ports.deliver)


def deliver_due(ports: NotifyPorts) -> int:
    """Deliver what is due, up to a bound; how many deliveries arrived."""
    return deliver(ports.deliver)
