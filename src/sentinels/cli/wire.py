"""One HTTP exchange a connection, through the standard library's client.

Comes in: a request. Goes out: an answer, or an ``OSError`` when there is no whole one. Before:
``client``.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: the path with its query, below the server's address."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; the headers' names are in small letters. Its body is read once."""

    status: int
    headers: Mapping[str, str]
    stream: http.client.HTTPResponse

    def blocks(self) -> Iterator[bytes]:
        """The body piece by piece. Raises ``OSError`` where the connection breaks off in it."""
        try:
            while block := self.stream.read(_BLOCK):
                yield block
        except http.client.HTTPException as error:
            raise _broken(error) from error
        if self.stream.length:
            raise ConnectionResetError("the connection broke off in the middle of the answer")

    def content(self) -> bytes:
        """The whole body."""
        return b"".join(self.blocks())


@contextmanager
def exchange(url: str, request: Request, *, seconds: float) -> Iterator[Answer]:
    """Send a request to the server at ``url``; silence is borne for ``seconds``.

    Raises ``OSError``.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=seconds)
    try:
        stream = _answered(connection, parts.path, request)
        headers = {name.lower(): value for name, value in stream.getheaders()}
        yield Answer(stream.status, headers, stream)
    finally:
        connection.close()


def _answered(
    connection: http.client.HTTPConnection, base: str, request: Request
) -> http.client.HTTPResponse:
    try:
        connection.request(request.method, base + request.path, request.body, dict(request.headers))
        return connection.getresponse()
    except http.client.RemoteDisconnected as error:
        raise ConnectionResetError("the connection ended without an answer") from error
    except http.client.BadStatusLine as error:
        raise OSError("what answers there does not speak HTTP") from error
    except http.client.HTTPException as error:
        raise _broken(error) from error


def _broken(error: http.client.HTTPException) -> OSError:
    if isinstance(error, http.client.IncompleteRead):
        return ConnectionResetError("the connection broke off in the middle of the answer")
    return OSError(f"the answer makes no sense: {type(error).__name__}")
