"""Where a waiting job stands and why it waits.

Comes in: jobs, and what PostgreSQL knows of the queue. Goes out: each job's ``queue`` block: its
place, how many wait, one sentence why, when it is expected to start. Before: the handlers. Next:
``shaping``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sentinels.core.forecasting import Prediction
from sentinels.core.foreseeing import Range
from sentinels.core.job import JobState
from sentinels.core.ports import Json, RunPages
from sentinels.core.quantity import format_duration
from sentinels.core.reading import WAITING_BOUND, Answer, Held, JobView, SweepLimit
from sentinels.functions.submit.door import FrontDoor
from sentinels.functions.submit.shaping import job_json, range_json

_GRACE = timedelta(minutes=1)


def jobs_json(door: FrontDoor, jobs: Sequence[JobView]) -> list[dict[str, Json]]:
    """Jobs with their places, asked for all at once; nothing is asked where none of them waits."""
    waiting = [job.id for job in jobs if job.state is JobState.QUEUED]
    if not waiting:
        return [job_json(job, None, links_json(door, job)) for job in jobs]
    places, answers = door.reading.places(waiting), door.reading.answers(waiting)
    held, now = door.reading.held(waiting), door.clock()
    unseen = WAITING_BOUND if places.waiting >= WAITING_BOUND else None  # beyond, or just started
    foretold = door.foresight.predictions(waiting)
    blocks: dict[int, Json] = {}
    for job_id in waiting:
        why = _why_held(held[job_id], now) if job_id in held else _why(answers.get(job_id))
        blocks[job_id] = {
            "position": None if job_id in held else places.position.get(job_id, unseen),
            "waiting": places.waiting,
            "why": why,
            "expected": None if job_id in held else _expected(foretold.get(job_id), now),
        }
    return [job_json(job, blocks.get(job.id), links_json(door, job)) for job in jobs]


def _expected(foretold: Prediction | None, now: datetime) -> Json:
    """What was foretold last, as far as it is not over."""
    if foretold is None:
        return None
    early, late = foretold.newest.early, foretold.newest.late
    if late is None:
        return range_json(Range(max(early, now), None))
    if late < now - _GRACE:
        return None
    return range_json(Range(max(early, now), max(late, now)))


def links_json(door: FrontDoor, job: JobView) -> dict[str, Json]:
    """Where a browser finds more of the job."""
    pages = pages_of(door, job.last_mlflow_url)
    return {
        "mlflow": pages.run if pages else None,
        "experiment": pages.experiment if pages else None,
        "logs": door.logs_page.replace("{job}", str(job.id)) or None,
    }


def pages_of(door: FrontDoor, page_url: str | None) -> RunPages | None:
    """The tracker's pages of a run that had this page when it was opened."""
    if not page_url:
        return None
    return door.tracker.pages(page_url) if door.tracker else RunPages(page_url, None)


def place_json(door: FrontDoor, job: Mapping[str, Json]) -> dict[str, Json]:
    """The place alone, as a push is told it; None for a job that may not be considered yet."""
    queue = job["queue"]
    if isinstance(queue, Mapping):
        return {"position": queue["position"], "waiting": queue["waiting"]}
    return {"position": None, "waiting": door.reading.places([]).waiting}


def _why(answer: Answer | None) -> str | None:
    if answer is None or not answer.considered:
        return None
    return answer.sentence or "waiting for its turn"


def _why_held(held: Held, now: datetime) -> str:
    if held.waits_for:
        jobs = [f"{job_id} ({state})" for job_id, state in held.waits_for.items()]
        return f"starts after job{'s' if len(jobs) > 1 else ''} {' and '.join(jobs)}"
    seconds = math.ceil((held.not_before - now).total_seconds()) if held.not_before else 0
    if seconds > 0:
        return f"retries in {format_duration(seconds)}"
    limit = held.limit
    if limit is not None and limit.open >= limit.at_once:
        return _why_limited(limit)
    return "is about to be queued"


def _why_limited(limit: SweepLimit) -> str:
    in_line = limit.open - limit.live
    others = f", {in_line} {'is' if in_line == 1 else 'are'} in line" if in_line else ""
    run = "runs" if limit.live == 1 else "run"
    return f"its sweep may have {limit.at_once} at once: {limit.live} {run}{others}"
