"""How a workload is made to end so that what it leaves can still be read.

Pure. The Job says why in an annotation, the pod gets a deadline that has passed: its kubelet ends
it gracefully, and pod, exit code, log and the sidecar's report stay. The Job's own deadline would
have the pod deleted: it is for pods that no kubelet has, and for kubelets that do not act. Comes
in: a Job that has not ended, its live pods. Goes out: changes that may be repeated. Before:
``cluster``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sentinels.clusters.kubernetes.api import MERGE_PATCH, Request
from sentinels.clusters.kubernetes.evidence import moment
from sentinels.clusters.kubernetes.launch import jobs_path
from sentinels.clusters.kubernetes.names import STOP_MESSAGE, STOP_REASON, at, text_at
from sentinels.core.job import Reason
from sentinels.core.ports import Json

_PATIENCE_SECONDS = 15.0
"""How long after its grace a pod may take to end before the Job controller deletes it."""


def stopping(
    job: Json, pods: Sequence[Json], why: Reason, message: str, now: datetime, grace: float
) -> Iterator[Request]:
    """The changes that end it, the Job's first: once that is made, the end has its reason."""
    placed = [pod for pod in pods if text_at(pod, "spec", "nodeName")]
    if not text_at(job, "metadata", "annotations", STOP_REASON):
        seconds = _seconds_until_deleted(job, now, grace) if placed else 1
        yield _patch(
            jobs_path(text_at(job, "metadata", "namespace"), text_at(job, "metadata", "name")),
            job,
            annotations={STOP_REASON: why.value, STOP_MESSAGE: message},
            deadline=seconds,
        )
    for pod in placed:
        if at(pod, "spec", "activeDeadlineSeconds") is None:
            namespace, name = (text_at(pod, "metadata", key) for key in ("namespace", "name"))
            path = f"/api/v1/namespaces/{namespace}/pods/{name}"
            yield _patch(path, pod, annotations={}, deadline=1)


def _seconds_until_deleted(job: Json, now: datetime, grace: float) -> int:
    began = moment(text_at(job, "status", "startTime"))
    age = (now - began).total_seconds() if began else 0.0
    return max(1, int(age + grace + _PATIENCE_SECONDS))


def _patch(path: str, found: Json, *, annotations: dict[str, Json], deadline: int) -> Request:
    metadata: dict[str, Json] = {"uid": text_at(found, "metadata", "uid")}
    if annotations:
        metadata["annotations"] = annotations
    body: Json = {"metadata": metadata, "spec": {"activeDeadlineSeconds": deadline}}
    return Request("PATCH", path, body=body, content_type=MERGE_PATCH)
