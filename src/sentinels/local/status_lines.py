"""What ``up`` and ``down`` show: one line for each part, and a spinner while a person waits.

Comes in: what happened. Goes out: lines on standard output, coloured and animated only on a
terminal. Next: nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

_SIGNS = {"done": ("✔", "ok", "green"), "note": ("•", "-", "yellow")}


class StatusLines:
    """Lines on one output; every method writes whole lines at once."""

    def __init__(self, console: Console | None = None) -> None:
        """``console`` is standard output where none is given."""
        self._console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)

    def done(self, *parts: str) -> None:
        """One thing is as it should be; ``parts`` are set apart by dots."""
        self._line("done", " · ".join(part for part in parts if part))

    def note(self, text: str) -> None:
        """Something that a person may want to know."""
        self._line("note", text)

    def say(self, text: str = "") -> None:
        """A line as it is."""
        self._console.print(Text(text))

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show a spinner with ``text`` meanwhile; nothing where there is no terminal."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(Text(text)):
            yield

    def _line(self, kind: str, text: str) -> None:
        sign, plain_sign, style = _SIGNS[kind]
        if not (self._console.encoding or "").lower().startswith("utf"):
            sign = plain_sign
        self._console.print(Text.assemble((sign, style), " ", text))
