"""Everything that people and programs can be told by, and what the administrator decided of it.

Comes in: ``Settings``. Goes out: a ``Messenger`` for each service that is set up, ``NoticeRules``.
Before: ``functions/wiring``. Next: ``slack``, ``smtp``, ``webhooks``.
"""

from __future__ import annotations

from collections.abc import Mapping

from sentinels.core.address import Service, canonical, read_addresses, service_of, unknown_webhooks
from sentinels.core.audience import NoticeRules
from sentinels.core.errors import Fault, InvalidRequest
from sentinels.core.faults import Faults
from sentinels.core.ports import Messenger
from sentinels.services.slack import messenger_from
from sentinels.services.smtp import mail_from
from sentinels.services.webhooks import webhooks_from
from sentinels.settings import Settings

BURST_SECONDS = 1.5
"""What ends within this is told together."""


def messengers_from(settings: Settings) -> Mapping[Service, Messenger]:
    """What the settings name; none of it connects. Raises ``InvalidRequest``."""
    found: dict[Service, Messenger | None] = {
        Service.SLACK: messenger_from(settings),
        Service.MAIL: mail_from(settings),
        Service.WEBHOOK: webhooks_from(settings),
    }
    return {service: messenger for service, messenger in found.items() if messenger is not None}


def webhook_names(settings: Settings) -> tuple[str, ...]:
    """The webhooks that users can name. Raises ``InvalidRequest``."""
    webhooks = webhooks_from(settings)
    return webhooks.names if webhooks else ()


def rules_from(settings: Settings) -> NoticeRules:
    """What the administrator decided. Raises ``InvalidRequest``; a messenger that is set up wrongly
    is told where it is used.
    """
    chat = settings.slack_token.strip() or settings.slack_webhook.strip()
    anything = chat or settings.smtp_url.strip() or settings.webhooks.strip()
    return NoticeRules(
        default=canonical(settings.slack_channel),
        oncall=_oncall(settings),
        one_channel=bool(chat) and not settings.slack_token.strip(),
        delay_seconds=BURST_SECONDS if anything else 0.0,
        long_wait_seconds=settings.long_wait_seconds,
    )


def _oncall(settings: Settings) -> tuple[str, ...]:
    words = [word.strip() for word in settings.oncall.split(",") if word.strip()]
    if not words:
        return ()
    faults = Faults()
    to = read_addresses(faults, "SENTINELS_ONCALL", words)
    found: list[Fault] = [*faults.found]
    if any(service_of(address) is Service.WEBHOOK for address in to):
        found += unknown_webhooks("SENTINELS_ONCALL", to, webhook_names(settings))
    if found:
        raise InvalidRequest("; ".join(map(str, found)), remedy="correct SENTINELS_ONCALL")
    return to
