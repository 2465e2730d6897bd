"""What a person reads while everything is made ready: one line a part, once.

Comes in: what became of parts. Goes out: lines. Before: ``bootstrap``, ``waiting``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from sentinels.cli.show import say

_PATIENCE_SECONDS = 10.0
"""Nothing is said of what is ready within this: an installation that goes well is short to read."""


@dataclass(slots=True)
class Checklist:
    """``ok`` until a part has failed."""

    ok: bool = True
    patience_seconds: float = _PATIENCE_SECONDS
    _told: set[str] = field(default_factory=set)
    _since: dict[str, float] = field(default_factory=dict)

    def done(self, part: str, detail: str) -> None:
        """The part is as it should be; said once."""
        if part not in self._told:
            self._told.add(part)
            say(f"✔ {part:<34} {detail}".rstrip())

    def failed(self, part: str, why: str, remedy: str = "") -> None:
        """The part is not, and will not be by itself."""
        self.ok = False
        self.lacking(part, why, remedy, mark="✘")

    def lacking(self, part: str, why: str, remedy: str = "", *, mark: str = "!") -> None:
        """The part is not, and the rest does without it."""
        say(f"{mark} {part:<34} {why}".rstrip())
        if remedy:
            say(f"    → {remedy}")

    def without(self, part: str, why: str, remedy: str = "") -> None:
        """The part is not there, and no other needs it."""
        say(f"- {part:<34} {why}".rstrip())
        if remedy:
            say(f"    → {remedy}")

    def waiting(self, part: str, why: str) -> None:
        """What is being waited for; said once for each reason, of what takes its time."""
        line, now = f"{part} {why}", time.monotonic()
        took_seconds = now - self._since.setdefault(part, now)
        if took_seconds >= self.patience_seconds and line not in self._told:
            self._told.add(line)
            say(f"· {part:<34} {why}".rstrip())
