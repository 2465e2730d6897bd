"""What a user and their team choose about notices: read strictly, and tried out.

Comes in: plain data. Goes out: choices, or every fault at once; a test message and what the service
said to it. Before: ``functions/submit``. Next: ``audience``, ``telling``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sentinels.core.address import read_addresses, service_of, unknown_webhooks
from sentinels.core.addressing import settled_address
from sentinels.core.audience import Audience, Choice, NoticeRules
from sentinels.core.errors import Fault, InvalidRequest, MessageRefused, MessengerUnavailable
from sentinels.core.faults import Faults
from sentinels.core.notify_reading import read_kinds
from sentinels.core.ports import Clock, Message
from sentinels.core.queueing import Caller
from sentinels.core.telling import PACES, TellPorts

_TEST_SECONDS = 30.0
"""Longer than any service takes to answer a test message."""


class Preferences(Protocol):
    """Where choices are kept. All raise ``QueueUnavailable``; all may be repeated."""

    def choices(self, caller: Caller) -> Audience:
        """What the caller and their team chose."""
        ...

    def choose(self, caller: Caller, choices: Audience) -> None:
        """Keep what they choose."""
        ...


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a test message to one address; None is the default channel."""

    address: str | None
    arrived: bool
    said: str


def read_choices(body: object, before: Audience, webhooks: Collection[str]) -> Audience:
    """``before`` with what ``{"user": {"to": […], "on": […]}, "team": {…}}`` changes; what it does
    not name stays, and ``on: null`` is the usual kinds. Raises ``InvalidRequest`` with every fault.
    """
    faults = Faults()
    given = faults.mapping("body", body)
    faults.unknown_keys("", given, ("user", "team"))
    owner = _read_choice(faults, "user", given.get("user"), before.owner)
    team = _read_choice(faults, "team", given.get("team"), before.team)
    found = [
        *faults.found,
        *unknown_webhooks("user.to", owner.to, webhooks),
        *unknown_webhooks("team.to", team.to, webhooks),
    ]
    if found:
        raise InvalidRequest("; ".join(map(_told, found)), remedy="nothing was changed")
    return Audience(owner, team)


def try_out(
    ports: TellPorts, choice: Choice, rules: NoticeRules, *, who: str, clock: Clock
) -> Sequence[Tried]:
    """Send a test message to each address of a choice; what each service said to it."""
    to = choice.to or (None,)
    settled = dict.fromkeys(settled_address(address, rules) for address in to)
    return [_try(ports, address, who, clock) for address in settled]


def _told(fault: Fault) -> str:
    value = f" {fault.value!r}" if fault.value else ""
    remedy = f" ({fault.remedy})" if fault.remedy else ""
    return f"{fault.field}:{value} {fault.message}{remedy}"


def _read_choice(faults: Faults, path: str, value: object, before: Choice) -> Choice:
    given: Mapping[str, object] = {} if value is None else faults.mapping(path, value)
    faults.unknown_keys(path, given, ("to", "on"))
    found = before
    if "to" in given:
        to = given["to"]
        found = replace(found, to=read_addresses(faults, f"{path}.to", to) if to else ())
    if "on" in given:
        on = given["on"]
        found = replace(found, on=None if on is None else read_kinds(faults, f"{path}.on", on))
    return found


def _try(ports: TellPorts, address: str | None, who: str, clock: Clock) -> Tried:
    service = service_of(address)
    messenger = ports.messengers.get(service)
    if messenger is None:
        return Tried(address, arrived=False, said=f"no {service} is set up: notices are only kept")
    if not ports.queue.claim(address, lease_seconds=_TEST_SECONDS):
        return Tried(address, arrived=False, said="was told something just now: try again soon")
    text = f"✔ This is a test, which {who} asked for: notices arrive here."
    now = clock()
    try:
        messenger.send(
            Message(address, text, text, f"test-{now:%Y%m%d%H%M%S%f}", now, "test", {"text": text})
        )
    except (MessageRefused, MessengerUnavailable) as trouble:
        return Tried(address, arrived=False, said=str(trouble))
    finally:
        ports.queue.told(address, (), PACES[service])
    return Tried(address, arrived=True, said=f"{service} took it")
