"""SQL over the public views, and the reports, which are saved queries over the same.

Comes in: an ``Ask``. Goes out: columns and rows. Before: ``routes``. Next: the ``Asking`` port,
``core/reporting``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC

from flask import Response

from sentinels.core.asking import AnswerColumn, Answered, View
from sentinels.core.errors import InvalidRequest, NotAllowed, NotFound
from sentinels.core.ports import Json
from sentinels.core.reporting import (
    DEFAULT_SINCE,
    REPORTS,
    Grouping,
    ReportRequest,
    read_moment,
)
from sentinels.core.rights import Act
from sentinels.functions.http import read_body, reply
from sentinels.functions.json_reading import read_json
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.shaping import time_json

_log = logging.getLogger("sentinels.sql")
_LOGGED = 1000


def ask_sql(ask: Ask) -> Response:
    """Answer one query, which is over every team; who asked what is in the log."""
    ask.need(Act.GOVERN, "ask in SQL, which is over every team")
    query = _query(read_json(read_body(ask.request)))
    _log.info("sql asked", extra={"user": ask.caller.user, "query": query[:_LOGGED]})
    return reply(_answer_json(ask.door.asking.ask(query)))


def list_views(ask: Ask) -> Response:
    """What may be asked."""
    return reply({"views": [_view_json(view) for view in ask.door.asking.views()]})


def run_report(ask: Ask) -> Response:
    """Answer a saved query, or only show it."""
    request = _request(ask)
    answered = Answered([], [])
    if ask.query.word("print") != "true":
        answered = _named(ask.door.asking.report(request), request)
    return reply(
        {
            "report": request.name,
            "by": request.by.value,
            "since": time_json(request.since),
            "until": time_json(request.until),
            "team": request.team,
            "sql": ask.door.asking.report_text(request),
            **_answer_json(answered),
        }
    )


def _team(ask: Ask) -> str | None:
    """Whose numbers a report shows: an operator's are of every team, or of the one asked for."""
    wanted, mine = ask.query.word("team"), ask.caller.team
    if ask.caller.seen_team is None or wanted == mine:
        return wanted
    if wanted is not None:
        raise NotAllowed(
            f"only an operator sees another team's numbers; yours is {mine}",
            remedy=f"leave --team out, or: --team {mine}",
        )
    return mine


def _query(body: object) -> str:
    query = body.get("query") if isinstance(body, dict) and set(body) == {"query"} else None
    if not isinstance(query, str):
        raise InvalidRequest('the body must be {"query": "SELECT …"}')
    return query


def _request(ask: Ask) -> ReportRequest:
    name = ask.names["name"]
    if name not in REPORTS:
        raise NotFound(f"there is no report {name!r}", remedy=f"there are: {', '.join(REPORTS)}")
    now = ask.door.clock().astimezone(UTC)
    moments = {}
    for word, default in (("since", DEFAULT_SINCE), ("until", now.isoformat())):
        try:
            text = ask.query.word(word) or default
            moments[word] = read_moment(text, now, local=lambda naive: naive.replace(tzinfo=UTC))
        except ValueError as error:
            raise InvalidRequest(f"{word}: {text!r} {error}") from error
    if moments["since"] >= moments["until"]:
        raise InvalidRequest("since: is not before until", remedy="as in since=30d")
    by = Grouping(ask.query.word("by") or Grouping.TEAM)
    return ReportRequest(name, by, **moments, team=_team(ask), prices=ask.door.prices)


def _named(answered: Answered, request: ReportRequest) -> Answered:
    """The first column under the name of what it holds; no costs where nothing has a price."""
    columns = [
        AnswerColumn(request.by.value, column.type) if column.name == "who" else column
        for column in answered.columns
    ]
    if request.prices is not None:
        return replace(answered, columns=columns)
    kept = [at for at, column in enumerate(columns) if column.name != "cost"]
    rows = [[row[at] for at in kept] for row in answered.rows]
    return replace(answered, columns=[columns[at] for at in kept], rows=rows)


def _answer_json(answered: Answered) -> Mapping[str, Json]:
    return {
        "columns": [asdict(column) for column in answered.columns],
        "rows": answered.rows,
        "cut": answered.cut,
        "notes": list(answered.notes),
    }


def _view_json(view: View) -> dict[str, Json]:
    columns: list[Json] = [asdict(column) for column in view.columns]
    return {"name": view.name, "about": view.about, "columns": columns}
