"""The ``notify`` key of a config, and back. Before: ``submission_reading``. Next: ``notice``."""

from __future__ import annotations

import re

from sentinels.core.faults import Faults
from sentinels.core.submission import Notify

NOTICE_KINDS = ("succeeded", "failed", "cancelled", "requeued", "started")
_CHANNEL = re.compile(r"[#@]?\w[\w.-]{0,79}")


def read_notify(faults: Faults, value: object) -> Notify:
    """Read ``{on: [failed, succeeded], channel: "#vision"}``."""
    given = faults.mapping("notify", value)
    faults.unknown_keys("notify", given, ("on", "channel"))
    kinds = Notify().on
    if given.get("on") is not None:
        kinds = _read_kinds(faults, given["on"])
    channel = _read_channel(faults, given["channel"]) if "channel" in given else None
    return Notify(on=kinds, channel=channel)


def notify_to_config(notify: Notify) -> dict[str, object]:
    """The same in a config's words."""
    on = [kind for kind in NOTICE_KINDS if kind in notify.on]
    return {"on": on, "channel": notify.channel} if notify.channel else {"on": on}


def _read_kinds(faults: Faults, value: object) -> frozenset[str]:
    items = faults.sequence("notify.on", value, most=20)
    for index, kind in enumerate(items):
        if kind not in NOTICE_KINDS:
            remedy = f"one of: {', '.join(NOTICE_KINDS)}"
            faults.add(f"notify.on[{index}]", "is no event of a job", value=kind, remedy=remedy)
    return frozenset(kind for kind in items if isinstance(kind, str))


def _read_channel(faults: Faults, value: object) -> str | None:
    if value is None:
        remedy = 'quote it: "#vision" (a bare # begins a comment)'
        faults.add("notify.channel", "is empty", remedy=remedy)
        return None
    text = faults.text("notify.channel", value, limit=1000)
    if text is not None and not _CHANNEL.fullmatch(text):
        faults.add("notify.channel", "is no channel, as in #vision, @ann or C024BE91L", value=text)
    return text
