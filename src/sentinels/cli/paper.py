"""A log on the terminal: whole lines, made safe, and the line that is still being written.

A program that draws a progress bar writes one line over and over, each time from its beginning; of
such a line the last version is what counts. Comes in: text in pieces. Goes out: standard output.
Before: ``logs``.
"""

from __future__ import annotations

import sys
from types import TracebackType

from sentinels.cli.show import on_terminal, room
from sentinels.cli.width import cropped
from sentinels.core.text import last_version, printable

_LONGEST = 64 * 1024
_CLEAR = "\r\x1b[K"


class Paper:
    """Takes a log in pieces; ``live``: on a terminal an unfinished line is shown as well."""

    def __init__(self, *, live: bool = False) -> None:
        """Begin with nothing written."""
        self._draws = live and on_terminal()
        self._open = ""
        self._drawn = False
        self.is_blank = True

    def __enter__(self) -> Paper:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not BrokenPipeError:
            self._write(f"{last_version(self._open)}\n" if self._open else "")

    def add(self, text: str) -> None:
        """Print what is whole of it. An escape sequence may be cut by the end of a piece."""
        whole, newline, self._open = (self._open + text).rpartition("\n")
        self._write(
            "".join(f"{last_version(line)}\n" for line in whole.split("\n")) if newline else ""
        )
        if len(self._open) > _LONGEST:
            self._open = last_version(self._open)
        if len(self._open) > _LONGEST:
            self._write(self._open)
            self._open = ""
        if self._draws and self._open:
            # One place stays empty: a full line would wrap and could not be cleared.
            sys.stdout.write(_CLEAR + cropped(printable(last_version(self._open)), room() - 1))
            sys.stdout.flush()
            self._drawn = True

    def _write(self, text: str) -> None:
        if self._drawn:
            sys.stdout.write(_CLEAR)
            self._drawn = False
        if text:
            self.is_blank = False
            sys.stdout.write(printable(text, keep_newlines=True))
        sys.stdout.flush()
