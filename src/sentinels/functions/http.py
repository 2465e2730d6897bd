"""HTTP as the three functions speak it: problem+json, bounded bodies, an answer to whatever comes.

Comes in: a request as functions-framework hands it over. Goes out: a response: an expected error in
its own words, an unexpected one under an id that only the log explains. Next: ``routing``,
``json_reading``, then each function's ``handler``.
"""

from __future__ import annotations

import json
import logging
import math
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus

from flask import Request, Response

from sentinels.core.errors import (
    Ambiguous,
    Conflict,
    InvalidQuery,
    InvalidRequest,
    InvalidSubmission,
    NotAllowed,
    NotFound,
    SentinelsError,
    Unavailable,
    UnknownCaller,
)
from sentinels.core.ports import Json
from sentinels.core.text import printable

BODY_LIMIT = 256 * 1024
"""Bytes; more is refused before it is parsed."""

_DRAIN_LIMIT = 32 * 1024 * 1024
_BLOCK = 64 * 1024
_RETRY_AFTER_SECONDS = 5.0

_log = logging.getLogger("sentinels.http")


class NoSuchRoute(NotFound):
    """There is nothing at this path."""


class WrongMethod(InvalidRequest):
    """The path is there, but not for this method; ``allowed`` are those it takes."""

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{method} is not for this path", remedy=f"use {' or '.join(allowed)}")
        self.allowed = tuple(allowed)


class BodyTooLarge(InvalidRequest):
    """The body is over the limit; nothing of it was looked at."""


_STATUS: Mapping[type[SentinelsError], HTTPStatus] = {
    InvalidSubmission: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidRequest: HTTPStatus.BAD_REQUEST,
    WrongMethod: HTTPStatus.METHOD_NOT_ALLOWED,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NotFound: HTTPStatus.NOT_FOUND,
    Ambiguous: HTTPStatus.CONFLICT,
    Conflict: HTTPStatus.CONFLICT,
    NotAllowed: HTTPStatus.FORBIDDEN,
    UnknownCaller: HTTPStatus.UNAUTHORIZED,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    SentinelsError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of an error is that of the nearest of its classes; see ``core.errors``."""


def reply(body: Json, status: int = HTTPStatus.OK) -> Response:
    """A JSON answer."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text + "\n", status, mimetype="application/json")


def nothing() -> Response:
    """The only answer to an event that a Broker takes for success: 204 and an empty body."""
    return Response(status=HTTPStatus.NO_CONTENT)


def answered(request: Request, handle: Callable[[Request], Response]) -> Response:
    """The handler's answer, or a problem where it raised; the request's body is used up after."""
    try:
        response = handle(request)
    except SentinelsError as error:
        response = problem(error)
    except Exception:  # noqa: BLE001  # the last line of defence: logged, and told as an id
        response = _crash(request)
    return response if _used_up(request) else _closing(response)


def problem(error: SentinelsError) -> Response:
    """An expected error as problem+json (RFC 9457); what it repeats of others is harmless."""
    status = status_of(error)
    faults = error.faults if isinstance(error, InvalidSubmission) else ()
    body: dict[str, Json] = {
        "type": f"/problems/{_kebab(type(error).__name__)}",
        "title": _title(error),
        "status": int(status),
        "detail": printable(str(error), keep_newlines=True),
        "remedy": error.remedy and printable(error.remedy, keep_newlines=True),
        "faults": [asdict(fault) for fault in faults],
        "candidates": list(error.candidates) if isinstance(error, Ambiguous) else [],
    }
    if isinstance(error, InvalidQuery) and error.position is not None:
        body["position"] = error.position
    response = reply(body, status)
    response.mimetype = "application/problem+json"
    for name, value in _headers(error).items():
        response.headers[name] = value
    return response


def status_of(error: SentinelsError) -> HTTPStatus:
    """The status that an expected error is told with."""
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def read_body(request: Request, *, limit: int = BODY_LIMIT) -> bytes:
    """The body. Raises ``BodyTooLarge``; never holds more than ``limit`` bytes."""
    announced = request.content_length or 0
    data = b"" if announced > limit else request.stream.read(limit + 1)
    if max(announced, len(data)) > limit:
        raise BodyTooLarge(
            f"the body has {f'{announced} bytes' if announced else 'too many bytes'}; "
            f"{limit} are allowed",
            remedy="send less: data belongs into the data store, code into the image",
        )
    return data


def _headers(error: SentinelsError) -> dict[str, str]:
    match error:
        case UnknownCaller():
            return {"WWW-Authenticate": 'Bearer realm="sentinels"'}
        case WrongMethod():
            return {"Allow": ", ".join(error.allowed)}
        case Unavailable():
            return {"Retry-After": str(math.ceil(error.retry_after or _RETRY_AFTER_SECONDS))}
        case _:
            return {}


def _title(error: SentinelsError) -> str:
    """The first sentence of what its class says about itself."""
    return (type(error).__doc__ or "").partition(";")[0].partition("\n")[0].rstrip(".")


def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def _crash(request: Request) -> Response:
    """What the log knows under an id, the caller is only told the id of."""
    crash_id = secrets.token_hex(6)
    _log.exception(
        "unexpected error", extra={"crash": crash_id, "method": request.method, "at": request.path}
    )
    body: dict[str, Json] = {
        "type": "/problems/internal-error",
        "title": "Internal error",
        "status": int(HTTPStatus.INTERNAL_SERVER_ERROR),
        "detail": f"something went wrong that should not; the log knows it as {crash_id}",
        "remedy": "the same request may be repeated; if it happens again, report the id",
        "faults": [],
        "candidates": [],
    }
    response = reply(body, HTTPStatus.INTERNAL_SERVER_ERROR)
    response.mimetype = "application/problem+json"
    return response


def _used_up(request: Request) -> bool:
    """Read the rest of the body away, so that the client gets to reading its answer.

    functions-framework would otherwise read all of it into memory after the handler.
    """
    if (request.content_length or 0) > _DRAIN_LIMIT:
        return False
    left = _DRAIN_LIMIT
    while left > 0:
        block = request.stream.read(min(_BLOCK, left))
        if not block:
            return True
        left -= len(block)
    return False


def _closing(response: Response) -> Response:
    """The answer as a stream, which nobody makes wait for the body, and the connection's end."""
    data = response.get_data()
    response.response = iter([data])
    response.headers["Content-Length"] = str(len(data))
    response.headers["Connection"] = "close"
    return response
