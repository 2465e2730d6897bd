"""HTTP to the submit function, with the standard library: it starts faster than any other client.

Comes in: a method, a path, JSON. Goes out: JSON, or an error of ``core.errors``. Before: the
commands. Next: ``functions/submit``.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode, urlsplit

from sentinels.cli.address import Address, find_address
from sentinels.cli.problems import from_answer
from sentinels.core.errors import Unavailable

Json = dict[str, object]
_SECONDS = 30.0
_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.5


class Client:
    """One server; a connection a request, so that a restart of the server is no matter."""

    def __init__(self, address: Address | None = None) -> None:
        """Speak to this server, or to the one that ``find_address`` finds."""
        self._address = address or find_address()

    def get(self, path: str, query: Mapping[str, object] | None = None, *, wait: float = 0) -> Json:
        """GET, waiting up to ``wait`` seconds longer for a long poll."""
        return _decoded(self._send("GET", path + _query(query), seconds=_SECONDS + wait))

    def get_bytes(self, path: str, query: Mapping[str, object] | None = None) -> bytes:
        """GET a file's content."""
        return self._send("GET", path + _query(query), seconds=300)

    def post(self, path: str, body: Json | None = None, *, key: str | None = None) -> Json:
        """POST; ``key`` makes a repetition harmless."""
        headers = {"Idempotency-Key": key} if key else {}
        content = json.dumps(body or {}).encode()
        return _decoded(self._send("POST", path, content, headers=headers))

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        seconds: float = _SECONDS,
    ) -> bytes:
        parts = urlsplit(self._address.url)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(parts.hostname or "", parts.port, timeout=seconds)
        sent = {"Authorization": f"Bearer {self._address.token}", "Accept": "application/json"}
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, parts.path + path, body, {**sent, **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise from_answer(answer.status, _problem(content))
        return content

    def _no_answer(self, error: Exception) -> Unavailable:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Unavailable(
            f"no answer from {self._address.url}: {why}",
            remedy="see what is down: sentinels doctor    start it here: sentinels up",
        )


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


def _decoded(content: bytes) -> Json:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise Unavailable("the server's answer is no JSON; is this the right address?") from error
    return found if isinstance(found, dict) else {}


def _problem(content: bytes) -> Json:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
