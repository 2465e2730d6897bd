"""Collecting what is wrong with an input, so that all of it is said at once.

Comes in: values at paths such as ``resources.cpu``. Goes out: sound values, and faults for the
others. Before: ``errors``. Next: ``submission_reading``.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from sentinels.core.errors import Fault
from sentinels.core.text import first_control, printable

_Value = TypeVar("_Value")
_SHOWN = 60
_MOST = 100


class Faults:
    """The faults found so far, at most 100; ``lines`` says on which line each path stands."""

    def __init__(self, lines: Mapping[str, int] | None = None) -> None:
        """With the lines of the file, where there is one."""
        self.found: list[Fault] = []
        self._lines = lines or {}

    @property
    def full(self) -> bool:
        """Whether no further fault is noted: nobody reads more, and finding them takes time."""
        return len(self.found) > _MOST

    def add(self, path: str, message: str, *, value: object = None, remedy: str = "") -> None:
        """Note a fault at a path."""
        if len(self.found) == _MOST:
            self.found.append(Fault("config", f"has more faults than these {_MOST}"))
        if not self.full:
            shown = None if value is None else shortened(value)
            line = self._line(path)
            self.found.append(Fault(shortened(path), message, shown, remedy or None, line))

    def unknown_keys(
        self,
        path: str,
        given: Mapping[str, object],
        known: Collection[str],
        *,
        elsewhere: Mapping[str, str] | None = None,
    ) -> None:
        """A fault for each key that does not exist, with the one that was probably meant.

        ``elsewhere`` maps keys that people try here to what they mean.
        """
        meanings = {**(elsewhere or {}), **{key: key for key in known}}
        for key in given:
            if key in known or self.full:
                continue
            close = difflib.get_close_matches(key[:_SHOWN], meanings, n=1, cutoff=0.6)
            remedy = f"did you mean {meanings[close[0]]}?" if close else f"known: {_listed(known)}"
            self.add(joined(path, key), "unknown key", remedy=remedy)

    def mapping(self, path: str, value: object) -> Mapping[str, object]:
        """The value, if it is a mapping with text for keys."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.add(path, "must be a mapping, as in {key: value}", value=value)
            return {}
        if not all(isinstance(key, str) for key in value):
            self.add(path, "must have text for keys", value=value)
            return {}
        return value

    def sequence(self, path: str, value: object, *, most: int) -> Sequence[object]:
        """The value, if it is a list of at most so many items."""
        if value is None:
            return []
        if not isinstance(value, list):
            remedy = "" if isinstance(value, dict) else f"write [{shortened(value)}]"
            self.add(path, "must be a list, as in [one, two]", value=value, remedy=remedy)
            return []
        if len(value) > most:
            self.add(path, f"has {len(value)} items; {most} are allowed")
        return value[:most]

    def text(self, path: str, value: object, *, limit: int, secret: bool = False) -> str | None:
        """The value, if it is text without control characters and no longer than ``limit``.

        What is ``secret`` is not repeated in a fault.
        """
        shown = None if secret else value
        if not isinstance(value, str):
            bare = isinstance(value, bool | int | float)
            remedy = f'quote it: "{shortened(value)}"' if bare else ""
            self.add(path, "must be text", value=shown, remedy=remedy)
        elif control := first_control(value):
            self.add(path, f"holds a control or invisible character: {control}", value=shown)
        elif len(value) > limit:
            self.add(path, f"is {len(value)} characters long; {limit} are allowed", value=shown)
        else:
            return value
        return None

    def whole(self, path: str, value: object, *, low: int, high: int) -> int | None:
        """The value, if it is a whole number within the bounds."""
        if isinstance(value, bool) or not isinstance(value, int):
            self.add(path, f"must be a whole number from {low} to {high}", value=value)
        elif not low <= value <= high:
            self.add(path, f"must be from {low} to {high}", value=value)
        else:
            return value
        return None

    def parsed(self, path: str, value: object, parse: Callable[[object], _Value]) -> _Value | None:
        """What ``parse`` makes of the value; its ``ValueError`` becomes the fault."""
        try:
            return parse(value)
        except ValueError as error:
            self.add(path, str(error), value=value)
            return None

    def _line(self, path: str) -> int | None:
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return None


def joined(path: str, key: str) -> str:
    """The path of a key below a path."""
    return f"{path}.{key}" if path else key


def meant(given: str, known: Collection[str]) -> str:
    """The remedy for a word that is none of the known ones."""
    close = difflib.get_close_matches(given[:_SHOWN], known, n=1)
    return f"did you mean {close[0]}?" if close else f"one of: {_listed(known)}"


def shortened(value: object) -> str:
    """A value as JSON says it (text as it is), safe to print and short enough for a message."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    text = printable(text[: 4 * _SHOWN])
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _listed(keys: Collection[str]) -> str:
    return ", ".join(keys)
