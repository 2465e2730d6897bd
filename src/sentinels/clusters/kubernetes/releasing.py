"""Let workloads go whose outcome is committed, as many at once as there are.

What is read costs two lists however many they are; the changes are made side by side. Comes in:
refs. Goes out: each, with what kept it. Before: ``cluster``. Next: ``observe`` for what is left of
them, ``holding`` for their pods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import MERGE_PATCH, Answer, Api, Request
from sentinels.clusters.kubernetes.evidence import condition
from sentinels.clusters.kubernetes.holding import is_held, letting_go
from sentinels.clusters.kubernetes.launch import jobs_path, message_of
from sentinels.clusters.kubernetes.names import QUARANTINED, RELEASED, text_at
from sentinels.clusters.kubernetes.observe import CHUNK, Sight, read_again, read_sight
from sentinels.clusters.kubernetes.options import Options
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.ports import Json, Released
from sentinels.core.workload import WorkloadRef

GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
"""Answers to a change that is guarded by a uid: what was meant is not there any more."""

Farewell = Callable[[Json], Request]
"""What is done to a Job that is there."""


def release_all(api: Api, refs: Sequence[WorkloadRef], options: Options) -> Iterator[Released]:
    """See ``Cluster.release_all``; only now may the pods go, and the Jobs get a time to live."""
    seconds = int(options.keep_finished_seconds)

    def farewell(job: Json) -> Request:
        if not is_over(job):
            return deletion(job, "jobs")
        spec: Mapping[str, Json] = {"ttlSecondsAfterFinished": seconds}
        return _patch(job, {"labels": {RELEASED: "true"}}, spec)

    for start in range(0, len(refs), CHUNK):
        yield from _let_go(api, refs[start : start + CHUNK], options, farewell)


def set_aside(api: Api, ref: WorkloadRef, options: Options) -> Iterator[Released]:
    """See ``Cluster.set_aside``; a label says so to whoever looks."""
    label: Mapping[str, Json] = {"labels": {QUARANTINED: "true"}}
    return _let_go(api, [ref], options, lambda job: _patch(job, label, {}))


def is_over(job: Json) -> bool:
    """Whether the Job has completed or failed."""
    return condition(job, "Complete") is not None or condition(job, "Failed") is not None


def deletion(found: Json, kind: str) -> Request:
    """The end of a Job with its pods, or of a pod."""
    namespace, name = text_at(found, "metadata", "namespace"), text_at(found, "metadata", "name")
    pods = f"/api/v1/namespaces/{namespace}/pods/{name}"
    path = jobs_path(namespace, name) if kind == "jobs" else pods
    uid = text_at(found, "metadata", "uid")
    body: Json = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
    return Request("DELETE", path, body=body)


def trouble_of(answer: Answer | ClusterUnavailable) -> ClusterUnavailable | None:
    """Why a change was not made; what is gone needs none."""
    if isinstance(answer, ClusterUnavailable):
        return answer
    if answer.status in GONE or answer.status < HTTPStatus.BAD_REQUEST:
        return None
    return ClusterUnavailable(message_of(answer), retry_after=answer.retry_after)


def _let_go(
    api: Api, refs: Sequence[WorkloadRef], options: Options, farewell: Farewell
) -> Iterator[Released]:
    try:
        sight = _left(api, refs, options)
    except ClusterUnavailable as trouble:
        yield from (Released(ref, trouble) for ref in refs)
        return
    changes = [(ref, change) for ref in refs for change in _changes(sight, ref, farewell)]
    troubles: dict[WorkloadRef, ClusterUnavailable | None] = {}
    for place, answer in api.many([change for _, change in changes]):
        ref = changes[place][0]
        troubles[ref] = troubles.get(ref) or trouble_of(answer)
    yield from (Released(ref, troubles.get(ref)) for ref in refs)


def _left(api: Api, refs: Sequence[WorkloadRef], options: Options) -> Sight:
    """The Jobs and the pods, from the watch cache: that a Job has ended was true once and stays so.
    What is not there, or not so, is read consistently.
    """
    sight = read_sight(api, refs, options, cached=True)
    unsure = [ref for ref in refs if not is_over(sight.jobs.get(ref)) or ref not in sight.pods]
    return read_again(api, sight, unsure, options)


def _changes(sight: Sight, ref: WorkloadRef, farewell: Farewell) -> Iterator[Request]:
    yield from (letting_go(pod) for pod in sight.pods.get(ref, ()) if is_held(pod))
    job = sight.jobs.get(ref)
    if job is not None:
        yield farewell(job)


def _patch(job: Json, metadata: Mapping[str, Json], spec: Mapping[str, Json]) -> Request:
    namespace, name = text_at(job, "metadata", "namespace"), text_at(job, "metadata", "name")
    uid = text_at(job, "metadata", "uid")
    body: Json = {"metadata": {**metadata, "uid": uid}, "spec": dict(spec)}
    return Request("PATCH", jobs_path(namespace, name), body=body, content_type=MERGE_PATCH)
