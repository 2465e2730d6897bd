"""How an attempt ended: its dossier, what the database knows besides, what to do about it.

Where the dossier lacks the last lines they are looked for once more: in the log store, in the
cluster, in the tracker's copy. Comes in: an ``Ask``. Goes out: JSON. Before: ``routes``. Next:
``core/advice``, ``logs``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from flask import Response

from sentinels.core.advice import Case, advise, shares
from sentinels.core.dossier import Cause, Dossier, LastLines, Part, dossier_json
from sentinels.core.errors import Unavailable
from sentinels.core.job import TERMINAL_STATES, JobState
from sentinels.core.last_lines import COUNT, WORTH_READING, lines_of, lines_of_bytes
from sentinels.core.ports import JobRef, Json
from sentinels.core.reading import AttemptView, JobView
from sentinels.core.symptoms import SIGNALS
from sentinels.core.telling import essence
from sentinels.core.workload import WorkloadRef
from sentinels.functions.http import reply
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.logs import chosen_attempt, end_of_log
from sentinels.functions.submit.placing import jobs_json
from sentinels.functions.submit.shaping import attempt_json

_TRIED_AGAIN = "Nothing has to be done about this attempt: the job was queued again by itself."


def show_dossier(ask: Ask) -> Response:
    """An attempt's dossier; the newest's if none is named."""
    job, reading = ask.job(), ask.door.reading
    view, attempt = reading.jobs(ask.caller, [job.id])[0], chosen_attempt(ask, job)
    dossier = _dossier(ask, job, attempt)
    if ask.query.maybe("attempt") is None:
        dossier = _of_the_job(view, dossier)
    return reply(
        {
            "job": jobs_json(ask.door, [view])[0],
            "attempt": attempt_json(attempt) if attempt else None,
            "ended": not attempt.live if attempt else view.state in TERMINAL_STATES,
            **{name: value for name, value in dossier_json(dossier).items() if name != "version"},
            "signal": SIGNALS.get(dossier.exit_code or 0),
            **_judged(view, attempt, dossier),
            "attempts": [attempt_json(each) for each in reading.attempts(job)],
        }
    )


def _dossier(ask: Ask, job: JobRef, attempt: AttemptView | None) -> Dossier:
    if attempt is None or attempt.live:
        return Dossier()
    kept = ask.door.reading.dossier(job, attempt.attempt)
    # What was written when it ended may be less than what its columns say.
    cause = Cause(attempt.reason, attempt.message or "") if attempt.reason else None
    return _with_lines(ask, job, attempt, replace(kept, cause=cause, exit_code=attempt.exit_code))


def _of_the_job(view: JobView, dossier: Dossier) -> Dossier:
    """A job may have ended after its last attempt had: cancelled while it waited for the next."""
    if view.state not in TERMINAL_STATES or view.reason is None:
        return dossier
    if dossier.cause is not None and dossier.cause.reason is view.reason:
        return dossier
    return replace(dossier, cause=Cause(view.reason, view.last_detail or ""))


def _judged(view: JobView, attempt: AttemptView | None, dossier: Dossier) -> dict[str, Json]:
    """What to do, which lines say most, what was used of what was asked for."""
    if attempt is None or attempt.live:
        return {"advice": [], "said": [], "used": []}
    retry = view.config.get("retry")
    grows = isinstance(retry, Mapping) and "oom" in retry
    case = Case(view.id, dossier, attempt.resources, attempt.usage, grows)
    return {
        "advice": list(_advice(view, attempt, case)),
        "said": essence(case),
        "used": [
            {"what": share.name, "used": share.used, "asked": share.asked, "part": share.part}
            for share in shares(attempt.resources, attempt.usage)
        ],
    }


def _advice(view: JobView, attempt: AttemptView, case: Case) -> list[str]:
    was_retried = attempt.attempt < view.attempt or view.state is JobState.QUEUED
    if case.reason is not None and was_retried:
        return [_TRIED_AGAIN]
    return advise(case)


def _with_lines(ask: Ask, job: JobRef, attempt: AttemptView, dossier: Dossier) -> Dossier:
    """The same; last lines that could not be had at the end may be had now."""
    if not dossier.testimony.lacks(Part.LINES):
        return dossier
    for find in _PLACES:
        try:
            lines = find(ask, job, attempt)
        except Unavailable:
            continue
        if lines.texts:
            return dossier.with_lines(lines)
    return dossier


def _in_store(ask: Ask, job: JobRef, attempt: AttemptView) -> LastLines:
    if ask.door.log_store is None:
        return LastLines()
    found = ask.door.log_store.last_lines(WorkloadRef(job.id, attempt.attempt), COUNT)
    texts = [line.text for line in found]
    return lines_of(texts, source="the log store", from_start=len(texts) < COUNT)


def _in_log(ask: Ask, job: JobRef, attempt: AttemptView) -> LastLines:
    data, is_all = end_of_log(ask, job, attempt, limit=WORTH_READING)
    return lines_of_bytes(data, source="its log", from_start=is_all)


_PLACES: tuple[Callable[[Ask, JobRef, AttemptView], LastLines], ...] = (_in_store, _in_log)
