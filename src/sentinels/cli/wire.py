"""HTTP/1.1 over a socket, one exchange a connection: as much of it as a command line needs.

``http.client`` would bring TLS and the parsing of e-mail into every start: 15 ms of a command's 80.
TLS comes only with an https address. Comes in: a request. Goes out: an answer, or an ``OSError``
when there is no whole one. Before: ``client``.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import SplitResult, urlsplit

_BLOCK = 64 * 1024
_LONGEST_LINE = 64 * 1024
_MOST_HEADERS = 200


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
    stream: BinaryIO

    def blocks(self) -> Iterator[bytes]:
        """The body piece by piece. Raises ``OSError`` where the connection breaks off in it."""
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return _chunks(self.stream)
        if (length := self.headers.get("content-length")) is not None:
            return _measured(self.stream, _number(length, base=10))
        return iter(lambda: self.stream.read(_BLOCK), b"")

    def content(self) -> bytes:
        """The whole body."""
        return b"".join(self.blocks())


@contextmanager
def exchange(url: str, request: Request, *, seconds: float) -> Iterator[Answer]:
    """Send a request to the server at ``url``; silence is borne for ``seconds``.

    Raises ``OSError``.
    """
    parts = urlsplit(url)
    with _connected(parts, seconds) as connection, connection.makefile("rb") as stream:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it heard all
            connection.sendall(_head(parts, request) + (request.body or b""))
        status = _status(stream)
        while 100 <= status < 200:
            _headers(stream)
            status = _status(stream)
        yield Answer(status, _headers(stream), stream)


def _connected(parts: SplitResult, seconds: float) -> socket.socket:
    secure, host = parts.scheme == "https", parts.hostname or ""
    connection = socket.create_connection((host, parts.port or (443 if secure else 80)), seconds)
    if not secure:
        return connection
    import ssl

    try:
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    except OSError:
        connection.close()
        raise


def _head(parts: SplitResult, request: Request) -> bytes:
    headers = {
        "Host": parts.netloc.rpartition("@")[2],
        "Connection": "close",
        "Accept-Encoding": "identity",
        **request.headers,
    }
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {parts.path}{request.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _status(stream: BinaryIO) -> int:
    words = _line(stream).split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise OSError("what answers there does not speak HTTP")
    return int(words[1])


def _headers(stream: BinaryIO) -> dict[str, str]:
    found: dict[str, str] = {}
    for _ in range(_MOST_HEADERS):
        line = _line(stream).rstrip(b"\r\n")
        if not line:
            return found
        name, _, value = line.decode("latin-1").partition(":")
        found[name.strip().lower()] = value.strip()
    raise OSError("the answer has too many headers")


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while size := _number(_line(stream).partition(b";")[0].decode("latin-1"), base=16):
        yield from _measured(stream, size)
        _line(stream)
    _headers(stream)


def _measured(stream: BinaryIO, left: int) -> Iterator[bytes]:
    while left > 0:
        block = stream.read(min(_BLOCK, left))
        if not block:
            raise ConnectionResetError("the connection broke off in the middle of the answer")
        left -= len(block)
        yield block


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise ConnectionResetError("the connection ended without an answer")
    return line


def _number(text: str, *, base: int) -> int:
    try:
        number = int(text.strip(), base)
    except ValueError:
        number = -1
    if number < 0:
        raise OSError("the answer's length makes no sense")
    return number
