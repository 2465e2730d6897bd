"""A config file's text as plain data with the line of every key; strict where YAML surprises.

YAML is read as its 1.2 core schema: ``no`` and ``on``, ``012`` and ``22:30`` are text. Aliases,
tags, duplicate keys and several documents are refused. The text is read as a flat stream of events,
so that no nesting can exhaust the stack. Comes in: text. Goes out: data and lines for
``submission_reading``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import yaml

from sentinels.core.errors import Fault, InvalidSubmission
from sentinels.core.faults import joined, shortened
from sentinels.core.submission import ParamValue
from sentinels.core.submission_reading import MAX_BODY_BYTES, MAX_DEPTH, MAX_NODES

_WHOLE = r"[-+]?(?:0|[1-9][0-9]*)"
_INTEGER = re.compile(_WHOLE, re.ASCII)
_FLOAT = re.compile(
    rf"(?:{_WHOLE}\.[0-9]*|[-+]?\.[0-9]+)(?:[eE][-+]?[0-9]+)?|{_WHOLE}[eE][-+]?[0-9]+", re.ASCII
)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII)
_MOST_DIGITS = 300
_MOST_FAULTS = 100
_WORDS: Mapping[str, ParamValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_KEYS = "retry.exit"
"""Where keys are numbers by nature; they are kept as text."""

_START, _PLACE = True, False
_SYNTAX: Mapping[str, tuple[str, bool]] = {
    r"found character '\\t'": ("has a tab where YAML wants spaces", _PLACE),
    r"found character '(.)' that": ("has a value that begins with {0}; quote it", _PLACE),
    r"mapping values are not": ("has a ':' too many; quote text, or mend the indentation", _PLACE),
    r"expected <block end>": ("is not indented like the lines above, or lacks quotes", _PLACE),
    r"expected ',' or '([\]}])'": ("has brackets without a closing {0}, or without ','", _START),
    r"could not find expected ':'": ("has a key without ':', or a quote not closed", _START),
    r"found unexpected end of str": ("has a quote that is not closed", _START),
    r"unknown escape character '(.)'": ("has \\{0} in double quotes; use single ones", _PLACE),
    r"expected alphabetic or num": ("has & or * at the start of a value; quote it", _PLACE),
    r"expected the node content": ("lacks a value", _PLACE),
    r"expected '<document start>'": ("has text where a key should be", _PLACE),
}
"""The parser's words for the mistakes people make, and ours, which are true of the line where the
whole begins or of the place where the parser stopped.
"""


@dataclass(frozen=True, slots=True)
class ConfigText:
    """A config file as it was read: its data, the line of each path, and what is wrong with it."""

    data: dict[str, object]
    lines: dict[str, int]
    faults: tuple[Fault, ...]


def read_config_text(text: str) -> tuple[dict[str, object], dict[str, int]]:
    """The file's data, and the line of each path. Raises ``InvalidSubmission`` with every fault."""
    parsed = parse_config_text(text)
    if parsed.faults:
        raise InvalidSubmission(parsed.faults)
    return parsed.data, parsed.lines


def parse_config_text(text: str) -> ConfigText:
    """The file as far as it can be understood; what is refused is left out of its data.

    So the caller can tell these faults together with those of the data. Raises
    ``InvalidSubmission`` where the rest cannot be read: no YAML, too large, too deep.
    """
    if len(text) > MAX_BODY_BYTES or len(text.encode("utf-8", "replace")) > MAX_BODY_BYTES:
        raise InvalidSubmission([Fault("config", f"is larger than {MAX_BODY_BYTES // 1024} KiB")])
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            builder.take(event)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        builder.give_up(line, f"holds the control character U+{ord(text[error.position]):04X}")
    except yaml.MarkedYAMLError as error:
        builder.give_up(*_complaint(error))
    return ConfigText(builder.result(), builder.lines, tuple(builder.faults))


def read_scalar(text: str) -> ParamValue:
    """What a bare word means in a config: ``0.1`` a number, ``true`` a boolean, ``adam`` text.

    Numbers are finite: ``.nan``, ``.inf`` and ``1e999`` are text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < _MOST_DIGITS else text
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def merge_flags(config: Mapping[str, object], flags: Mapping[str, object]) -> dict[str, object]:
    """The config with the flags laid over it: mappings key by key, anything else whole.

    A parameter that a flag sets is no longer swept, and the other way round.
    """
    below = dict(config)
    for over, under in (("params", "sweep"), ("sweep", "params")):
        given, kept = flags.get(over), below.get(under)
        if isinstance(given, Mapping) and isinstance(kept, Mapping):
            below[under] = {name: value for name, value in kept.items() if name not in given}
    return _merged(below, flags)


def _merged(config: Mapping[str, object], flags: Mapping[str, object]) -> dict[str, object]:
    merged = dict(config)
    for key, value in flags.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged


@dataclass(slots=True)
class _Level:
    """An open mapping or list. ``key`` is the mapping's key whose value comes next; ``refused``
    says that this value is not to be kept.
    """

    path: str
    value: dict[str, object] | list[object]
    key: str | None = None
    refused: bool = False
    seen: dict[str, int] = field(default_factory=dict)

    @property
    def wants_key(self) -> bool:
        return isinstance(self.value, dict) and self.key is None

    @property
    def next_path(self) -> str:
        """Where the next value will stand; the level's own path while a key is awaited."""
        if isinstance(self.value, list):
            return f"{self.path}[{len(self.value)}]"
        return self.path if self.key is None else joined(self.path, self.key)

    def put(self, value: object) -> None:
        """Keep the next value."""
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is not None and not self.refused:
            self.value[self.key] = value
        self.key, self.refused = None, False


