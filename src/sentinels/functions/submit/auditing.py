"""Who did what, for those who answer for it.

Comes in: an ``Ask``. Goes out: deeds, newest first; a lead's are their team's. Before: ``routes``.
Next: ``core/people``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response

from sentinels.core.errors import InvalidRequest
from sentinels.core.people import AuditFilter, AuditView
from sentinels.core.ports import Json
from sentinels.core.reporting import read_moment
from sentinels.core.rights import Act
from sentinels.functions.http import reply
from sentinels.functions.submit.browsing import cursor_of, read_cursor
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.shaping import time_json


def list_audit(ask: Ask) -> Response:
    """What people changed."""
    ask.need(Act.AUDIT, "read who did what", ask.caller.holder)
    limit, cursor = ask.query.number("limit"), ask.query.word("cursor")
    wanted = AuditFilter(
        since=_since(ask),
        user=ask.query.word("user"),
        job_id=ask.query.maybe("job"),
        before=read_cursor(cursor) if cursor else None,
    )
    found = ask.door.people.audited(ask.caller, wanted, limit=limit + 1)
    following = cursor_of(found[limit - 1].id) if len(found) > limit else None
    return reply({"audit": [_deed_json(deed) for deed in found[:limit]], "next_cursor": following})


def _since(ask: Ask) -> datetime | None:
    text = ask.query.word("since")
    if not text:
        return None
    try:
        now = ask.door.clock().astimezone(UTC)
        return read_moment(text, now, local=lambda naive: naive.replace(tzinfo=UTC))
    except ValueError as error:
        raise InvalidRequest(f"since: {text!r} {error}") from error


def _deed_json(deed: AuditView) -> Json:
    return {
        "id": deed.id,
        "at": time_json(deed.at),
        "actor": deed.actor,
        "act": deed.act,
        "team": deed.team,
        "job": deed.job_id,
        "subject": deed.subject,
        "detail": deed.detail,
    }
