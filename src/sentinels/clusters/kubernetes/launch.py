"""Create a workload's Job, or adopt the one that has its name.

Whatever was answered to the creation, the truth is what the name shows: a time-out may have stored
the Job, a refusal for quota may hide that it exists (reference/reliability.md, 3.2). Comes in:
manifests. Goes out: uids, or why there is none. Before: ``cluster``. Next: ``translation``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import Answer, Api, Request
from sentinels.clusters.kubernetes.names import ATTEMPT, JOB, SPEC_HASH, text_at
from sentinels.clusters.kubernetes.translation import FINAL_REFUSALS
from sentinels.core.errors import ClusterUnavailable, LaunchRejected
from sentinels.core.ports import Json, Launched
from sentinels.core.text import printable
from sentinels.core.workload import WorkloadRef

_IN_FLIGHT = 64
_MESSAGE_LIMIT = 600
_INVALID = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}


def jobs_path(namespace: str, name: str = "") -> str:
    """Where a namespace's Jobs are, or the one of this name."""
    return f"/apis/batch/v1/namespaces/{namespace}/jobs" + (f"/{name}" if name else "")


def launch_jobs(
    api: Api, manifests: Sequence[tuple[WorkloadRef, Mapping[str, Json]]]
) -> Iterator[Launched]:
    """Create or adopt each; see ``Cluster.launch_all``."""
    requests = [
        Request("POST", jobs_path(text_at(job, "metadata", "namespace")), body=job)
        for _, job in manifests
    ]
    for place, answer in api.many(requests, in_flight=_IN_FLIGHT):
        ref, job = manifests[place]
        try:
            yield Launched(ref, _created(answer) or _found(api, job, answer))
        except (LaunchRejected, ClusterUnavailable) as error:
            yield Launched(ref, None, error)


def _created(answer: Answer | ClusterUnavailable) -> str | None:
    if isinstance(answer, Answer) and answer.status == HTTPStatus.CREATED:
        return text_at(answer.json, "metadata", "uid")
    return None


def _found(api: Api, job: Mapping[str, Json], answer: Answer | ClusterUnavailable) -> str:
    """The uid of the Job that has the name all the same."""
    if isinstance(answer, Answer) and answer.status in _INVALID:
        raise LaunchRejected(message_of(answer))
    namespace, name = text_at(job, "metadata", "namespace"), text_at(job, "metadata", "name")
    there = api.request(Request("GET", jobs_path(namespace, name)))
    if there.status == HTTPStatus.OK:
        return _adopted(job, there.json)
    if isinstance(answer, ClusterUnavailable):
        raise answer
    if there.status == HTTPStatus.NOT_FOUND and (why := _final(answer, namespace)):
        raise LaunchRejected(why)
    raise ClusterUnavailable(message_of(answer), retry_after=answer.retry_after)


def _adopted(job: Mapping[str, Json], there: Json) -> str:
    ours = ("metadata", "labels", JOB), ("metadata", "labels", ATTEMPT)
    same = all(text_at(job, *path) == text_at(there, *path) for path in ours)
    hashed = ("metadata", "annotations", SPEC_HASH)
    if same and text_at(job, *hashed) == text_at(there, *hashed):
        return text_at(there, "metadata", "uid")
    name, namespace = text_at(job, "metadata", "name"), text_at(job, "metadata", "namespace")
    raise LaunchRejected(
        f"a Job named {name} that is not this workload is in namespace {namespace}",
        remedy="see whose it is; delete it, or give this installation another namespace prefix",
    )


def _final(answer: Answer, namespace: str) -> str | None:
    said = message_of(answer)
    for status, pattern, meaning in FINAL_REFUSALS:
        if answer.status == status and pattern in said:
            return meaning.format(said=said, namespace=namespace)
    return None


def message_of(answer: Answer) -> str:
    """What the API server said, safe to show."""
    said = text_at(answer.json, "message") or f"it answered {answer.status}"
    return f"the Kubernetes API said: {printable(said)[:_MESSAGE_LIMIT]}"
