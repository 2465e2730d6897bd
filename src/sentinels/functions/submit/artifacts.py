"""The files a job left, as the tracker keeps them.

Comes in: an ``Ask``. Goes out: their list, or one file's bytes. Before: ``routes``. Next: the
``Tracker`` port.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from flask import Response

from sentinels.core.errors import NotFound
from sentinels.core.ports import Artifact, Json, Tracker
from sentinels.functions.http import reply
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.logs import chosen_attempt


def list_artifacts(ask: Ask) -> Response:
    """Every file of an attempt; ``complete`` once all that it left has arrived."""
    job = ask.job()
    attempt, tracker = chosen_attempt(ask, job), ask.door.tracker
    files: list[Artifact] = []
    if tracker and attempt and attempt.mlflow_run_id:
        files = [file for file in tracker.artifacts(attempt.mlflow_run_id) if file.size is not None]
    listed: list[Json] = [{"path": file.path, "size_bytes": file.size} for file in files]
    recorded = tracker is not None and attempt is not None and attempt.mlflow_run_id is not None
    complete = recorded and attempt is not None and attempt.outputs_complete is True
    return reply(
        {
            "job": job.id,
            "attempt": attempt.attempt if attempt else 0,
            "artifacts": listed,
            "complete": complete,
        }
    )


def read_artifact(ask: Ask) -> Response:
    """One file's bytes."""
    tracker, run_id = _run(ask)
    path = ask.names["path"]
    if ".." in path.split("/") or path.startswith("/"):
        raise NotFound(f"there is no artifact {path!r}", remedy="see: sentinels artifacts")
    response = Response(tracker.read_artifact(run_id, path), mimetype="application/octet-stream")
    response.headers.set("Content-Disposition", "attachment", filename=PurePosixPath(path).name)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _run(ask: Ask) -> tuple[Tracker, str]:
    job = ask.job()
    attempt = chosen_attempt(ask, job)
    if ask.door.tracker is None or attempt is None or attempt.mlflow_run_id is None:
        raise NotFound(
            f"job {job.id} has no MLflow run, so it has no artifacts",
            remedy="see: sentinels doctor",
        )
    return ask.door.tracker, attempt.mlflow_run_id
