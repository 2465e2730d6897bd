"""A CloudEvent in binary mode to a function, and whether it was taken.

Comes in: a function's address, an event's attributes and data. Goes out: one HTTP request. Before:
``ping``, ``apiserver``. Next: ``functions/events``.
"""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Mapping
from urllib.parse import urlsplit

from sentinels.clock import utc_now

_TIMEOUT_SECONDS = 60.0


def deliver(url: str, attributes: Mapping[str, str], data: object) -> bool:
    """Send one event; True if the function took it, whatever it made of it."""
    own = {"specversion": "1.0", "id": str(uuid.uuid4()), "time": utc_now().isoformat()}
    headers = {f"ce-{name}": value for name, value in {**own, **attributes}.items()}
    headers["content-type"] = "application/json"
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("POST", address.path or "/", json.dumps(data).encode(), headers)
        return connection.getresponse().status == http.HTTPStatus.NO_CONTENT
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
