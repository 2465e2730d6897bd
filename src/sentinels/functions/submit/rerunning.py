"""What a job was, once more.

Comes in: an ``Ask``. Goes out: the jobs that were stored, or what would be launched. Before:
``routes``. Next: ``core/rerunning``.
"""

from __future__ import annotations

from flask import Response

from sentinels.core.errors import InvalidRequest
from sentinels.core.rerunning import Rerun, preview_rerun, rerun
from sentinels.functions.http import read_body, reply
from sentinels.functions.json_reading import read_json
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.pushing import idempotency_key, pushed_reply


def rerun_job(ask: Ask) -> Response:
    """Store a rerun, or only say what it would launch."""
    key = idempotency_key(ask)
    changes, by_tag = _wanted(read_body(ask.request))
    job, reading, ports = ask.job(), ask.door.reading, ask.door.ports
    [view] = reading.jobs(ask.caller, [job.id])
    wanted = Rerun(view, reading.image_seen(job), changes, by_tag)
    if ask.query.word("dry_run") == "true":
        found = preview_rerun(ports, ask.caller, ask.door.cluster, wanted)
        return reply({"workloads": found})
    return pushed_reply(ask, rerun(ports, ask.caller, wanted, key=key))


def _wanted(body: bytes) -> tuple[object, bool]:
    """The changes, and whether the image's name is taken for what it means now."""
    given = read_json(body) if body else {}
    known = isinstance(given, dict) and not set(given) - {"config", "by_tag"}
    if not isinstance(given, dict) or not known or not isinstance(given.get("by_tag", False), bool):
        raise InvalidRequest(
            'the body must be {"config": {…}}', remedy='with "by_tag": true the image is not pinned'
        )
    return given.get("config", {}), given.get("by_tag", False)
