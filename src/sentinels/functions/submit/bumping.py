"""Other priorities for waiting jobs: what it would do to whom, and doing it.

Comes in: an ``Ask``. Goes out: which jobs are bumped and which are left, whose start is delayed by
how much; of other teams' jobs their ids, owners and times, and nothing else. Before: ``routes``.
Next: ``core/bumping``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from flask import Response

from sentinels.core.bumping import MOST, Bumped, Left, Target, bump, foresee_bump
from sentinels.core.errors import InvalidRequest
from sentinels.core.job import JobState
from sentinels.core.ports import Json
from sentinels.core.reading import JobFilter
from sentinels.core.shifting import Shift
from sentinels.core.text import has_control
from sentinels.functions.http import read_body, reply
from sentinels.functions.json_reading import read_json
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.shaping import time_json

MOST_SHOWN = 100
_TEXT_LIMIT = 300
_LARGEST = 2**53
_ONE_OF = ("jobs", "labels", "sweep", "user")
_REMEDY = 'as in {"priority": "urgent", "jobs": ["12"]}, or with "labels", "sweep" or "user"'


def bump_job(ask: Ask) -> Response:
    """Bump a job, or only say whom it would delay."""
    priority, given = _wanted(read_body(ask.request))
    if given:
        raise InvalidRequest("the path says which job", remedy='the body is {"priority": "urgent"}')
    return _bump(ask, [ask.job().id], priority)


def bump_jobs(ask: Ask) -> Response:
    """The same for jobs that have something in common."""
    priority, given = _wanted(read_body(ask.request))
    if len(given) != 1:
        raise InvalidRequest("which jobs is not said, or twice", remedy=_REMEDY)
    return _bump(ask, _ids(ask, given), priority)


def _bump(ask: Ask, ids: Sequence[int], priority: str) -> Response:
    door = ask.door
    act = foresee_bump if ask.query.word("dry_run") == "true" else bump
    done = act(door.bumping, ask.caller, ids, priority, now=door.clock())
    return reply(_bumped_json(done))


def _wanted(body: bytes) -> tuple[str, Mapping[str, object]]:
    """The class, and what says which jobs."""
    given = read_json(body)
    if not isinstance(given, dict) or set(given) - {"priority", *_ONE_OF}:
        raise InvalidRequest("the body has another key, or is no mapping", remedy=_REMEDY)
    priority, chosen = given.get("priority"), {key: given[key] for key in _ONE_OF if key in given}
    if not _is_text(priority):
        raise InvalidRequest("priority must name a class", remedy=_REMEDY)
    return str(priority), chosen


def _ids(ask: Ask, chosen: Mapping[str, object]) -> Sequence[int]:
    [(key, value)] = chosen.items()
    if key == "jobs" and _are_texts(value) and 1 <= len(value) <= MOST:
        return list(dict.fromkeys(ask.door.reading.find(ask.caller, ref).id for ref in value))
    wanted = _filter(key, value)
    if wanted is None:
        raise InvalidRequest(f"{key} cannot be understood", remedy=_REMEDY)
    found = ask.door.reading.list_ids(ask.caller, wanted, before=None, limit=MOST + 1)
    if len(found) > MOST:
        raise InvalidRequest(f"more than {MOST} jobs wait that fit", remedy="narrow it down")
    return found


def _filter(key: str, value: object) -> JobFilter | None:
    states = (JobState.QUEUED,)
    if key == "sweep" and isinstance(value, int) and not isinstance(value, bool):
        return JobFilter(states, sweep=value) if 1 <= value <= _LARGEST else None
    if key == "user" and _is_text(value):
        return JobFilter(states, user=str(value))
    if (
        key == "labels"
        and isinstance(value, dict)
        and value
        and _are_texts([*value, *value.values()])
    ):
        return JobFilter(states, labels=value)
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _TEXT_LIMIT and not has_control(value)


def _are_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(map(_is_text, value))


def _bumped_json(done: Bumped) -> dict[str, Json]:
    delayed = done.delayed
    return {
        "priority": done.priority,
        "jobs": [_job_json(done, job) for job in done.jobs],
        "left": [_left_json(each) for each in done.left],
        "delayed": [_shift_json(each) for each in delayed[:MOST_SHOWN]],
        "delayed_count": len(delayed),
        "unforeseen": done.unforeseen,
    }


def _job_json(done: Bumped, job: Target) -> dict[str, Json]:
    shift = done.shifts.get(job.job_id)
    return {
        "job": job.job_id,
        "name": job.name,
        "user": job.user,
        "team": job.team,
        "was": done.policy.class_name(job.priority),
        "starts_before": time_json(shift.before) if shift else None,
        "starts_after": time_json(shift.after) if shift else None,
    }


def _left_json(left: Left) -> dict[str, Json]:
    return {"job": left.target.job_id, "why": left.why}


def _shift_json(shift: Shift) -> dict[str, Json]:
    return {
        "job": shift.job_id,
        "user": shift.user,
        "team": shift.team,
        "starts_before": time_json(shift.before),
        "starts_after": time_json(shift.after),
        "seconds": int(shift.later) if math.isfinite(shift.later) else None,
    }
