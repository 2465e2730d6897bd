"""One bounded question to a service over HTTP: whether it is there, and what it says first.

Comes in: an address. Goes out: a status and the beginning of a body, or ``Unavailable`` with the
address without its password. Before: ``search``, ``prometheus``.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import httpx

from sentinels.core.errors import InvalidRequest, Unavailable

_BODY_LIMIT = 64 * 1024
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, its body as far as it was read."""

    status: int
    body: bytes

    @property
    def good(self) -> bool:
        """Whether it is a 200."""
        return self.status == httpx.codes.OK


def shown(url: str) -> str:
    """An address as it may be printed. Raises ``InvalidRequest`` for a text that is none."""
    try:
        return str(httpx.URL(url).copy_with(userinfo=b"")).rstrip("/")
    except httpx.InvalidURL as error:
        raise InvalidRequest(
            f"an address cannot be understood: {error}", remedy="it is like http://host:port"
        ) from error


def ask(what: str, url: str, path: str, *, seconds: float, remedy: str) -> Answer:
    """GET a page of ``what``, the service's name. Raises ``Unavailable`` for silence."""
    address, end = shown(url), time.monotonic() + seconds
    body = b""
    try:
        with httpx.stream("GET", url.rstrip("/") + path, timeout=seconds) as answer:
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _BODY_LIMIT or time.monotonic() > end:
                    break
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = _ERRNO.sub("", str(error)) or type(error).__name__
        raise Unavailable(f"{what} at {address} does not answer: {why}", remedy=remedy) from error
    return Answer(answer.status_code, body)
