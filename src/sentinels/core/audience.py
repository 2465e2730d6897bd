"""What people chose about notices, and what the administrator did: values.

Comes in: rows of users and teams, settings. Goes out: ``Audience`` and ``NoticeRules``. Before:
``queueing``. Next: ``addressing``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a user or a team wants to be told, and of which kinds; None: of the usual ones.

    Addresses are as ``address.canonical`` spells them. A user without any is told in the default
    channel, a team without any is not told.
    """

    to: tuple[str, ...] = ()
    on: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """Whose job it is: what its owner chose, and what its owner's team chose."""

    owner: Choice = Choice()
    team: Choice = Choice()


@dataclass(frozen=True, slots=True)
class NoticeRules:
    """The administrator's part.

    ``default`` is the channel that takes what names none. ``one_channel``: Slack is reached by an
    incoming webhook, which has one channel, whatever is named. ``delay_seconds``: what happens so
    close together is told together. A start after ``long_wait_seconds`` is one after a long wait.
    """

    default: str = "#experiments"
    oncall: tuple[str, ...] = ()
    one_channel: bool = False
    delay_seconds: float = 0.0
    long_wait_seconds: float = 1800.0
