"""Event functions over real HTTP: serve one, send it CloudEvents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from sentinels.functions.events import EventFunction
from tests.support.front import Answer
from tests.support.serving import served

_SOURCE = Path(__file__).with_name("event_source.py")
_functions: list[EventFunction] = []


def function() -> EventFunction:
    """The function that the running test made."""
    return _functions[-1]


@contextmanager
def listening(made: EventFunction) -> Iterator[int]:
    """Serve the function as functions-framework does, on the port that is given."""
    _functions.append(made)
    try:
        with served("event", _SOURCE) as port:
            yield port
    finally:
        _functions.pop()


def send(
    port: int,
    body: bytes,
    headers: Mapping[str, str],
    *,
    method: str = "POST",
    path: str = "/",
) -> Answer:
    """Send anything at all."""
    connection = HTTPConnection("127.0.0.1", port, timeout=40)
    try:
        connection.request(method, path, body, dict(headers))
        got = connection.getresponse()
        return Answer(got.status, dict(got.getheaders()), got.read())
    finally:
        connection.close()


def binary(kind: str, data: object = None, /, **attributes: object) -> tuple[bytes, dict[str, str]]:
    """An event in binary mode: body and headers."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/test",
        "ce-type": kind,
        **{f"ce-{name}": str(value) for name, value in attributes.items()},
        "content-type": "application/json",
    }
    return json.dumps(data).encode(), headers


def structured(
    kind: str, data: object = None, /, **attributes: object
) -> tuple[bytes, dict[str, str]]:
    """The same event in structured mode."""
    own = {"specversion": "1.0", "id": "1", "source": "/test", "type": kind}
    event = {**own, **attributes, "data": data}
    return json.dumps(event).encode(), {"content-type": "application/cloudevents+json"}
