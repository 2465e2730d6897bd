"""JSON over HTTP to the submit function.

Comes in: a method, a path, JSON. Goes out: JSON, or an error of ``core.errors``. Before: the
commands. Next: ``wire``, then ``functions/submit``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, urlencode

from sentinels.cli.address import Address, find_address
from sentinels.cli.problems import from_answer
from sentinels.cli.wire import Request, exchange
from sentinels.core.errors import InvalidRequest, Unavailable

Json = dict[str, object]
_SECONDS = 30.0
_FILE_SECONDS = 300.0
_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.5


class Client:
    """One server; a connection a request, so that a restart of the server is no matter."""

    def __init__(self, address: Address | None = None) -> None:
        """Speak to this server, or to the one that ``find_address`` finds."""
        self._address = address or find_address()

    @property
    def url(self) -> str:
        """The server's address."""
        return self._address.url

    def get(self, path: str, query: Mapping[str, object] | None = None, *, wait: float = 0) -> Json:
        """GET, waiting up to ``wait`` seconds longer for a long poll."""
        content = self._send(self._request("GET", path + _query(query)), seconds=_SECONDS + wait)
        return self._decoded(b"".join(content))

    def get_blocks(self, path: str, query: Mapping[str, object] | None = None) -> Iterator[bytes]:
        """GET a file's content, block by block. Raises also in the middle of it."""
        return self._send(self._request("GET", path + _query(query)), seconds=_FILE_SECONDS)

    def post(
        self,
        path: str,
        body: Json | None = None,
        *,
        key: str | None = None,
        query: Mapping[str, object] | None = None,
    ) -> Json:
        """POST; ``key`` makes a repetition harmless."""
        content = json.dumps(body or {}).encode()
        request = self._request("POST", path + _query(query), content, key=key)
        return self._decoded(b"".join(self._send(request, seconds=_SECONDS)))

    def put(self, path: str, body: Json, query: Mapping[str, object] | None = None) -> Json:
        """PUT; may be repeated."""
        request = self._request("PUT", path + _query(query), json.dumps(body).encode())
        return self._decoded(b"".join(self._send(request, seconds=_SECONDS)))

    def _request(
        self, method: str, path: str, body: bytes | None = None, *, key: str | None = None
    ) -> Request:
        headers = {"Authorization": f"Bearer {self._address.token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        return Request(method, path, headers, body)

    def _send(self, request: Request, *, seconds: float) -> Iterator[bytes]:
        try:
            with exchange(self._address.url, request, seconds=seconds) as answer:
                if not 200 <= answer.status < 300:
                    raise from_answer(answer.status, _problem(answer.content()))
                yield from answer.blocks()
        except OSError as error:
            raise self._no_answer(error) from error

    def _no_answer(self, error: OSError) -> Unavailable:
        url, why = self._address.url, error.strerror or str(error) or type(error).__name__
        if self._address.is_here and isinstance(error, ConnectionRefusedError):
            message = f"Sentinels is not running here: nothing answers at {url}"
            return Unavailable(message, remedy="start it: sentinels up")
        remedy = "see what is wrong: sentinels doctor    name another server: sentinels login URL"
        return Unavailable(f"no answer from {url}: {why}", remedy=remedy)

    def _decoded(self, content: bytes) -> Json:
        found = _read(content)
        if found is None:
            raise InvalidRequest(
                f"what answers at {self._address.url} is not Sentinels",
                remedy="name the right server: sentinels login URL, or SENTINELS_URL",
            )
        return found


def job_path(reference: str, *rest: str) -> str:
    """The path of a job by id, name or prefix."""
    return "/".join(["/v1/jobs", quote(reference, safe=""), *(quote(word) for word in rest)])


class Patience:
    """Bears with a server that restarts: trouble is raised only when it has lasted too long."""

    def __init__(self, seconds: float = _PATIENCE_SECONDS) -> None:
        """How long trouble may last."""
        self._seconds = seconds
        self._since: float | None = None

    def bear(self, trouble: Unavailable) -> bool:
        """Pause and try again, or raise; True when this trouble is new."""
        now, new = time.monotonic(), self._since is None
        self._since = now if self._since is None else self._since
        if now - self._since > self._seconds:
            raise trouble
        time.sleep(_PAUSE_SECONDS)
        return new

    def over(self) -> None:
        """The server answered."""
        self._since = None


def _query(query: Mapping[str, object] | None) -> str:
    pairs = [
        (name, str(item))
        for name, value in (query or {}).items()
        for item in (
            value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        )
        if item is not None
    ]
    return f"?{urlencode(pairs)}" if pairs else ""


def _problem(content: bytes) -> Json:
    return _read(content) or {}


def _read(content: bytes) -> Json | None:
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
