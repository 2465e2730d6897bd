"""Kibana, or OpenSearch Dashboards: views of the logs, brought there.

Comes in: saved objects, one JSON object a line. Goes out: nothing; what is there already is put in
its place. Before: ``install/logs``.
"""

from __future__ import annotations

import httpx

from sentinels.core.errors import Unavailable
from sentinels.core.text import printable
from sentinels.services.asking import shown

_PATH = "/api/saved_objects/_import"
_HEADERS = {"kbn-xsrf": "sentinels", "osd-xsrf": "sentinels"}
"""What each of the two wants to see, so that no page of somebody else's can ask."""
_REMEDY = "import helm/sentinels/files/kibana.ndjson by hand: Stack Management, Saved Objects"
_SAID_LIMIT = 300


def import_objects(url: str, content: bytes, *, seconds: float) -> None:
    """Bring saved objects. Raises ``Unavailable``; may be repeated."""
    files = {"file": ("sentinels.ndjson", content, "application/ndjson")}
    at = f"Kibana at {shown(url)}"
    try:
        answer = httpx.post(
            url.rstrip("/") + _PATH,
            params={"overwrite": "true"},
            headers=_HEADERS,
            files=files,
            timeout=seconds,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = str(error) or type(error).__name__
        raise Unavailable(f"{at} does not answer: {why}", remedy=_REMEDY) from error
    if not (answer.is_success and _took_all(answer)):
        said = printable(answer.text)[:_SAID_LIMIT]
        raise Unavailable(f"{at} answered {answer.status_code}: {said}", remedy=_REMEDY)


def _took_all(answer: httpx.Response) -> bool:
    try:
        found = answer.json()
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("success") is True
