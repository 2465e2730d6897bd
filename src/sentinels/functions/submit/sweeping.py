"""Sweeps as one: shown, cancelled, and told in lists by a line.

Comes in: an ``Ask``; a sweep is named by any of its jobs. Goes out: JSON. Before: ``routes``. Next:
``core/reading``, ``core/submitting``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Response

from sentinels.core.errors import NotFound
from sentinels.core.job import JobState, Reason
from sentinels.core.ports import JobRef, Json
from sentinels.core.reading import JobFilter, JobView
from sentinels.core.submitting import cancel_sweep
from sentinels.core.sweeps import SweepView
from sentinels.functions.http import reply
from sentinels.functions.submit.door import Ask, FrontDoor
from sentinels.functions.submit.shaping import message_of, time_json

_MOST = 1000


def show_sweep(ask: Ask) -> Response:
    """A sweep: what was swept, what became of it, and each of its jobs, the first one first."""
    return reply(_shown(ask, _sweep(ask, ask.job())))


def cancel_whole(ask: Ask) -> Response:
    """Cancel what waits of a sweep, all or none, and ask for the end of what is live."""
    sweep = _sweep(ask, ask.job_to_change())
    done = cancel_sweep(ask.door.ports, ask.caller, sweep.sweep_id)
    for _ in range(done.waiting):  # the ends of live ones are counted when they are seen
        ask.door.telemetry.tally.ended(JobState.CANCELLED, Reason.CANCELLED)
    told = {"cancelled": done.waiting, "requested": done.asked}
    return reply({**told, "sweep": _shown(ask, _sweep(ask, ask.job()))})


def tallies_json(door: FrontDoor, jobs: Sequence[JobView]) -> list[Json]:
    """The sweeps of these jobs, a line each: which, and how many of its jobs are in which state."""
    sweeps = list(dict.fromkeys(job.sweep_id for job in jobs if job.sweep_id is not None))
    found = door.reading.tallies(sweeps)
    return [
        {"sweep": sweep, "jobs": sum(found[sweep].values()), "states": _states(found[sweep])}
        for sweep in sweeps
        if sweep in found
    ]


def _sweep(ask: Ask, job: JobRef) -> SweepView:
    sweep_id = ask.door.reading.jobs(ask.caller, [job.id])[0].sweep_id
    found = None if sweep_id is None else ask.door.reading.sweep(ask.caller, sweep_id)
    if found is None:
        raise NotFound(f"job {job.id} is of no sweep", remedy=f"see: sentinels status {job.id}")
    return found


def _shown(ask: Ask, sweep: SweepView) -> dict[str, Json]:
    wanted, reading = JobFilter(sweep=sweep.sweep_id), ask.door.reading
    ids = reading.list_ids(ask.caller, wanted, before=None, limit=_MOST)
    swept = sweep.definition.get("sweep")
    varied = list(swept) if isinstance(swept, Mapping) else None
    members = reading.jobs(ask.caller, sorted(ids))
    return {
        "sweep": sweep.sweep_id,
        "name": sweep.name,
        "user": sweep.user,
        "team": sweep.team,
        "jobs": sweep.jobs,
        "states": _states(sweep.states),
        "at_once": sweep.at_once,
        "definition": sweep.definition,
        "submitted_at": time_json(sweep.submitted_at),
        "finished_at": time_json(sweep.finished_at) if sweep.is_over else None,
        "members": [_member(job, varied) for job in members],
    }


def _states(states: Mapping[JobState, int]) -> dict[str, Json]:
    return {state.value: states[state] for state in JobState if states.get(state)}


def _member(job: JobView, varied: Sequence[str] | None) -> dict[str, Json]:
    params = job.config.get("params")
    given = params if isinstance(params, Mapping) else {}
    return {
        "id": job.id,
        "state": job.state.value,
        "reason": job.reason.value if job.reason else None,
        "message": message_of(job),
        "params": {name: given[name] for name in given if varied is None or name in varied},
        "attempt": job.attempt,
        "submitted_at": time_json(job.submitted_at),
        "started_at": time_json(job.started_at),
        "finished_at": time_json(job.finished_at),
    }
