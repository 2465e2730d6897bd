"""One call of one function, in a process of its own, wired by its own composition root.

``python -m tests.support.drive push FOLDER KEY TOKEN | dispatch | notify JOB ATTEMPT | deliver``;
settings come from the environment, as for the function itself. The answer's status is printed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

from flask import Request, Response
from werkzeug.test import EnvironBuilder


def main(words: list[str]) -> None:
    """Make the call that the words name."""
    {"push": _push, "dispatch": _dispatch, "notify": _notify, "deliver": _deliver}[words[0]](
        words[1:]
    )
    sys.stdout.flush()
    # Threads that poke may be on their way; a function's process would not wait for them either.
    os._exit(0)


def _push(words: list[str]) -> None:
    folder, key, token = words
    from sentinels.functions.submit.main import submit

    config = {"command": ["python", "main.py"], "resources": {"cpu": 0.1, "memory": "64Mi"}}
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    _say(submit(_request("/v1/jobs", {"image": folder, "config": config}, headers)))


def _dispatch(_: list[str]) -> None:
    from sentinels.functions.dispatch.main import dispatch

    _say(dispatch(_request("/", {}, _event("dev.knative.sources.ping"))))


def _notify(words: list[str]) -> None:
    from sentinels.functions.notify.main import notify

    identity = {"job_id": int(words[0]), "attempt": int(words[1])}
    _say(notify(_request("/", identity, _event("dev.sentinels.workload.ended"))))


def _deliver(_: list[str]) -> None:
    from sentinels.functions.notify.main import notify

    _say(notify(_request("/", {}, _event("dev.knative.sources.ping"))))


def _event(kind: str) -> Mapping[str, str]:
    return {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/test", "ce-type": kind}


def _request(path: str, body: object, headers: Mapping[str, str]) -> Request:
    built = EnvironBuilder(
        path,
        method="POST",
        data=json.dumps(body),
        content_type="application/json",
        headers=dict(headers),
    )
    return Request(built.get_environ())


def _say(answer: Response) -> None:
    print(answer.status_code, answer.get_data(as_text=True))


if __name__ == "__main__":
    main(sys.argv[1:])
