"""A config file's text as plain data with the line of every key; strict where YAML surprises.

YAML is read as its 1.2 core schema: only ``true`` and ``false`` are booleans, ``012`` and ``22:30``
are text. Aliases, tags, duplicate keys and several documents are refused. The text is read as a
flat stream of events, so that no nesting can exhaust the stack. Comes in: text. Goes out: data and
lines for ``submission_reading``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from sentinels.core.errors import Fault, InvalidSubmission
from sentinels.core.faults import joined
from sentinels.core.submission import ParamValue
from sentinels.core.submission_reading import MAX_BODY_BYTES, MAX_DEPTH, MAX_NODES
from sentinels.core.text import printable

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: Mapping[str, ParamValue] = {
    "": None,
    "~": None,
    "null": None,
    "true": True,
    "false": False,
}
_NUMBER_KEYS = "retry.exit"


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a file says, the line of each path, and the faults that leave the rest readable."""

    data: dict[str, object]
    lines: dict[str, int]
    faults: tuple[Fault, ...]


def parse_config_text(text: str) -> ConfigFile:
    """Read a file. Raises ``InvalidSubmission`` where it is so wrong that nothing can be read."""
    if len(text.encode("utf-8", "replace")) > MAX_BODY_BYTES:
        size = MAX_BODY_BYTES // 1024
        raise InvalidSubmission([Fault("config", f"is larger than {size} KiB")])
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise InvalidSubmission([*builder.faults, _syntax_fault(error)]) from error
    except yaml.YAMLError as error:
        fault = Fault("config", f"is not YAML: {printable(str(error).splitlines()[0])}")
        raise InvalidSubmission([*builder.faults, fault]) from error
    return ConfigFile(builder.result(), builder.lines, tuple(builder.faults))


def read_config_text(text: str) -> tuple[dict[str, object], dict[str, int]]:
    """The file's data, and the line of each path. Raises ``InvalidSubmission`` for any fault."""
    file = parse_config_text(text)
    if file.faults:
        raise InvalidSubmission(file.faults)
    return file.data, file.lines


def read_scalar(text: str) -> ParamValue:
    """What a bare word means in a config: ``0.1`` a number, ``true`` a boolean, ``adam`` text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 300 else text
    return float(text) if _FLOAT.fullmatch(text) else text


def merge_flags(config: Mapping[str, object], flags: Mapping[str, object]) -> dict[str, object]:
    """The config with the flags laid over it: mappings key by key, anything else whole."""
    merged = dict(config)
    for key, value in flags.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = merge_flags(below, value)
        else:
            merged[key] = value
    return merged


@dataclass(slots=True)
class _Level:
    """An open mapping or list; ``key`` is the mapping's key whose value comes next."""

    path: str
    value: dict[str, object] | list[object]
    key: str | None = None
    seen: dict[str, int] = field(default_factory=dict)


class _Builder:
    """Builds data from events, one at a time, noting faults as it goes."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.lines: dict[str, int] = {}
        self._levels: list[_Level] = []
        self._documents: list[object] = []
        self._count = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event of the stream. Raises ``InvalidSubmission`` where it is hopeless."""
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            self._fault(line, "aliases are not allowed", remedy="write the value out")
            self._add(None, line)
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_marks(event, line)
            self._scalar(event, line)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._refuse_marks(event, line)
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], line)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close()

    def result(self) -> dict[str, object]:
        """The one document's mapping."""
        if len(self._documents) > 1:
            raise InvalidSubmission([Fault("config", "must be one document", remedy="remove ---")])
        found = self._documents[0] if self._documents else None
        if found is None:
            return {}
        if not isinstance(found, dict):
            remedy = "begin with a key, as in name: digits"
            raise InvalidSubmission([Fault("config", "must be a mapping", remedy=remedy)])
        return found

    def _refuse_marks(self, event: yaml.NodeEvent, line: int) -> None:
        if event.anchor is not None:
            self._fault(line, "anchors are not allowed", remedy="write the value out each time")
        if getattr(event, "tag", None) is not None:
            self._fault(line, "tags are not allowed", remedy="leave the ! out")

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        level = self._levels[-1] if self._levels else None
        if level and isinstance(level.value, dict) and level.key is None:
            self._key(level, event, line)
        else:
            self._add(read_scalar(event.value) if event.style is None else event.value, line)

    def _key(self, level: _Level, event: yaml.ScalarEvent, line: int) -> None:
        key = event.value
        plain = event.style is None
        if plain and key == "<<":
            self._fault(line, "merge keys are not allowed", remedy="write the values out")
        elif plain and level.path != _NUMBER_KEYS and not isinstance(read_scalar(key), str):
            self._fault(line, f"key {printable(key)!r} must be text", remedy=f'quote it: "{key}"')
        if key in level.seen:
            path = joined(level.path, printable(key))
            self._fault(line, f"stands on line {level.seen[key]} already", path=path)
        level.seen.setdefault(key, line)
        level.key = key
        self.lines.setdefault(joined(level.path, key), line)

    def _open(self, value: dict[str, object] | list[object], line: int) -> None:
        parent = self._levels[-1] if self._levels else None
        if parent and isinstance(parent.value, dict) and parent.key is None:
            raise InvalidSubmission([Fault("config", "a key must be one word", line=line)])
        if len(self._levels) >= MAX_DEPTH:
            message = f"is nested more than {MAX_DEPTH} deep"
            raise InvalidSubmission([*self.faults, Fault("config", message, line=line)])
        path = self._next_path()
        self._add(value, line)
        self._levels.append(_Level(path, value))

    def _close(self) -> None:
        self._levels.pop()

    def _next_path(self) -> str:
        if not self._levels:
            return ""
        level = self._levels[-1]
        if isinstance(level.value, list):
            return f"{level.path}[{len(level.value)}]"
        return joined(level.path, level.key or "")

    def _add(self, value: object, line: int) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise InvalidSubmission([Fault("config", f"has more than {MAX_NODES} values")])
        if not self._levels:
            self._documents.append(value)
            return
        self.lines.setdefault(self._next_path(), line)
        level = self._levels[-1]
        if isinstance(level.value, list):
            level.value.append(value)
        else:
            level.value.setdefault(level.key or "", value)
            level.key = None

    def _fault(self, line: int, message: str, *, path: str = "", remedy: str = "") -> None:
        where = path or (self._next_path() if self._levels else "") or "config"
        self.faults.append(Fault(printable(where), message, remedy=remedy or None, line=line))


def _syntax_fault(error: yaml.MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    said = " ".join(_sentences(error))
    return Fault("config", f"is not YAML: {printable(said)}", line=mark.line + 1 if mark else None)


def _sentences(error: yaml.MarkedYAMLError) -> Iterator[str]:
    if error.context:
        yield f"{error.context}:"
    yield error.problem or "cannot be read"
