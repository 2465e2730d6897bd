"""Where a person or a program is told: an address, and by which service.

    #vision            a channel of Slack's      @U024BE7LH    a direct message
    ann@example.org    e-mail                    webhook:ci    a program that was set up for this

Comes in: what people write. Goes out: addresses in one spelling each. Before: ``notify_reading``,
``preferences``. Next: ``addressing``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from enum import StrEnum

from sentinels.core.errors import Fault
from sentinels.core.faults import Faults

MOST_ADDRESSES = 10

_SLACK = re.compile(r"[#@]?\w[\w.-]{0,79}")
_MEMBER = re.compile(r"@?([UW][A-Z0-9]{5,20})", re.ASCII)
_MAIL = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}", re.ASCII
)
_WEBHOOK = re.compile(r"webhook:([a-z0-9][a-z0-9-]{0,39})", re.ASCII)
_FORMS = "as in #vision, @U024BE7LH, ann@example.org or webhook:ci"


class Service(StrEnum):
    """What brings a message to an address."""

    SLACK = "slack"
    MAIL = "mail"
    WEBHOOK = "webhook"


def service_of(address: str | None) -> Service:
    """The service of a sound address; None is Slack's default channel."""
    if address is not None and _WEBHOOK.fullmatch(address):
        return Service.WEBHOOK
    if address is not None and _MAIL.fullmatch(address):
        return Service.MAIL
    return Service.SLACK


def webhook_name(address: str) -> str:
    """The name after ``webhook:``."""
    return address.partition(":")[2]


def member_id(address: str) -> str | None:
    """The id of a member of Slack's, as in U024BE7LH; None for any other address."""
    found = _MEMBER.fullmatch(address)
    return found[1] if found else None


def canonical(address: str) -> str:
    """The one spelling of a sound address: a member's id with an @, an e-mail in small letters, so
    that nobody is told twice under two spellings.
    """
    if found := _MEMBER.fullmatch(address):
        return f"@{found[1]}"
    return address.lower() if service_of(address) is Service.MAIL else address


def read_addresses(faults: Faults, path: str, value: object) -> tuple[str, ...]:
    """One address or a list of them, each once, in one spelling."""
    if value is None or value == "":
        faults.add(path, "is empty", remedy='quote it: "#vision" (a bare # begins a comment)')
        return ()
    if not isinstance(value, list):
        found = [_read_address(faults, path, value)]
    else:
        items = faults.sequence(path, value, most=MOST_ADDRESSES)
        found = [_read_address(faults, f"{path}[{at}]", item) for at, item in enumerate(items)]
    return tuple(dict.fromkeys(address for address in found if address is not None))


def unknown_webhooks(path: str, to: Sequence[str], known: Collection[str]) -> list[Fault]:
    """A fault for each webhook that the administrator has not named."""
    return [
        _unknown(path, address, known)
        for address in to
        if service_of(address) is Service.WEBHOOK and webhook_name(address) not in known
    ]


def _read_address(faults: Faults, path: str, value: object) -> str | None:
    text = faults.text(path, value, limit=320)
    if text is None:
        return None
    if not any(form.fullmatch(text) for form in (_SLACK, _MAIL, _WEBHOOK)):
        faults.add(path, f"is no address, {_FORMS}", value=text)
        return None
    return canonical(text)


def _unknown(path: str, address: str, known: Collection[str]) -> Fault:
    close = difflib.get_close_matches(webhook_name(address), known, n=1)
    there = f"there are: {', '.join(sorted(known))}" if known else "none is set up"
    remedy = f"did you mean webhook:{close[0]}?" if close else "an administrator sets webhooks up"
    message = f"there is no such webhook; {there}"
    return Fault(path, message, value=address, remedy=remedy)
