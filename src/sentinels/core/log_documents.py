"""A line as the log store keeps it: a document of the index of its day, and what each field is.

Whoever brings lines keeps to this: the runner on one machine, the chart's log shipper elsewhere
(``helm/sentinels/files/record.lua``). A document's id is made of what it is a line of and of where
it stands there, so that a line that is brought twice is kept once. Comes in: a line, and whose it
is. Goes out: JSON. Next: ``services/log_store``, ``clusters/local/shipping``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from sentinels.core.log_lines import SECOND_NS, format_time
from sentinels.core.log_store import LogLine

if TYPE_CHECKING:
    from sentinels.core.ports import Json

TEMPLATE_NAME = "sentinels-logs"
INDICES = "sentinels-logs-*"
_INDEX = re.compile(r"sentinels-logs-(\d{4})\.(\d\d)\.(\d\d)(?:-mended)?", re.ASCII)
_LONGEST_LINE = 20_000_000
"""Characters of one line in which a search may mark what it found."""

_KEYWORD: dict[str, Json] = {"type": "keyword", "ignore_above": 1024}
_FIELDS: dict[str, Json] = {
    "@timestamp": {"type": "date_nanos"},
    "at_ns": {"type": "long"},
    "job": {"type": "long"},
    "attempt": {"type": "integer"},
    "workload": _KEYWORD,
    "team": _KEYWORD,
    "user": _KEYWORD,
    "experiment": _KEYWORD,
    "node": _KEYWORD,
    "pod": _KEYWORD,
    "stream": _KEYWORD,
    "message": {"type": "text", "norms": False},
    "ends": {"type": "boolean"},
    "id": _KEYWORD,
}
TEMPLATE: dict[str, Json] = {
    "index_patterns": [INDICES],
    "priority": 300,
    "template": {
        "settings": {
            "number_of_shards": 1,
            "auto_expand_replicas": "0-1",
            "refresh_interval": "1s",
            "highlight.max_analyzed_offset": _LONGEST_LINE,
        },
        "mappings": {"dynamic": False, "properties": _FIELDS},
    },
}
"""What the store is told once, before any line comes; Elasticsearch and OpenSearch read it alike.

``at_ns`` sorts to the nanosecond, which no date does for whoever asks; it is brought as text, for
no number of Lua or JavaScript is that long.
"""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose lines they are, and where they were printed."""

    job: int
    attempt: int
    workload: str
    team: str
    user: str
    experiment: str
    node: str


def index_of(at_ns: int) -> str:
    """The index of a line's day, in UTC."""
    return f"sentinels-logs-{datetime.fromtimestamp(at_ns // SECOND_NS, UTC):%Y.%m.%d}"


def day_of(index: str) -> date | None:
    """The day of an index; None where it is none of these."""
    found = _INDEX.fullmatch(index)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def document(line: LogLine, whose: Whose, document_id: str) -> Mapping[str, Json]:
    """The line as it is kept."""
    kept: dict[str, Json] = {
        "@timestamp": format_time(line.at_ns),
        "at_ns": str(line.at_ns),
        "job": whose.job,
        "attempt": whose.attempt,
        "workload": whose.workload,
        "team": whose.team,
        "user": whose.user,
        "experiment": whose.experiment,
        "node": whose.node,
        "message": line.text,
        "id": document_id,
    }
    return kept if line.ends else {**kept, "ends": False}
