"""JSON from strangers: what a lenient parser lets through is refused here, by name.

Comes in: a body of bounded size. Goes out: plain data that can be stored as it is, or
``InvalidRequest``. Next: ``submit/pushing``.
"""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from sentinels.core.errors import InvalidRequest

DEPTH_LIMIT = 20
"""Arrays and objects inside one another."""

_NUMBER_DIGITS = 40
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
"""Strings whole, so that brackets inside them do not count. An open string takes the rest."""


def read_json(body: bytes) -> object:
    """Parse a body strictly: UTF-8, bounded depth, no key twice, no NaN, no half characters."""
    text = _decoded(body)
    _check_depth(text)
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidRequest(f"the body is no JSON: {error.msg} at {place}") from error
    _check_characters(value)
    return value


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the body is not UTF-8: byte {error.start} begins nothing") from error


def _check_depth(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        if depth > DEPTH_LIMIT:
            raise InvalidRequest(
                f"the body is nested more than {DEPTH_LIMIT} deep", remedy="flatten it"
            )


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidRequest(f"the key {key[:100]!r} is given twice", remedy="keep one of them")
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise InvalidRequest(f"{name} is no JSON", remedy="use null, or a finite number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InvalidRequest(f"the number {text[:_NUMBER_DIGITS]} is too large")
    return value


def _int(text: str) -> int:
    if len(text) > _NUMBER_DIGITS:
        raise InvalidRequest(f"a number has {len(text)} digits; {_NUMBER_DIGITS} are allowed")
    return int(text)


def _check_characters(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            "a text holds half of a surrogate pair, which is no character"
        ) from error
