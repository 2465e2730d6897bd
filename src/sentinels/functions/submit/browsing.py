"""Jobs one by one and in lists, their history, the queue, the nodes, the notices.

Comes in: an ``Ask``. Goes out: JSON; every list is bounded. Before: ``routes``. Next:
``placing``, ``core/reading``.
"""

from __future__ import annotations

import base64
import binascii

from flask import Response

from sentinels.core.errors import InvalidRequest
from sentinels.core.job import JobState
from sentinels.core.reading import JobFilter
from sentinels.functions.http import reply
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.lacking import lacking
from sentinels.functions.submit.placing import jobs_json, pages_of
from sentinels.functions.submit.shaping import attempt_json, event_json, node_json, notice_json
from sentinels.functions.submit.sweeping import tallies_json

_LIVE_LIMIT = 500


def list_jobs(ask: Ask) -> Response:
    """Jobs that pass the filters, newest first."""
    limit, cursor = ask.query.number("limit"), ask.query.word("cursor")
    ids = ask.door.reading.list_ids(
        ask.caller, filter_of(ask), before=read_cursor(cursor) if cursor else None, limit=limit + 1
    )
    shown = ask.door.reading.jobs(ask.caller, ids[:limit])
    following = cursor_of(ids[limit - 1]) if len(ids) > limit else None
    sweeps = tallies_json(ask.door, shown) if _folded(ask) else []
    return reply({"jobs": jobs_json(ask.door, shown), "sweeps": sweeps, "next_cursor": following})


def show_job(ask: Ask) -> Response:
    """One job with its attempts and config; waits for an event where that is asked for."""
    job, reading = ask.job(), ask.door.reading
    after = ask.query.maybe("after_event")
    if after is not None:
        wait = ask.query.decimal("wait")
        ask.door.patience.until(lambda last: last > after, lambda: reading.last_event(job), wait)
    view = reading.jobs(ask.caller, [job.id])[0]
    attempts = reading.attempts(job)
    return reply(
        {
            **jobs_json(ask.door, [view])[0],
            "config": view.config,
            "attempts": [
                attempt_json(attempt, pages_of(ask.door, attempt.mlflow_url))
                for attempt in attempts
            ],
            "unavailable": list(lacking(ask.door, job, attempts)),
        }
    )


def list_events(ask: Ask) -> Response:
    """A job's history."""
    return reply({"events": [event_json(event) for event in ask.door.reading.events(ask.job())]})


def show_queue(ask: Ask) -> Response:
    """The waiting jobs in order, the running ones, and the nodes."""
    reading, caller, team = ask.door.reading, ask.caller, ask.query.word("team")
    folded, limit = _folded(ask), ask.query.number("limit")
    following = reading.next_ids(caller, limit=limit, team=team, folded=folded)
    live = reading.live_ids(caller, limit=_LIVE_LIMIT, team=team)
    found = {job.id: job for job in reading.jobs(caller, [*following, *live])}
    waiting = [found[i] for i in following if i in found and found[i].state is JobState.QUEUED]
    running = [found[i] for i in live if i in found]
    return reply(
        {
            "waiting": jobs_json(ask.door, waiting),
            "sweeps": tallies_json(ask.door, waiting) if folded else [],
            "total": _total(ask),
            "running": jobs_json(ask.door, running),
            "nodes": [node_json(node) for node in reading.nodes(caller)],
            "conditions": [*reading.conditions()],
        }
    )


def list_nodes(ask: Ask) -> Response:
    """The nodes, as the last dispatch pass saw them."""
    return reply({"nodes": [node_json(node) for node in ask.door.reading.nodes(ask.caller)]})


def list_notices(ask: Ask) -> Response:
    """What people were told, or would have been."""
    found = ask.door.reading.notices(
        ask.caller, job=ask.query.maybe("job"), limit=ask.query.number("limit")
    )
    return reply({"notices": [notice_json(notice) for notice in found]})


def _total(ask: Ask) -> int:
    pulse = ask.door.reading.pulse()
    return pulse.waiting + pulse.deferred


def filter_of(ask: Ask) -> JobFilter:
    """The filter that the parameters mean."""
    return JobFilter(
        states=[JobState(state) for state in ask.query.every("state")],
        name=ask.query.word("name") or None,
        experiment=ask.query.word("experiment") or None,
        user=ask.query.word("user") or None,
        labels=dict(_label(text) for text in ask.query.every("label")),
        sweep=ask.query.maybe("sweep"),
        team=ask.query.word("team") or None,
        folded=_folded(ask),
    )


def _folded(ask: Ask) -> bool:
    return ask.query.word("fold") == "true"


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidRequest(f"label: {text!r} is not of the form name=value")
    return name, value


def cursor_of(last: int) -> str:
    """The cursor of the page below this id."""
    return base64.urlsafe_b64encode(f"below:{last}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> int:
    """The id that a cursor means. Raises ``InvalidRequest``."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        kind, _, last = base64.b64decode(padded, altchars=b"-_", validate=True).partition(b":")
        if kind == b"below" and last.isdigit() and len(last) <= 18:
            return int(last)
    except (ValueError, binascii.Error):
        pass
    raise InvalidRequest(
        "cursor: this is none of ours", remedy="give next_cursor of the page before, as it is"
    )
