"""Look at workloads on the cluster and say what they are doing.

What is read costs as much as there are live attempts, never as much as there are finished Jobs: one
list of Jobs and one of pods, by label and from the API server's watch cache. What seems to be
absent there is read again consistently. Comes in: refs. Goes out: observations. Before:
``cluster``. Next: ``evidence`` for what has ended, ``waiting`` for what has not begun.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import LIST_SECONDS, Answer, Api, Request
from sentinels.clusters.kubernetes.capacity import NODES_PATH, PODS_PATH, is_ready
from sentinels.clusters.kubernetes.evidence import (
    Remains,
    condition,
    container_status,
    failed,
    lost_with_job,
    lost_with_node,
    moment,
    succeeded,
)
from sentinels.clusters.kubernetes.launch import message_of
from sentinels.clusters.kubernetes.names import (
    JOB,
    MAIN,
    MANAGED,
    TIME_LIMIT,
    at,
    ref_of,
    rows,
    text_at,
)
from sentinels.clusters.kubernetes.options import Options
from sentinels.clusters.kubernetes.waiting import with_pod, without_pod
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.job import Reason
from sentinels.core.observation import Absent, Observation, Running, StopFor
from sentinels.core.ports import Json
from sentinels.core.quantity import format_duration
from sentinels.core.workload import WorkloadRef

JOBS_PATH = "/apis/batch/v1/jobs"
CHUNK = 500
"""Job ids in one selector: a few kilobytes of an address."""
_EVENTS_AFTER_SECONDS = 3.0


@dataclass(slots=True)
class Sight:
    """What was read of some workloads; ``now`` is the API server's clock."""

    now: datetime
    jobs: dict[WorkloadRef, Json] = field(default_factory=dict)
    pods: dict[WorkloadRef, list[Json]] = field(default_factory=lambda: defaultdict(list))
    events: dict[WorkloadRef, list[Json]] = field(default_factory=dict)
    nodes: dict[str, Json] = field(default_factory=dict)

    def pod(self, ref: WorkloadRef) -> Json:
        """The workload's pod: the one that lives, else the newest."""
        found = self.pods.get(ref, [])
        by_age = sorted(found, key=lambda pod: text_at(pod, "metadata", "creationTimestamp"))
        return next((pod for pod in by_age if is_live(pod)), by_age[-1] if by_age else None)


def look(
    api: Api, refs: Sequence[WorkloadRef], options: Options
) -> Mapping[WorkloadRef, Observation]:
    """See ``Cluster.observe``."""
    found: dict[WorkloadRef, Observation] = {}
    for start in range(0, len(refs), CHUNK):
        chunk = refs[start : start + CHUNK]
        sight = read_sight(api, chunk, options, cached=True)
        missing = [ref for ref in chunk if ref not in sight.jobs]
        read_again(api, sight, missing, options)
        _read_events(api, sight)
        _read_nodes(api, sight)
        found |= {ref: observation_of(sight, ref, options) for ref in chunk}
    return found


def observation_of(sight: Sight, ref: WorkloadRef, options: Options) -> Observation:
    """What one workload is doing, from what was read."""
    job, pod = sight.jobs.get(ref), sight.pod(ref)
    remains = Remains(job, pod, sight.now)
    if job is None:
        return _without_job(remains)
    if condition(job, "Complete") or condition(job, "Failed"):
        return succeeded(remains) if condition(job, "Complete") else failed(remains)
    if pod is None:
        return without_pod(job, sight.events.get(ref, ()), sight.now, options.deadlines)
    return _unended(sight, remains, options)


def _unended(sight: Sight, remains: Remains, options: Options) -> Observation:
    job, pod = remains.job, remains.pod
    silent = _silent_seconds(sight, pod)
    if silent is not None and silent >= options.deadlines.node_lost:
        return lost_with_node(remains, text_at(pod, "spec", "nodeName"), silent)
    running = _running(job, pod)
    if running is None:
        return with_pod(job, pod, sight.now, options.deadlines)
    return replace(running, stop_for=_overdue(job, running, sight.now))


def _without_job(remains: Remains) -> Observation:
    """Its Job was deleted. What lives of it must go before it can be given up."""
    if remains.pod is None:
        return Absent()
    if not is_live(remains.pod):
        phase = text_at(remains.pod, "status", "phase")
        return succeeded(remains) if phase == "Succeeded" else lost_with_job(remains)
    started = moment(text_at(remains.pod, "metadata", "creationTimestamp")) or remains.now
    return Running(
        uid=text_at(remains.pod, "metadata", "uid"),
        started_at=started,
        node=text_at(remains.pod, "spec", "nodeName") or None,
        stop_for=StopFor(Reason.WORKLOAD_LOST, "its Job was deleted by somebody"),
    )


def is_live(pod: Json) -> bool:
    """Whether something of the pod may still run."""
    return text_at(pod, "status", "phase") not in ("Succeeded", "Failed")


def _running(job: Json, pod: Json) -> Running | None:
    """Its program has started; that it has ended is believed when the Job says so."""
    state = at(container_status(pod, MAIN), "state")
    began = text_at(state, "running", "startedAt") or text_at(state, "terminated", "startedAt")
    started = moment(began)
    if started is None:
        return None
    uid = text_at(job, "metadata", "uid")
    return Running(uid, started, text_at(pod, "spec", "nodeName") or None)


