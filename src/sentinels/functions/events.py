"""Functions that take CloudEvents: parse them, and answer so that no Broker repeats them in vain.

An event is a hint, and whoever can reach the function can forge one: only its type and the identity
of a workload are ever used. ApiServerSource's events name an object of Kubernetes in their
extensions and in their subject; what they carry is read only where both are missing. Handled,
doubled, of no interest or malformed: 204 with an empty body. Trouble that may pass: 503. Nothing
else. Comes in: any request. Goes out: a ``Hint`` for the function's handler. Before:
``dispatch/main``, ``notify/main``. Next: their handlers.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
API_SERVER = "dev.knative.apiserver."
"""What ApiServerSource's types begin with: ``resource`` carries the object, ``ref`` its name."""

_EVENT_LIMIT = 2 * 1024 * 1024
"""Bytes: an object of Kubernetes at its largest, and its envelope."""
_LARGEST_ID = 2**53
_WORKLOAD_NAME = re.compile(r"sentinels-([1-9][0-9]{0,14})-([1-9][0-9]{0,8})")
_JOB_PATH = re.compile(r"/apis/batch/v1/namespaces/[^/]+/jobs/([^/]+)")
_RETRY_AFTER_SECONDS = 5.0

_log = logging.getLogger("sentinels.events")


@dataclass(frozen=True, slots=True)
class Hint:
    """An event's type, its attributes as text, and its data as it came, unparsed."""

    type: str
    data: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)

    def workload(self) -> WorkloadRef | None:
        """The workload that the event is about; None where it is about none of ours."""
        if self.type == WORKLOAD_ENDED:
            return self._told()
        if self.type.startswith(API_SERVER):
            return self._watched()
        return None

    def _told(self) -> WorkloadRef | None:
        fields = self._fields()
        job_id, attempt = fields.get("job_id"), fields.get("attempt")
        if _is_id(job_id) and _is_id(attempt):
            return WorkloadRef(JobId(job_id), attempt)
        return None

    def _watched(self) -> WorkloadRef | None:
        kind = self.attributes.get("kind")
        if kind is not None and kind != "Job":
            return None
        if name := self.attributes.get("name"):
            return _ref_of(name)
        if subject := self.attributes.get("subject"):
            found = _JOB_PATH.fullmatch(subject)
            return _ref_of(found[1]) if found else None
        return self._carried()

    def _carried(self) -> WorkloadRef | None:
        fields = self._fields()
        if fields.get("kind") != "Job":
            return None
        metadata = fields.get("metadata")
        name = (metadata if isinstance(metadata, dict) else fields).get("name")
        return _ref_of(name) if isinstance(name, str) else None

    def _fields(self) -> dict[str, object]:
        try:
            fields = read_json(self.data)
        except InvalidRequest:
            return {}
        return fields if isinstance(fields, dict) else {}


@dataclass(frozen=True, slots=True)
class EventFunction:
    """A function behind a Broker, a source or a ticker.

    ``take`` gets each event, but ``apart`` those of its paths; ``behind`` says what is wrong with
    the database, or None.
    """

    take: Callable[[Hint], None]
    behind: Callable[[], str | None]
    telemetry: Telemetry
    apart: Mapping[str, Callable[[Hint], None]] = field(default_factory=dict)

    def handle(self, request: Request) -> Response:
        """Answer any request: events by POST on any path, and the three pages of every function."""
        route = request.path if request.path in {*_PAGES, *self.apart} else "event"
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
            self.apart.get(request.path, self.take)(hint)
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
    attributes = {
        name: str(value)
        for name, value in event.get_attributes().items()
        if isinstance(value, str) or type(value) is int
    }
    return Hint(str(event["type"])[:200], data if isinstance(data, bytes) else b"", attributes)


def _as_bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _ref_of(name: str) -> WorkloadRef | None:
    found = _WORKLOAD_NAME.fullmatch(name)
    return WorkloadRef(JobId(int(found[1])), int(found[2])) if found else None


def _is_id(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 < value <= _LARGEST_ID


def _retry_later(error: Exception) -> Unavailable:
    """What is told about an error that only the log explains: its text may hold an address."""
    return Unavailable(
        f"the event could not be handled: {type(error).__name__}",
        remedy="it may be sent again",
        retry_after=_RETRY_AFTER_SECONDS,
    )
