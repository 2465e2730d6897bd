"""Everything that people and programs can be told by, and what the administrator decided of it.

Comes in: ``Settings``. Goes out: a ``Messenger`` for each service that is set up, ``NoticeRules``.
Before: ``functions/wiring``. Next: ``slack``, ``smtp``, ``webhooks``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from sentinels.core.address import Service, canonical, read_addresses, service_of, unknown_webhooks
from sentinels.core.audience import NoticeRules
from sentinels.core.errors import Fault, InvalidRequest
from sentinels.core.faults import Faults
from sentinels.core.ports import Messenger
from sentinels.services.slack import messenger_from
from sentinels.services.smtp import mail_from
from sentinels.services.webhooks import Webhooks, webhooks_from
from sentinels.settings import Settings

_log = logging.getLogger(__name__)

BURST_SECONDS = 1.5
"""What ends within this is told together."""


_MAKERS: Mapping[Service, Callable[[Settings], Messenger | None]] = {
    Service.SLACK: messenger_from,
    Service.MAIL: mail_from,
    Service.WEBHOOK: webhooks_from,
}


def messengers_from(settings: Settings) -> Mapping[Service, Messenger]:
    """What the settings name; none of it connects. Raises ``InvalidRequest``."""
    found = {service: make(settings) for service, make in _MAKERS.items()}
    return {service: messenger for service, messenger in found.items() if messenger is not None}


def sound_messengers_from(settings: Settings) -> Mapping[Service, Messenger]:
    """The same without what is set up wrongly: for whoever has other things to do as well."""
    found: dict[Service, Messenger] = {}
    for service, make in _MAKERS.items():
        try:
            messenger = make(settings)
        except InvalidRequest as error:
            _log.warning("a messenger is set up wrongly", extra={"why": str(error)})
        else:
            found |= {service: messenger} if messenger is not None else {}
    return found


def webhook_names(settings: Settings) -> tuple[str, ...]:
    """The webhooks that users can name. Raises ``InvalidRequest``."""
    webhooks = webhooks_from(settings)
    return webhooks.names if webhooks else ()


def names_in(messengers: Mapping[Service, Messenger]) -> tuple[str, ...]:
    """The webhooks among these."""
    webhooks = messengers.get(Service.WEBHOOK)
    return webhooks.names if isinstance(webhooks, Webhooks) else ()


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
