"""Functions that take CloudEvents: parse them, and answer so that no Broker repeats them in vain.

An event is a hint, and whoever can reach the function can forge one: only its type and the identity
of a workload are ever used. Handled, doubled, of no interest or malformed: 204 with an empty body.
Trouble that may pass: 503. Nothing else. Comes in: any request. Goes out: a ``Hint`` for the
function's handler. Before: ``dispatch/main``, ``notify/main``. Next: their handlers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import TypeGuard

from cloudevents.exceptions import GenericException
from cloudevents.http import CloudEvent, from_http
from flask import Request, Response

from sentinels.core.errors import InvalidRequest, SentinelsError, Unavailable
from sentinels.core.job import JobId
from sentinels.core.workload import WorkloadRef
from sentinels.functions.http import (
    NoSuchRoute,
    WrongMethod,
    answered,
    nothing,
    problem,
    read_body,
    reply,
)
from sentinels.functions.json_reading import read_json
from sentinels.functions.telemetry import Telemetry

PING = "dev.knative.sources.ping"
WORKLOAD_ENDED = "dev.sentinels.workload.ended"

_EVENT_LIMIT = 2 * 1024 * 1024
"""Bytes: an object of Kubernetes at its largest, and its envelope."""
_LARGEST_ID = 2**53
_RETRY_AFTER_SECONDS = 5.0

_log = logging.getLogger("sentinels.events")


@dataclass(frozen=True, slots=True)
class Hint:
    """An event's type and its data as it came, unparsed."""

    type: str
    data: bytes

    def workload(self) -> WorkloadRef | None:
        """The workload that the data names; None where it names none."""
        try:
            fields = read_json(self.data)
        except InvalidRequest:
            return None
        if not isinstance(fields, dict):
            return None
        job_id, attempt = fields.get("job_id"), fields.get("attempt")
        if _is_id(job_id) and _is_id(attempt):
            return WorkloadRef(JobId(job_id), attempt)
        return None


@dataclass(frozen=True, slots=True)
class EventFunction:
    """A function behind a Broker, a source or a ticker.

    ``take`` gets each event; ``behind`` says what is wrong with the database, or None.
    """

    take: Callable[[Hint], None]
    behind: Callable[[], str | None]
    telemetry: Telemetry

    def handle(self, request: Request) -> Response:
        """Answer any request: events by POST on any path, and the three pages of every function."""
        route = request.path if request.path in _PAGES else "event"
        return self.telemetry.observed(request, route, lambda asked: answered(asked, self._answer))

    def _answer(self, request: Request) -> Response:
        if request.method == "POST":
            return self._take(request)
        page = _PAGES.get(request.path)
        if page is None:
            raise NoSuchRoute("there is nothing at this path", remedy="POST a CloudEvent")
        if request.method not in {"GET", "HEAD"}:
            raise WrongMethod(request.method, ["GET"])
        return page(self)

    def _take(self, request: Request) -> Response:
        try:
            hint = read_event(request)
        except InvalidRequest as malformed:
            _log.warning("malformed event dropped", extra={"why": str(malformed)})
            return nothing()
        try:
            self.take(hint)
        except SentinelsError as error:
            _log.warning("event not handled", extra={"why": str(error), "type": hint.type})
            return problem(error if isinstance(error, Unavailable) else _retry_later(error))
        except Exception as error:  # noqa: BLE001  # a 500 is not repeated by a source; this is
            _log.exception("event not handled", extra={"type": hint.type})
            return problem(_retry_later(error))
        return nothing()

    def _alive(self) -> Response:
        return reply({"ok": True})

    def _ready(self) -> Response:
        try:
            trouble = self.behind()
        except Unavailable as error:
            trouble = str(error)
        status = HTTPStatus.OK if trouble is None else HTTPStatus.SERVICE_UNAVAILABLE
        return reply({"ok": trouble is None, "detail": trouble}, status)

    def _metrics(self) -> Response:
        return self.telemetry.page()


_PAGES = MappingProxyType(
    {
        "/healthz": EventFunction._alive,
        "/readyz": EventFunction._ready,
        "/metrics": EventFunction._metrics,
    }
)


def read_event(request: Request) -> Hint:
    """The event of a request in binary or structured mode. Raises ``InvalidRequest``."""
    body = read_body(request, limit=_EVENT_LIMIT)
    headers = dict(request.headers)
    if "Ce-Specversion" not in headers:
        read_json(body)
    try:
        event: CloudEvent = from_http(headers, body, data_unmarshaller=_as_bytes)
    except (GenericException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidRequest(f"this is no CloudEvent: {type(error).__name__}") from error
    data = event.get_data()
    return Hint(str(event["type"])[:200], data if isinstance(data, bytes) else b"")


def _as_bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _is_id(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 < value <= _LARGEST_ID


def _retry_later(error: Exception) -> Unavailable:
    """What is told about an error that only the log explains: its text may hold an address."""
    return Unavailable(
        f"the event could not be handled: {type(error).__name__}",
        remedy="it may be sent again",
        retry_after=_RETRY_AFTER_SECONDS,
    )
