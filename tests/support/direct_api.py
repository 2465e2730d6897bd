"""The API server itself, for tests that ask it behind the product's back.

Comes in: a kubeconfig. Goes out: plain JSON, and watches as iterators. Each call is a connection of
its own, so that threads may share a door.
"""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

Body = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """Where a kubeconfig's current context leads, and as whom."""

    server: str
    tls: ssl.SSLContext | None
    headers: Mapping[str, str]


def read_target(kubeconfig: Path) -> Target:
    """Read the current context of a kubeconfig with certificates or a token."""
    config = yaml.safe_load(kubeconfig.read_text())
    clusters, users, contexts = (
        {entry["name"]: entry.get(kind) or {} for entry in config[f"{kind}s"]}
        for kind in ("cluster", "user", "context")
    )
    context = contexts[config["current-context"]]
    cluster, user = clusters[context["cluster"]], users[context["user"]]
    headers = {"Authorization": f"Bearer {user['token']}"} if user.get("token") else {}
    if not cluster["server"].startswith("https:"):
        return Target(cluster["server"], None, headers)
    authority = _content(cluster, "certificate-authority", kubeconfig).decode()
    tls = ssl.create_default_context(cadata=authority or None)
    if certificate := _content(user, "client-certificate", kubeconfig):
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(certificate + b"\n" + _content(user, "client-key", kubeconfig))
            pair.flush()
            tls.load_cert_chain(pair.name)
    return Target(cluster["server"], tls, headers)


def _content(entry: Mapping[str, str], name: str, kubeconfig: Path) -> bytes:
    if data := entry.get(f"{name}-data"):
        return base64.b64decode(data)
    path = entry.get(name)
    return (kubeconfig.parent / path).read_bytes() if path else b""


class ApiError(Exception):
    """The API server said no, or nothing."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True)
class DirectApi:
    """One API server."""

    kubeconfig: Path
    timeout: float = 20

    @cached_property
    def target(self) -> Target:
        return read_target(self.kubeconfig)

    def get(self, path: str, **query: str | int) -> Body:
        return self.ask("GET", path, query=query)

    def items(self, path: str, **query: str | int) -> list[Body]:
        return list(self.get(path, **query)["items"])

    def post(self, path: str, body: Body) -> Body:
        return self.ask("POST", path, body)

    def patch(self, path: str, body: Body) -> Body:
        return self.ask("PATCH", path, body, kind="application/merge-patch+json")

    def delete(self, path: str, **query: str | int) -> Body:
        return self.ask("DELETE", path, query=query)

    def ask(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        query: Mapping[str, str | int] | None = None,
        kind: str = "application/json",
    ) -> Body:
        """The answer's body. Raises ``ApiError``."""
        try:
            with closing(self._connection()) as connection:
                got = self._send(connection, method, _with_query(path, query or {}), body, kind)
                answer = json.loads(got.read() or b"{}")
        except (OSError, HTTPException, ValueError) as error:
            raise ApiError(0, f"{type(error).__name__}: {error}") from error
        if got.status >= 400:
            raise ApiError(got.status, str(answer.get("message")))
        return dict(answer)

    def watch(self, path: str, **query: str | int) -> Iterator[Body]:
        """Events as they come, until the server ends the watch. Raises ``ApiError``."""
        try:
            with closing(self._connection()) as connection:
                place = _with_query(path, {**query, "watch": "true"})
                got = self._send(connection, "GET", place, None, "application/json")
                if got.status >= 400:
                    raise ApiError(got.status, got.read(500).decode(errors="replace"))
                while line := got.readline():
                    yield dict(json.loads(line))
        except (OSError, HTTPException, ValueError) as error:
            raise ApiError(0, f"{type(error).__name__}: {error}") from error

    def _connection(self) -> HTTPConnection:
        place = urlsplit(self.target.server)
        assert place.hostname is not None
        if self.target.tls is None:
            return HTTPConnection(place.hostname, place.port, timeout=self.timeout)
        return HTTPSConnection(
            place.hostname, place.port, timeout=self.timeout, context=self.target.tls
        )

    def _send(
        self, connection: HTTPConnection, method: str, path: str, body: Body | None, kind: str
    ) -> HTTPResponse:
        headers = {**self.target.headers, "Accept": "application/json"}
        data = None
        if body is not None:
            headers["Content-Type"] = kind
            data = json.dumps(body).encode()
        connection.request(method, path, data, headers)
        return connection.getresponse()


def _with_query(path: str, query: Mapping[str, str | int]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
