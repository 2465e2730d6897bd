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
from sentinels.core.text import has_control, printable

_Value = TypeVar("_Value")
_SHOWN = 60


class Faults:
    """The faults found so far; ``lines`` says on which line of a file each path stands."""

    def __init__(self, lines: Mapping[str, int] | None = None) -> None:
        """With the lines of the file, where there is one."""
        self.found: list[Fault] = []
        self._lines = lines or {}

    def add(self, path: str, message: str, *, value: object = None, remedy: str = "") -> None:
        """Note a fault at a path."""
        shown = None if value is None else _shown(value)
        self.found.append(Fault(path, message, shown, remedy or None, self._line(path)))

    def unknown_keys(self, path: str, given: Mapping[str, object], known: Collection[str]) -> None:
        """A fault for each key that does not exist, with the one that was probably meant."""
        for key in given:
            if key in known:
                continue
            close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
            remedy = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
            self.add(joined(path, printable(key)[:_SHOWN]), "unknown key", remedy=remedy)

    def mapping(self, path: str, value: object) -> Mapping[str, object]:
        """The value, if it is a mapping with text for keys."""
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            self.add(path, "must be a mapping, as in {key: value}", value=value)
            return {}
        return value

    def sequence(self, path: str, value: object) -> Sequence[object]:
        """The value, if it is a list."""
        if value is None:
            return []
        if not isinstance(value, list):
            self.add(path, "must be a list, as in [one, two]", value=value)
            return []
        return value

    def text(self, path: str, value: object, *, limit: int) -> str | None:
        """The value, if it is text without control characters and no longer than ``limit``."""
        if not isinstance(value, str):
            self.add(path, "must be text", value=value, remedy=f'quote it: "{_bare(value)}"')
        elif has_control(value):
            self.add(path, "must not contain control or invisible characters", value=value)
        elif len(value) > limit:
            self.add(path, f"is {len(value)} characters long; {limit} are allowed", value=value)
        else:
            return value
        return None

    def whole(self, path: str, value: object, *, low: int, high: int) -> int | None:
        """The value, if it is a whole number within the bounds."""
        if isinstance(value, bool) or not isinstance(value, int):
            self.add(path, "must be a whole number", value=value)
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
            path = path.rpartition(".")[0] if "[" not in path.rpartition(".")[2] else _up(path)
        return None


def joined(path: str, key: str) -> str:
    """The path of a key below a path."""
    return f"{path}.{key}" if path else key


def _up(path: str) -> str:
    return path.rpartition("[")[0]


def _bare(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool | int | float) else "…"


def _shown(value: object) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    text = printable(text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
