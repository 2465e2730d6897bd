"""Which lines of a log are shown, and how: those that match, the last ones, with their times.

A line counts as it is seen: of one that a program writes over and over, the last version. Comes in:
text in pieces. Goes out: text for ``paper``. Before: ``logs``.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sentinels.cli.paper import Paper
from sentinels.core.errors import InvalidRequest
from sentinels.core.text import last_version

_LONGEST = 4 * 2**20
"""Characters of a line that are waited for; a longer one is looked at in parts."""
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})\d*Z ", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be seen of a log. ``tail``: only the last lines of those that match."""

    grep: re.Pattern[str] | None = None
    tail: int | None = None
    timed: bool = False

    @property
    def is_all(self) -> bool:
        """Whether it is shown as it comes."""
        return self.grep is None and self.tail is None and not self.timed


class View:
    """Puts on the paper what is wanted. ``caught_up`` is to be called when all that there is has
    come: the last lines are known then, and what follows is shown as it comes.
    """

    def __init__(self, wanted: Wanted, paper: Paper) -> None:
        """Begin with nothing seen."""
        self._wanted, self._paper = wanted, paper
        self._open = ""
        self._last: deque[str] | None = None if wanted.tail is None else deque(maxlen=wanted.tail)

    def add(self, text: str) -> None:
        """Take a piece."""
        if self._wanted.is_all:
            self._paper.add(text)
            return
        *whole, self._open = (self._open + text).split("\n")
        for line in whole:
            self._show(line)
        if len(self._open) > _LONGEST:
            self._show(self._open)
            self._open = ""

    def caught_up(self) -> None:
        """Show the last lines."""
        for line in self._last or ():
            self._paper.add(f"{line}\n")
        self._last = None

    def end(self) -> None:
        """Nothing more comes."""
        if self._open:
            self._show(self._open)
        self.caught_up()

    def _show(self, line: str) -> None:
        stamp, body = _parted(line) if self._wanted.timed else ("", line)
        body = last_version(body)
        if self._wanted.grep is not None and not self._wanted.grep.search(body):
            return
        if self._last is not None:
            self._last.append(stamp + body)
        else:
            self._paper.add(f"{stamp}{body}\n")


def read_pattern(text: str) -> re.Pattern[str]:
    """A regular expression. Raises ``InvalidRequest`` where it is none."""
    try:
        return re.compile(text)
    except re.error as error:
        raise InvalidRequest(
            f"--grep: {text!r} is no regular expression: {error}",
            remedy="put a backslash before a character that is meant itself, as in '\\['",
        ) from error


def read_since(text: str, now: datetime) -> str:
    """How long ago, or when by this machine's clock, as the server takes it. Raises
    ``InvalidRequest``.
    """
    from sentinels.core.quantity import parse_duration

    try:
        return _utc(now - timedelta(seconds=parse_duration(text)))
    except (ValueError, OverflowError):
        pass
    here = now.astimezone()
    for day in ("", f"{here:%Y-%m-%d} "):
        try:
            found = datetime.fromisoformat(f"{day}{text.strip()}")
            return _utc(found if found.tzinfo else found.replace(tzinfo=here.tzinfo))
        except (ValueError, OverflowError):
            continue
    raise InvalidRequest(
        f"--since: {text!r} is neither a length of time nor a time",
        remedy="as in 10m, 14:30 or '2026-11-28 14:30'",
    )


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _parted(line: str) -> tuple[str, str]:
    """A line's time as people here read it, and the line."""
    found = _STAMP.match(line)
    if found is None:
        return "", line
    moment = datetime.fromisoformat(f"{found[1]}+00:00").astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}.{found[2]} ", line[found.end() :]
