"""One node at a time: what is on it, and taking it out of service.

Whoever looks after nodes has to know of every team's jobs on them, so this is for operators. Comes
in: an ``Ask``. Goes out: what still runs there and until when, what would fit nowhere else.
Before: ``routes``. Next: ``core/retiring``.
"""

from __future__ import annotations

from flask import Response

from sentinels.core.errors import InvalidRequest
from sentinels.core.ports import Json
from sentinels.core.queueing import NodeWish
from sentinels.core.retiring import Stranded, leaving, wish_node
from sentinels.core.rights import Act
from sentinels.functions.http import read_body, reply
from sentinels.functions.json_reading import read_json
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.shaping import node_job_json, node_json, request_json


def show_node(ask: Ask) -> Response:
    """One node, and what taking it away would mean."""
    ask.need(Act.GOVERN, "look at what taking a node away would mean")
    reading, name = ask.door.reading, ask.names["name"]
    found = leaving(name, reading.nodes(ask.caller), reading.node_jobs(name), reading.lanes())
    return reply(
        {
            "node": node_json(found.view),
            "running": [node_job_json(job) for job in found.running],
            "launching": [node_job_json(job) for job in found.launching],
            "stranded": [_stranded_json(each) for each in found.stranded],
            "closed": found.is_closed,
            "empty": found.is_empty,
        }
    )


def retire_node(ask: Ask) -> Response:
    """Close a node to new work, or open it again, and show it."""
    ask.need(Act.GOVERN, "retire a node")
    wish = NodeWish.OPEN if _undo(read_body(ask.request)) else NodeWish.CLOSE
    wish_node(ask.door.ports, ask.caller, ask.names["name"], wish)
    return show_node(ask)


def _undo(body: bytes) -> bool:
    given = read_json(body) if body else {}
    undo = given.get("undo", False) if isinstance(given, dict) else None
    if not isinstance(given, dict) or set(given) - {"undo"} or not isinstance(undo, bool):
        raise InvalidRequest(
            'the body must be {} or {"undo": true}', remedy="undo opens the node again"
        )
    return undo


def _stranded_json(stranded: Stranded) -> dict[str, Json]:
    lane = stranded.lane
    return {
        "job": lane.job_id,
        "team": lane.team,
        "waiting": lane.waiting,
        "resources": request_json(lane.resources),
        "why": stranded.why,
    }
