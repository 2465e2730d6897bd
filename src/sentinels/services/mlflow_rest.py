"""MLflow's REST API as calls that answer with plain data or raise an error of ours.

Comes in: an address, calls. Goes out: JSON, or ``TrackerUnavailable`` where another moment may
bring another answer, ``TrackerRefused`` where MLflow itself said no. Before: ``mlflow``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import httpx

from sentinels.core.errors import InvalidRequest, TrackerRefused, TrackerUnavailable

Json = dict[str, object]

_API = "/api/2.0/mlflow"
_CONNECT_SECONDS = 2.0
_LATER = "jobs go on without it; what is missed is caught up when it answers"
_REMEDIES: Mapping[int, str] = {
    401: "MLflow asks who we are: give a user and a password in SENTINELS_TRACKER_URL",
    403: "where MLflow says 'Invalid Host header', add this host with its port to --allowed-hosts",
    404: "SENTINELS_TRACKER_URL is the address of MLflow's page, without any path behind it",
}


class MlflowRest:
    """One MLflow server; keeps its connections, may be used by several threads."""

    def __init__(self, url: str, *, timeout: float) -> None:
        """``timeout`` is in seconds, for each answer; connecting gets two at most.

        Raises ``InvalidRequest`` for a text that is no address.
        """
        waits = httpx.Timeout(timeout, connect=min(_CONNECT_SECONDS, timeout))
        try:
            self._http = httpx.Client(base_url=url.rstrip("/"), timeout=waits)
            self.shown = str(httpx.URL(url).copy_with(userinfo=b"")).rstrip("/")
        except httpx.InvalidURL as error:
            raise InvalidRequest(f"MLflow's address is none: {error}") from error

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def ask(self, call: str, body: Json) -> Json:
        """POST ``body`` to one of MLflow's calls, as ``runs/create``; its answer."""
        return self._json(self.send("POST", f"{_API}/{call}", body=body))

    def find(self, call: str, query: Mapping[str, str]) -> Json | None:
        """GET one of MLflow's calls, as ``runs/get``; None where MLflow has no such thing."""
        answer = self.send("GET", f"{_API}/{call}", query=query)
        return None if error_code(answer) == "RESOURCE_DOES_NOT_EXIST" else self._json(answer)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """One request; whatever was answered. Raises ``TrackerUnavailable`` for silence."""
        try:
            return self._http.request(method, path, json=body, params=query, content=content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise TrackerUnavailable(
                f"MLflow at {self.shown} does not answer: {why}", remedy=_LATER
            ) from error

    def check(self, answer: httpx.Response) -> None:
        """Raise what an answer other than a success means."""
        if answer.is_success:
            return
        code, status = error_code(answer), answer.status_code
        said = f"MLflow at {self.shown} answered {status}: {_message(answer)}"
        if code and 400 <= status < 500 and status != httpx.codes.TOO_MANY_REQUESTS:
            raise TrackerRefused(said, remedy="change what MLflow does not take")
        raise TrackerUnavailable(
            said, remedy=_REMEDIES.get(status, _LATER), retry_after=_retry_after(answer)
        )

    def _json(self, answer: httpx.Response) -> Json:
        self.check(answer)
        found = _object(answer)
        if found is None:
            said = f"what answers at {self.shown} is not MLflow: {answer.text[:80]!r}"
            raise TrackerUnavailable(said, remedy=_REMEDIES[404])
        return found


def error_code(answer: httpx.Response) -> str:
    """MLflow's word for what is wrong; empty for a success, or if somebody else answered."""
    return "" if answer.is_success else str((_object(answer) or {}).get("error_code") or "")


def at(answer: object, *path: str) -> object:
    """What lies at ``path`` of nested objects; None where there is nothing."""
    for name in path:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def rows(answer: object, *path: str) -> list[Json]:
    """The list of objects at ``path``; MLflow leaves out empty lists."""
    found = at(answer, *path)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _object(answer: httpx.Response) -> Json | None:
    with suppress(ValueError):
        found = answer.json()
        return found if isinstance(found, dict) else None
    return None


def _message(answer: httpx.Response) -> str:
    return str((_object(answer) or {}).get("message") or answer.text)[:300]


def _retry_after(answer: httpx.Response) -> float | None:
    seconds = answer.headers.get("retry-after", "")
    return min(float(seconds), 3600.0) if seconds.isdecimal() else None
