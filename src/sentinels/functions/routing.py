"""Routes and their query parameters as data: one table matches, checks and documents them.

Comes in: a method, a path, a query string. Goes out: the route with the values in its path, and
checked parameters, or an error that names what is wrong. Next: ``submit/routes``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic, Protocol, TypeVar

from werkzeug.datastructures import MultiDict

from sentinels.core.errors import InvalidRequest
from sentinels.core.text import has_control
from sentinels.functions.http import NoSuchRoute, WrongMethod

_TEXT_LIMIT = 300
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)


class Routed(Protocol):
    """What a route is to the matcher."""

    @property
    def method(self) -> str:
        """The one method it takes; GET takes HEAD too."""
        ...

    @property
    def template(self) -> str:
        """A path with names: ``{ref}`` takes one segment, ``{path}`` takes the rest."""
        ...


R = TypeVar("R", bound=Routed)


@dataclass(frozen=True, slots=True)
class Match(Generic[R]):
    """A request's route and the values of the names in its path."""

    route: R
    names: Mapping[str, str]


def match(routes: Sequence[R], method: str, path: str) -> Match[R]:
    """The route for a request. Raises ``NoSuchRoute`` and ``WrongMethod``."""
    here = [
        Match(route, found.groupdict())
        for route in routes
        if (found := _pattern(route.template).fullmatch(path))
    ]
    if not here:
        raise NoSuchRoute("there is nothing at this path", remedy="see /v1/openapi.json")
    for candidate in here:
        if candidate.route.method == ("GET" if method == "HEAD" else method):
            _check_names(candidate.names)
            return candidate
    raise WrongMethod(method, [candidate.route.method for candidate in here])


@cache
def _pattern(template: str) -> re.Pattern[str]:
    whole = re.escape(template).replace(r"\{path\}", "(?P<path>.+)")
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", whole), re.DOTALL)


def _check_names(names: Mapping[str, str]) -> None:
    for value in names.values():
        if has_control(value) or len(value) > 1000:
            raise InvalidRequest("the path holds control characters or is too long")


@dataclass(frozen=True, slots=True)
class Param:
    """A query parameter: text, or a number if it has bounds: whole unless ``decimal``."""

    name: str
    about: str
    low: int | None = None
    high: int | None = None
    default: int | None = None
    choices: tuple[str, ...] = ()
    repeats: bool = False
    decimal: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return self.low is not None


@dataclass(frozen=True, slots=True)
class Query:
    """Checked parameters of one request."""

    numbers: Mapping[str, float]
    words: Mapping[str, tuple[str, ...]]

    def number(self, name: str) -> int:
        """A whole number that was given or has a default."""
        return int(self.numbers[name])

    def decimal(self, name: str) -> float:
        """Any number that was given or has a default."""
        return self.numbers[name]

    def maybe(self, name: str) -> int | None:
        """A whole number, if it was given."""
        return int(self.numbers[name]) if name in self.numbers else None

    def word(self, name: str) -> str | None:
        """A text, if it was given."""
        return next(iter(self.words.get(name, ())), None)

    def every(self, name: str) -> tuple[str, ...]:
        """All texts that were given."""
        return self.words.get(name, ())


def read_query(params: Sequence[Param], given: MultiDict[str, str]) -> Query:
    """Check what was given against what a route takes; ``InvalidRequest`` names all faults."""
    known = {param.name: param for param in params}
    faults = [f"there is no parameter {name!r}" for name in given if name not in known]
    numbers: dict[str, float] = {p.name: p.default for p in params if p.default is not None}
    words: dict[str, tuple[str, ...]] = {}
    for name in known.keys() & given.keys():
        values = given.getlist(name)
        fault = _fault(known[name], values)
        if fault:
            faults.append(f"{name}: {fault}")
        elif known[name].is_number:
            numbers[name] = _number(known[name], values[0])
        else:
            words[name] = tuple(values)
    if faults:
        taken = ", ".join(known) or "none"
        raise InvalidRequest("; ".join(sorted(faults)), remedy=f"parameters here: {taken}")
    return Query(numbers, words)


def _fault(param: Param, values: Sequence[str]) -> str | None:
    if len(values) > 1 and not param.repeats:
        return "given more than once"
    for value in values:
        if has_control(value) or len(value) > _TEXT_LIMIT:
            return f"control characters, or over {_TEXT_LIMIT} characters"
        if param.choices and value not in param.choices:
            return f"{value!r} is none of {', '.join(param.choices)}"
        if param.low is not None and param.high is not None:
            kind = "number" if param.decimal else "whole number"
            pattern = _DECIMAL if param.decimal else _WHOLE
            readable = pattern.fullmatch(value) is not None
            if not readable or not param.low <= _number(param, value) <= param.high:
                return f"{value!r} is no {kind} from {param.low} to {param.high}"
    return None


def _number(param: Param, value: str) -> float:
    return float(value) if param.decimal else int(value)
