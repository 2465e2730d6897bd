"""The pages: the queue, the jobs, one job with its time line and log, the nodes.

Comes in: an ``Ask`` of somebody known. Goes out: HTML of what the HTTP interface tells as JSON.
What cannot be asked is said in its place; the rest of a page stands. Before: ``routes``. Next:
``drawing``, ``charts``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from flask import Response

from sentinels.core.errors import Unavailable
from sentinels.core.job import LIVE_STATES, TERMINAL_STATES, JobState
from sentinels.core.ports import Artifact, Json
from sentinels.core.reading import AttemptView, JobFilter, JobView
from sentinels.functions.submit.browsing import cursor_of, filter_of, read_cursor
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.dossiers import explained
from sentinels.functions.submit.lacking import lacking
from sentinels.functions.submit.pages.charts import curves, gauges, time_line
from sentinels.functions.submit.pages.drawing import page
from sentinels.functions.submit.pages.log import last_piece
from sentinels.functions.submit.placing import jobs_json, links_json
from sentinels.functions.submit.usage import usage_block
from sentinels.functions.submit.why import why_it_waits

LIVE_SECONDS = 5
"""A page of something that goes on is drawn anew after so long."""
_WAITING_MOST = 100
_LIVE_MOST = 200
_ENDED_MOST = 10
_PAGE = 50
_LOG_LINES = 200
_USE_POINTS = 120


@dataclass(frozen=True, slots=True)
class Row:
    """A job in a list; ``queue`` is its place while it waits, ``node`` where it runs."""

    job: JobView
    queue: Mapping[str, Json]
    node: str | None = None


def show_queue(ask: Ask) -> Response:
    """Who runs, who waits and why, what is free, what ended last."""
    reading, caller = ask.door.reading, ask.caller
    nodes = reading.nodes(caller)
    places = {job_id: view.node.name for view in nodes for job_id in view.jobs}
    live = _rows(ask, reading.live_ids(caller, limit=_LIVE_MOST), places)
    waiting = _rows(ask, reading.next_ids(caller, limit=_WAITING_MOST))
    ended = JobFilter(states=sorted(TERMINAL_STATES))
    return _drawn(
        ask,
        "queue.html",
        refresh=LIVE_SECONDS,
        running=live,
        waiting=[row for row in waiting if row.job.state is JobState.QUEUED],
        ended=_rows(ask, reading.list_ids(caller, ended, before=None, limit=_ENDED_MOST)),
        nodes=[(view, gauges(view)) for view in nodes],
    )


def list_jobs(ask: Ask) -> Response:
    """Jobs that pass the filters, newest first, a page of them."""
    cursor = ask.query.word("cursor")
    before = read_cursor(cursor) if cursor else None
    ids = ask.door.reading.list_ids(ask.caller, filter_of(ask), before=before, limit=_PAGE + 1)
    following = cursor_of(ids[_PAGE - 1]) if len(ids) > _PAGE else None
    given = {name: list(words) for name, words in ask.query.words.items() if name != "cursor"}
    return _drawn(
        ask,
        "jobs.html",
        jobs=_rows(ask, ids[:_PAGE]),
        following=following,
        given=given,
        states=list(JobState),
    )


def show_job(ask: Ask) -> Response:
    """One job: how it stands and why, its time line, its log, what it left."""
    job = ask.job()
    row = _rows(ask, [job.id])[0]
    attempts, events = ask.door.reading.attempts(job), ask.door.reading.events(job)
    live = row.job.state not in TERMINAL_STATES
    last = attempts[-1] if attempts else None
    piece, use, (files, files_trouble) = _together(
        lambda: last_piece(ask, job, attempts, lines=_LOG_LINES),
        lambda: usage_block(ask.door, job, last, points=_USE_POINTS),
        lambda: _artifacts(ask, row.job, last),
    )
    return _drawn(
        ask,
        "job.html",
        refresh=LIVE_SECONDS if live else None,
        row=row,
        attempts=attempts,
        last=last,
        lacks=[
            line
            for line in lacking(ask.door, job, attempts)
            if not piece or line != piece.unavailable
        ],
        events=list(reversed(events)),
        line=time_line(events, ask.door.clock()),
        end=None if live else explained(ask, job, row.job, last),
        use=use,
        curves=curves(use),
        log=piece.text if piece else "",
        log_trouble=piece.unavailable if piece else None,
        links=links_json(ask.door, row.job),
        log_lines=_LOG_LINES,
        files=files,
        files_trouble=files_trouble,
        config={name: value for name, value in row.job.config.items() if value},
        waits=why_it_waits(ask, row.job) if row.job.state is JobState.QUEUED else "",
    )


A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


def _together(one: Callable[[], A], two: Callable[[], B], three: Callable[[], C]) -> tuple[A, B, C]:
    """What each returns: they are asked at the same time, and the slowest is waited for alone."""
    with ThreadPoolExecutor(2, thread_name_prefix="page") as others:
        second, third = others.submit(two), others.submit(three)
        return one(), second.result(), third.result()


def show_nodes(ask: Ask) -> Response:
    """Every node: how full it is, what is on it, why it takes nothing new."""
    nodes = ask.door.reading.nodes(ask.caller)
    return _drawn(
        ask,
        "nodes.html",
        refresh=LIVE_SECONDS,
        nodes=[(view, gauges(view)) for view in nodes],
    )


def _drawn(ask: Ask, template: str, *, refresh: int | None = None, **values: object) -> Response:
    still = ask.query.word("still") is not None
    around = {
        "is_live": refresh is not None,
        "still": still,
        "caller": ask.caller,
        "path": ask.request.path,
        "now": ask.door.clock(),
    }
    return page(template, {**around, **values}, refresh=None if still else refresh)


def _rows(ask: Ask, ids: Sequence[int], places: Mapping[int, str] | None = None) -> list[Row]:
    found = ask.door.reading.jobs(ask.caller, ids)
    shaped = jobs_json(ask.door, found)
    return [
        Row(job, queue if isinstance(queue := block["queue"], Mapping) else {}, _at(places, job))
        for job, block in zip(found, shaped, strict=True)
    ]


def _at(places: Mapping[int, str] | None, job: JobView) -> str | None:
    return (places or {}).get(job.id)


def _artifacts(ask: Ask, job: JobView, last: AttemptView | None) -> tuple[Sequence[Artifact], str]:
    tracker = ask.door.tracker
    run_id = last.mlflow_run_id if last else None
    if tracker is None or run_id is None or job.state in LIVE_STATES:
        return [], ""
    try:
        return [file for file in tracker.artifacts(run_id) if file.size is not None], ""
    except Unavailable as trouble:
        return [], str(trouble)
