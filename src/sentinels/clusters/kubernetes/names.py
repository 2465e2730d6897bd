"""What things of ours are called on Kubernetes, and how plain JSON of the API is read.

Comes in: teams, workloads, parts of API objects. Goes out: names, labels, values; a missing field
is none. Next: ``manifest``, ``observe``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sentinels.core.job import JobId
from sentinels.core.ports import Json
from sentinels.core.workload import WorkloadRef

PREFIX = "sentinels.dev"
MANAGED = f"{PREFIX}/managed"
JOB = f"{PREFIX}/job"
ATTEMPT = f"{PREFIX}/attempt"
TEAM = f"{PREFIX}/team"
RELEASED = f"{PREFIX}/released"
QUARANTINED = f"{PREFIX}/quarantined"
SPEC_HASH = f"{PREFIX}/spec-hash"
STOP_REASON = f"{PREFIX}/stop-reason"
STOP_MESSAGE = f"{PREFIX}/stop-message"
TIME_LIMIT = f"{PREFIX}/time-limit"
HOLD = f"{PREFIX}/dossier"
"""The finalizer of a pod whose dossier is not written yet."""

MAIN = "main"
SIDECAR = "outputs"
OUTPUT_FOLDER = "/sentinels/output"
DATA_FOLDER = "/sentinels/data"


def namespace_of(prefix: str, team: str) -> str:
    """The namespace of a team's workloads."""
    return f"{prefix}{team}"


def ref_of(labels: Json) -> WorkloadRef | None:
    """Which attempt an object with these labels belongs to; None where it is none of ours."""
    job, attempt = text_at(labels, JOB), text_at(labels, ATTEMPT)
    if text_at(labels, MANAGED) != "true" or not (job.isdecimal() and attempt.isdecimal()):
        return None
    return WorkloadRef(JobId(int(job)), int(attempt))


def labels_of(ref: WorkloadRef, team: str) -> dict[str, str]:
    """The labels of a workload's objects."""
    return {MANAGED: "true", JOB: str(ref.job_id), ATTEMPT: str(ref.attempt), TEAM: team}


def at(found: Json, *path: str) -> Json:
    """What lies at a path of nested objects; None where there is nothing."""
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def text_at(found: Json, *path: str) -> str:
    """The text at a path; empty where there is none."""
    value = at(found, *path)
    return value if isinstance(value, str) else ""


def rows(found: Json, *path: str) -> list[Mapping[str, Json]]:
    """The objects of the list at a path."""
    value = at(found, *path)
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [row for row in value if isinstance(row, Mapping)]