class _Builder:
    """Builds data from events, one at a time, noting faults as it goes."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.lines: dict[str, int] = {}
        self._levels: list[_Level] = []
        self._documents = 0
        self._top: object = None
        self._count = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event of the stream. Raises ``InvalidSubmission`` where it is hopeless."""
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._document(line)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(line)
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_marks(event, line)
            self._scalar(event, line)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._refuse_marks(event, line)
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], line)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._levels.pop()

    def result(self) -> dict[str, object]:
        """The document's mapping."""
        if self._top is None:
            return {}
        if not isinstance(self._top, dict):
            self.give_up(1, "must be a mapping", remedy="begin with a key, as in name: digits")
        return self._top

    def give_up(self, line: int, message: str, *, remedy: str | None = None) -> NoReturn:
        """End the reading: raise all faults with this last one."""
        raise InvalidSubmission([*self.faults, Fault("config", message, None, remedy, line)])

    def _document(self, line: int) -> None:
        self._documents += 1
        if self._documents > 1:
            self.give_up(line, "must be one document", remedy="remove what follows the ---")

    def _alias(self, line: int) -> None:
        self._fault(line, "aliases are not allowed", remedy="write the value out, or quote the *")
        if self._levels and self._levels[-1].wants_key:
            self._levels[-1].key, self._levels[-1].refused = "*", True
        else:
            self._add(None, line)

    def _refuse_marks(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, line: int) -> None:
        if event.anchor is not None:
            self._fault(line, "anchors are not allowed", remedy="write the value out each time")
        if event.tag is not None:
            self._fault(line, "tags are not allowed", remedy="leave the ! out; quote what is text")

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if self._levels and self._levels[-1].wants_key:
            self._key(self._levels[-1], event, line)
        elif event.style is not None:
            self._add(event.value, line)
        else:
            self._add(self._plain(event.value, line), line)

    def _plain(self, text: str, line: int) -> ParamValue:
        value = read_scalar(text)
        if isinstance(value, str) and (_NOT_FINITE.fullmatch(text) or _FLOAT.fullmatch(text)):
            self._fault(line, "must be a finite number", remedy=f'if it is text: "{text[:20]}"')
            return None
        return value

    def _key(self, level: _Level, event: yaml.ScalarEvent, line: int) -> None:
        key, plain = event.value, event.style is None
        path = joined(level.path, key)
        level.key, level.refused = key, True
        if key in level.seen:
            message = f"stands on line {level.seen[key]} already"
            self._fault(line, message, remedy="keep one of them")
        elif plain and key == "<<":
            self._fault(line, "merge keys are not allowed", remedy="write the values out")
        elif plain and level.path != _NUMBER_KEYS and not isinstance(read_scalar(key), str):
            self._fault(line, "keys must be text", remedy=f'quote it: "{shortened(key)}"')
        else:
            level.refused = False
            self.lines.setdefault(path, line)
        level.seen.setdefault(key, line)

    def _open(self, value: dict[str, object] | list[object], line: int) -> None:
        if self._levels and self._levels[-1].wants_key:
            self.give_up(
                line, "has a list or mapping for a key", remedy="quote text that begins with { or ["
            )
        if len(self._levels) >= MAX_DEPTH:
            self.give_up(line, f"is nested more than {MAX_DEPTH} deep")
        path = self._levels[-1].next_path if self._levels else ""
        self._add(value, line)
        self._levels.append(_Level(path, value))

    def _add(self, value: object, line: int) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            self.give_up(line, f"has more than {MAX_NODES} values")
        if not self._levels:
            self._top = value
            return
        level = self._levels[-1]
        self.lines.setdefault(level.next_path, line)
        level.put(value)

    def _fault(self, line: int, message: str, *, remedy: str) -> None:
        if len(self.faults) == _MOST_FAULTS:
            self.give_up(line, f"has more faults than these {_MOST_FAULTS}")
        where = self._levels[-1].next_path if self._levels else ""
        self.faults.append(Fault(shortened(where or "config"), message, None, remedy, line))


def _complaint(error: yaml.MarkedYAMLError) -> tuple[int, str]:
    problem = error.problem or ""
    message, from_start = f"is not YAML: {shortened(problem)}", _PLACE
    for pattern, (ours, whose_line) in _SYNTAX.items():
        if found := re.search(pattern, problem):
            message, from_start = ours.format(*map(shortened, found.groups())), whose_line
            break
    marks = (error.context_mark, error.problem_mark)
    mark = next(filter(None, marks if from_start else reversed(marks)), None)
    return (mark.line + 1 if mark else 1), message
