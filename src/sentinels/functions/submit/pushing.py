"""Push and cancel: the requests that change something.

Comes in: an ``Ask``. Goes out: the jobs that were stored or changed. Before: ``routes``. Next:
``core/submitting``.
"""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus

from flask import Response

from sentinels.core.errors import InvalidRequest
from sentinels.core.job import JobState, Reason
from sentinels.core.ports import Json
from sentinels.core.preflight import Preflight
from sentinels.core.previewing import look_over, preview
from sentinels.core.queueing import Pushed
from sentinels.core.submitting import Manner, cancel, push
from sentinels.functions.http import read_body, reply
from sentinels.functions.json_reading import read_json
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.fitting import Fitter, fit_json, taken_json
from sentinels.functions.submit.placing import jobs_json, place_json
from sentinels.functions.submit.why import foretell_push

_KEY_LIMIT = 200


def push_jobs(ask: Ask) -> Response:
    """Store one push: a job, or a sweep's jobs; or only check it, or say what it would launch."""
    key = idempotency_key(ask)
    body, fits = _keys(read_json(read_body(ask.request)))
    ports, fitter = ask.door.ports, Fitter(ask) if fits else None
    if ask.query.word("dry_run") == "true":
        found = preview(ports, ask.caller, ask.door.cluster, **body, fit=fitter)
        return reply({"workloads": found})
    if ask.query.word("check") == "true":
        return reply(checks_json(look_over(ports, ask.caller, **body, fit=fitter)))
    manner = Manner(key, _again(ask, key), fitter)
    pushed = push(ports, ask.caller, **body, manner=manner)
    return pushed_reply(ask, pushed, fitter)


def _again(ask: Ask, key: str | None) -> bool | None:
    """A new key says that it is a push of its own, unless the query says otherwise."""
    given = ask.query.word("again")
    return None if key is not None and given is None else given == "true"


def checks_json(seen: Preflight) -> dict[str, Json]:
    """How each check ended."""
    checks: list[Json] = [
        {
            "name": check.name,
            "standing": check.standing.value,
            "said": check.said,
            "faults": [asdict(fault) for fault in check.faults],
        }
        for check in seen.checks
    ]
    return {"ok": not seen.faults, "checks": checks}


def cancel_job(ask: Ask) -> Response:
    """Cancel a job, or ask for its end."""
    job = ask.job_to_change()
    dependents = ask.door.ports.queue.dependents(ask.caller, job.id)
    state = cancel(ask.door.ports, ask.caller, job.id)
    shaped = jobs_json(ask.door, ask.door.reading.jobs(ask.caller, [job.id]))
    effect = "cancelled" if state is JobState.CANCELLED else "requested"
    if state is JobState.CANCELLED:  # it waited; the end of a live one is counted when it is seen
        ask.door.telemetry.tally.ended(state, Reason.CANCELLED)
    return reply({"job": shaped[0], "effect": effect, "dependents": list(dependents)})


def pushed_reply(ask: Ask, pushed: Pushed, fitter: Fitter | None = None) -> Response:
    """The jobs that a push stored, or had stored before; what was stored is counted."""
    ask.door.telemetry.tally.pushed(0 if pushed.replayed else len(pushed.job_ids))
    scene = None if pushed.replayed else foretell_push(ask.door, pushed.job_ids)
    jobs = ask.door.reading.jobs(ask.caller, pushed.job_ids)
    shaped = jobs_json(ask.door, jobs)
    fit = taken_json(fitter, jobs[0]) if fitter else fit_json(ask, jobs[0], pushed.job_ids, scene)
    place = place_json(ask.door, shaped[0])
    told: dict[str, Json] = {
        "jobs": shaped,
        "replayed": pushed.replayed,
        "same": pushed.same,
        "warnings": list(pushed.warnings),
        "queue": place,
        "fit": fit,
    }
    return reply(told, HTTPStatus.OK if pushed.replayed else HTTPStatus.CREATED)


def idempotency_key(ask: Ask) -> str | None:
    """The key under which the same push brings the same jobs again, if there is one."""
    given = ask.request.headers.get("Idempotency-Key")
    if given is None:
        return None
    if not given.isascii() or not given.isprintable() or not 1 <= len(given) <= _KEY_LIMIT:
        raise InvalidRequest(
            f"Idempotency-Key must be 1 to {_KEY_LIMIT} printable ASCII characters",
            remedy="use a UUID",
        )
    return given


def _keys(body: object) -> tuple[dict[str, object], bool]:
    if not isinstance(body, dict):
        raise InvalidRequest('the body must be {"image": …, "config": …}')
    unknown = sorted(set(body) - {"image", "config", "fit"})
    if unknown:
        raise InvalidRequest(
            f"the body has the unknown key {unknown[0][:100]!r}",
            remedy='it takes "image", "config" and "fit"',
        )
    fits = body.get("fit", False)
    if not isinstance(fits, bool):
        raise InvalidRequest('"fit" must be true or false')
    return {"image": body.get("image"), "config": body.get("config", {})}, fits