def _overdue(job: Json, running: Running, now: datetime) -> StopFor | None:
    limit = text_at(job, "metadata", "annotations", TIME_LIMIT)
    if not limit.isdecimal() or (now - running.started_at).total_seconds() < int(limit):
        return None
    words = f"it ran into its time limit of {format_duration(int(limit))}"
    return StopFor(Reason.DEADLINE_EXCEEDED, words)


def _silent_seconds(sight: Sight, pod: Json) -> float | None:
    """How long the pod's node has not been ready; None where it is, or where nobody looked."""
    node = sight.nodes.get(text_at(pod, "spec", "nodeName"))
    if node is None or is_ready(node):
        return None
    for each in rows(node, "status", "conditions"):
        if text_at(each, "type") == "Ready":
            since = moment(text_at(each, "lastTransitionTime"))
            return (sight.now - since).total_seconds() if since else 0.0
    return None


def read_sight(api: Api, refs: Sequence[WorkloadRef], options: Options, *, cached: bool) -> Sight:
    """The Jobs and pods of these; ``cached``: as the API server last heard of them. Raises
    ``ClusterUnavailable``.
    """
    ids = ",".join(sorted({str(ref.job_id) for ref in refs}))
    selector = f"{MANAGED}=true,{JOB} in ({ids})"
    query = {"labelSelector": selector, **({"resourceVersion": "0"} if cached else {})}
    jobs, date = listed(api, JOBS_PATH, query)
    pods, _ = listed(api, PODS_PATH, query)
    wanted = set(refs)
    sight = Sight(date)
    for job in _ours(jobs, options):
        if (ref := ref_of(at(job, "metadata", "labels"))) in wanted and ref is not None:
            sight.jobs[ref] = job
    for pod in _ours(pods, options):
        if (ref := ref_of(at(pod, "metadata", "labels"))) in wanted and ref is not None:
            sight.pods[ref].append(pod)
    return sight


def _ours(found: Iterable[Json], options: Options) -> Iterator[Json]:
    """Another installation on the same cluster has another prefix."""
    for each in found:
        if text_at(each, "metadata", "namespace").startswith(options.namespace_prefix):
            yield each


def read_again(api: Api, sight: Sight, doubtful: Sequence[WorkloadRef], options: Options) -> Sight:
    """The same, with those that a cached look leaves in doubt read consistently. Raises
    ``ClusterUnavailable``.
    """
    if not doubtful:
        return sight
    newer = read_sight(api, doubtful, options, cached=False)
    for ref in doubtful:
        sight.jobs.pop(ref, None)
        sight.pods.pop(ref, None)
    sight.jobs |= newer.jobs
    sight.pods |= newer.pods
    sight.now = newer.now
    return sight


def _read_events(api: Api, sight: Sight) -> None:
    """Why a Job that was begun with has no pod: the Job controller says so in events only."""
    podless = [
        (ref, job)
        for ref, job in sight.jobs.items()
        if ref not in sight.pods and _is_late(job, sight.now)
    ]
    requests = [
        Request(
            "GET",
            f"/api/v1/namespaces/{text_at(job, 'metadata', 'namespace')}/events",
            {
                "fieldSelector": f"involvedObject.uid={text_at(job, 'metadata', 'uid')},"
                "reason=FailedCreate"
            },
        )
        for _, job in podless
    ]
    for place, answer in api.many(requests):
        if isinstance(answer, Answer) and answer.status == HTTPStatus.OK:
            sight.events[podless[place][0]] = list(rows(answer.json, "items"))


def _is_late(job: Json, now: datetime) -> bool:
    if condition(job, "Complete") or condition(job, "Failed"):
        return False
    began = moment(text_at(job, "status", "startTime"))
    return began is not None and (now - began).total_seconds() >= _EVENTS_AFTER_SECONDS


def _read_nodes(api: Api, sight: Sight) -> None:
    """The nodes of pods that may have been left by theirs."""
    names = {
        text_at(pod, "spec", "nodeName")
        for found in sight.pods.values()
        for pod in found
        if is_live(pod) and _may_be_left(pod)
    }
    asked = sorted(filter(None, names))
    requests = [Request("GET", f"{NODES_PATH}/{name}", {"resourceVersion": "0"}) for name in asked]
    for place, answer in api.many(requests):
        if isinstance(answer, Answer) and answer.status == HTTPStatus.OK:
            sight.nodes[asked[place]] = answer.json


def _may_be_left(pod: Json) -> bool:
    """The node's own controller marks the pods of a silent node as not ready."""
    if text_at(pod, "metadata", "deletionTimestamp"):
        return True
    return any(
        text_at(each, "type") == "Ready" and text_at(each, "status") != "True"
        for each in rows(pod, "status", "conditions")
    )


def listed(
    api: Api,
    path: str,
    query: Mapping[str, str],
    *,
    accept: str = "application/json",
    silent_seconds: float | None = None,
) -> tuple[list[Mapping[str, Json]], datetime]:
    """The objects of a list, and when by the API server's clock. Raises ``ClusterUnavailable``."""
    request = Request(
        "GET", path, query, accept=accept, seconds=LIST_SECONDS, silent_seconds=silent_seconds
    )
    answer = api.request(request)
    if answer.status != HTTPStatus.OK:
        raise ClusterUnavailable(message_of(answer), retry_after=answer.retry_after)
    return rows(answer.json, "items"), answer.date
