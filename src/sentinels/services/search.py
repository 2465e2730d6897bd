"""The search store that keeps logs, Elasticsearch or OpenSearch: whether it answers.

Comes in: its address. Goes out: its name and version. Before: ``functions/submit``. Next:
``asking``.
"""

from __future__ import annotations

import json

from sentinels.core.errors import Unavailable
from sentinels.core.text import printable
from sentinels.services.asking import ask, shown

_REMEDY = "start the search store, or correct SENTINELS_SEARCH_URL; jobs go on without it"


def greet_search_store(url: str, *, seconds: float) -> str:
    """What answers there, as in ``OpenSearch 3.1.0``. Raises ``Unavailable``."""
    answer = ask("the search store", url, "/", seconds=seconds, remedy=_REMEDY)
    at = f"the search store at {shown(url)}"
    if answer.status in {401, 403}:
        remedy = "give a user and a password in SENTINELS_SEARCH_URL"
        raise Unavailable(f"{at} does not let us in: {answer.status}", remedy=remedy)
    if not answer.good:
        raise Unavailable(f"{at} answered {answer.status}", remedy=_REMEDY)
    found = _product(answer.body)
    if found is None:
        raise Unavailable(f"what answers at {shown(url)} is no search store", remedy=_REMEDY)
    return found


def _product(body: bytes) -> str | None:
    try:
        said = json.loads(body)
        version = said["version"]
        kind = "OpenSearch" if version.get("distribution") == "opensearch" else "Elasticsearch"
        return f"{kind} {printable(str(version['number'])[:40])}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
