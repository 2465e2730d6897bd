"""How an attempt ended: its dossier, what the database knows besides, what to do about it.

Where the dossier lacks the last lines they are looked for once more, wherever its log is. Comes in:
an ``Ask``. Goes out: JSON. Before: ``routes``, ``pages``. Next: ``core/advice``,
``core/log_reading``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flask import Response

from sentinels.core.advice import Case, advise, shares, whose_doing
from sentinels.core.dossier import Cause, Dossier, Part, dossier_json
from sentinels.core.job import TERMINAL_STATES, JobState
from sentinels.core.last_lines import COUNT, WORTH_READING, lines_of
from sentinels.core.log_reading import Source
from sentinels.core.ports import JobRef, Json
from sentinels.core.reading import AttemptView, JobView
from sentinels.core.symptoms import SIGNALS
from sentinels.core.wording import essence
from sentinels.functions.http import reply
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.logs import chosen_attempt, printed
from sentinels.functions.submit.placing import jobs_json, pages_of
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
            "attempt": _attempt_json(ask, attempt) if attempt else None,
            "ended": not attempt.live if attempt else view.state in TERMINAL_STATES,
            **_explained(view, attempt, dossier),
            "attempts": [_attempt_json(ask, each) for each in reading.attempts(job)],
        }
    )


def explained(ask: Ask, job: JobRef, view: JobView, attempt: AttemptView | None) -> dict[str, Json]:
    """How a job that is over ended: cause, advice, what was used, what is kept of it."""
    dossier = Dossier() if attempt is None else _kept(ask, job, attempt)
    return _explained(view, attempt, _of_the_job(view, dossier))


def _explained(view: JobView, attempt: AttemptView | None, dossier: Dossier) -> dict[str, Json]:
    told = {name: value for name, value in dossier_json(dossier).items() if name != "version"}
    if isinstance(cause := told["cause"], dict) and dossier.cause is not None:
        told["cause"] = {**cause, "whose": whose_doing(dossier.cause.reason)}
    signal = SIGNALS.get(dossier.exit_code or 0)
    return {**told, "signal": signal, **_judged(view, attempt, dossier)}


def _attempt_json(ask: Ask, attempt: AttemptView) -> dict[str, Json]:
    return attempt_json(attempt, pages_of(ask.door, attempt.mlflow_url))


def _dossier(ask: Ask, job: JobRef, attempt: AttemptView | None) -> Dossier:
    if attempt is None or attempt.live:
        return Dossier()
    return _with_lines(ask, job, attempt, _kept(ask, job, attempt))


def _kept(ask: Ask, job: JobRef, attempt: AttemptView) -> Dossier:
    kept = ask.door.reading.dossier(job, attempt.attempt)
    # What was written when it ended may be less than what its columns say.
    cause = Cause(attempt.reason, attempt.message or "") if attempt.reason else None
    return replace(kept, cause=cause, exit_code=attempt.exit_code)


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
    piece = ask.door.logs.tail(printed(job, attempt), COUNT, limit=WORTH_READING)
    texts = piece.text.removesuffix("\n").split("\n") if piece.text else []
    if not texts or piece.source is None:
        return dossier
    source = _SOURCES[piece.source]
    return dossier.with_lines(lines_of(texts, source=source, from_start=len(texts) < COUNT))


_SOURCES = {
    Source.CLUSTER: "its log",
    Source.STORE: "the log store",
    Source.TRACKER: "the copy of its log in MLflow",
}
