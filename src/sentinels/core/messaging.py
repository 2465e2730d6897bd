"""Bring notices to people.

Comes in: a delivery to the messenger. Goes out: a sent message. Before: ``delivering``. Next: the
``Messenger`` port, ``services/slack``.
"""

from __future__ import annotations

from dataclasses import dataclass

from sentinels.core.ports import Failpoint, Messenger
from sentinels.core.queueing import DueDelivery


@dataclass(frozen=True, slots=True)
class MessageCourier:
    """Sends notices, where there is a messenger."""

    messenger: Messenger | None
    failpoint: Failpoint

    def deliver(self, due: DueDelivery) -> bool:
        """A ``delivering.Courier``. Raises ``MessengerUnavailable`` and ``MessageRefused``."""
        if self.messenger is None:
            return False
        self.messenger.send(channel=due.delivery.recipient, text=due.delivery.body)
        self.failpoint("notify.after_send")
        return True
