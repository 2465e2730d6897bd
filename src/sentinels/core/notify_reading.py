"""The ``notify`` key of a config and back. Before: ``submission_reading``. Next: ``addressing``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from sentinels.core.address import read_addresses
from sentinels.core.faults import Faults
from sentinels.core.submission import Notify

NOTICE_KINDS: Mapping[str, str] = {
    "succeeded": "it ended well",
    "failed": "it ended otherwise, and no retry is left",
    "cancelled": "it was cancelled",
    "requeued": "an attempt ended, and it is tried again",
    "preempted": "it left for a more urgent job, and is tried again",
    "started": "it started",
    "long_wait": "it started after a long wait",
    "slipped": "it is expected to start much later than was said",
    "near_limit": "80 % of its time limit is over",
    "silent": "it has printed nothing for long",
    "delayed": "it starts later: somebody bumped another",
}
"""What people are told of, as ``notify.on`` names it."""

_KINDS = tuple(NOTICE_KINDS)


def read_notify(faults: Faults, value: object) -> Notify:
    """Read ``{on: [failed, succeeded], channel: "#vision"}``; ``channel`` may be a list, too."""
    given = faults.mapping("notify", value)
    faults.unknown_keys("notify", given, ("on", "channel"), elsewhere={"to": "channel"})
    on = None if given.get("on") is None else read_kinds(faults, "notify.on", given["on"])
    to = read_addresses(faults, "notify.channel", given["channel"]) if "channel" in given else ()
    return Notify(on=on, to=to)


def notify_to_config(notify: Notify) -> dict[str, object]:
    """The same in a config's words."""
    config: dict[str, object] = {}
    if notify.on is not None:
        config["on"] = listed(notify.on)
    if notify.to:
        config["channel"] = notify.to[0] if len(notify.to) == 1 else list(notify.to)
    return config


def read_kinds(faults: Faults, path: str, value: object) -> frozenset[str]:
    """A list of kinds of notices; an empty one is none of them."""
    items = faults.sequence(path, value, most=20)
    for index, kind in enumerate(items):
        if kind not in _KINDS:
            close = difflib.get_close_matches(str(kind)[:40], _KINDS, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"one of: {', '.join(_KINDS)}"
            faults.add(f"{path}[{index}]", "is no event of a job", value=kind, remedy=remedy)
    return frozenset(kind for kind in items if isinstance(kind, str))


def listed(kinds: frozenset[str]) -> list[str]:
    """Kinds in the order in which they are documented."""
    return [kind for kind in _KINDS if kind in kinds]
