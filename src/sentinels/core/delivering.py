"""Bring the outbox's deliveries to where they go.

Comes in: due deliveries, and a courier for each of their channels. Goes out: each delivered, kept,
given up, or due again later. What does not answer is not asked again in the same round; what was
missed stays due. Before: ``notifying``. Next: the couriers: ``messaging``, ``recording``,
``filing``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sentinels.core.errors import (
    ClusterUnavailable,
    MessageRefused,
    NotYet,
    TrackerRefused,
    Unavailable,
)
from sentinels.core.ports import Failpoint
from sentinels.core.queueing import DueDelivery, Outbox

BATCH = 20
MAX_BATCHES = 25
LEASE_SECONDS = 120.0
MAX_TRIES = 200
"""With the longest wait of ten minutes between tries, more than a day."""

Courier = Callable[[DueDelivery], bool]
"""Brings one delivery; False: there is nobody to bring it to, it is kept to be read.

Raises ``MessageRefused`` for what will never be taken, ``ClusterUnavailable``, ``TrackerRefused``
and ``NotYet`` for trouble with this one, any other ``Unavailable`` where nothing gets through.
"""


@dataclass(frozen=True, slots=True)
class DeliverPorts:
    """What delivering stands on: a courier for each channel of the outbox."""

    outbox: Outbox
    couriers: Mapping[str, Courier]
    failpoint: Failpoint


@dataclass(slots=True)
class _Round:
    """One round of deliveries: which channels do not answer, and for how long to leave them."""

    delivered: int = 0
    silent: dict[str, Unavailable] = field(default_factory=dict)


def deliver_due(ports: DeliverPorts) -> int:
    """Deliver what is due, up to a bound; how many deliveries arrived."""
    round_ = _Round()
    for _ in range(MAX_BATCHES):
        due = ports.outbox.take_due(batch=BATCH, lease_seconds=LEASE_SECONDS)
        for delivery in due:
            _deliver(ports, delivery, round_)
        if len(due) < BATCH:
            break
    return round_.delivered


def _deliver(ports: DeliverPorts, due: DueDelivery, round_: _Round) -> None:
    channel = due.delivery.channel
    courier = ports.couriers.get(channel)
    try:
        if channel in round_.silent:
            raise round_.silent[channel]
        arrived = courier is not None and courier(due)
    except MessageRefused as refused:
        ports.outbox.failed(due.id, str(refused))
    except (ClusterUnavailable, TrackerRefused, NotYet) as trouble:
        _postpone(ports, due, trouble)
    except Unavailable as trouble:
        round_.silent[channel] = trouble
        _postpone(ports, due, trouble)
    else:
        if arrived:
            ports.outbox.delivered(due.id)
            ports.failpoint("notify.after_delivered")
            round_.delivered += 1
        else:
            ports.outbox.kept(due.id)


def _postpone(ports: DeliverPorts, due: DueDelivery, trouble: Unavailable) -> None:
    if due.tries >= MAX_TRIES:
        ports.outbox.failed(due.id, str(trouble))
        return
    wait = trouble.retry_after or min(2.0 ** min(due.tries, 10), 600.0)
    error = None if isinstance(trouble, NotYet) else str(trouble)
    ports.outbox.postpone(due.id, after_seconds=wait, error=error)
