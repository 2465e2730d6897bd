"""A Kubernetes cluster: ``core.ports.Cluster``.

Keeps nothing in memory that matters: functions come and go, and any of them finds the same
workloads by their labels. Whatever must end is ended in one way (docs/decisions/0009). Comes in:
workloads. Goes out: Jobs, observations, logs. Before: ``core/dispatching``, ``core/settling``.
Next: ``launch``, ``observe``, ``capacity``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import MERGE_PATCH, Answer, Api, Request
from sentinels.clusters.kubernetes.capacity import (
    LIVE_PODS,
    NODES_PATH,
    PODS_PATH,
    gpu_labels,
    snapshot_of,
)
from sentinels.clusters.kubernetes.evidence import condition
from sentinels.clusters.kubernetes.launch import jobs_path, launch_jobs, message_of
from sentinels.clusters.kubernetes.logs import last_output, log_size, read_log
from sentinels.clusters.kubernetes.manifest import job_manifest
from sentinels.clusters.kubernetes.names import (
    ATTEMPT,
    JOB,
    MANAGED,
    QUARANTINED,
    RELEASED,
    at,
    ref_of,
    text_at,
)
from sentinels.clusters.kubernetes.observe import JOBS_PATH, is_live, listed, look
from sentinels.clusters.kubernetes.options import Options
from sentinels.clusters.kubernetes.stopping import stopping
from sentinels.core.capacity import Snapshot
from sentinels.core.errors import ClusterUnavailable, NotFound
from sentinels.core.job import Reason
from sentinels.core.observation import Observation
from sentinels.core.ports import Json, Launched, LogChunk
from sentinels.core.workload import Workload, WorkloadRef

_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
"""Answers to a change that is guarded by a uid: what was meant is not there any more."""


class KubernetesCluster:
    """The workloads of every team, one namespace each."""

    def __init__(self, api: Api, options: Options) -> None:
        """``options`` are the administrator's."""
        self._api = api
        self._options = options

    @property
    def keeps_logs(self) -> bool:
        """See ``Cluster.keeps_logs``: a log goes with its pod."""
        return False

    def snapshot(self) -> Snapshot:
        """See ``Cluster.snapshot``; both lists are the watch cache's."""
        pods, _ = self._list(PODS_PATH, fieldSelector=LIVE_PODS)
        return snapshot_of(self._nodes(), pods, self._options)

    def launch(self, workload: Workload) -> str:
        """See ``Cluster.launch``."""
        for launched in self.launch_all([workload]):
            if launched.error is not None:
                raise launched.error
            return launched.uid or ""
        raise ClusterUnavailable(f"{workload.ref.name} was not launched")

    def launch_all(self, workloads: Sequence[Workload]) -> Iterator[Launched]:
        """See ``Cluster.launch_all``."""
        typed = any(workload.resources.gpu_type for workload in workloads)
        nodes = self._nodes() if typed else []
        yield from launch_jobs(
            self._api, [(each.ref, self._job(each, nodes)) for each in workloads]
        )

    def preview(self, workload: Workload) -> Mapping[str, Json]:
        """See ``Cluster.preview``: the Job."""
        return self._job(workload, self._nodes() if workload.resources.gpu_type else [])

    def observe(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, Observation]:
        """See ``Cluster.observe``."""
        return look(self._api, refs, self._options)

    def held(self) -> frozenset[WorkloadRef]:
        """See ``Cluster.held``; only names and labels are read."""
        selector = f"{MANAGED}=true,!{RELEASED},!{QUARANTINED}"
        jobs, _ = self._list(JOBS_PATH, accept=_NAMES_ONLY, labelSelector=selector)
        refs = (ref_of(at(job, "metadata", "labels")) for job in jobs if self._is_ours(job))
        return frozenset(ref for ref in refs if ref is not None)

    def stop(self, ref: WorkloadRef, *, why: Reason, message: str = "") -> None:
        """See ``Cluster.stop``. A pod whose Job is gone is deleted."""
        job, now = self._job_of(ref)
        pods = [pod for pod in self._of(PODS_PATH, ref)[0] if is_live(pod)]
        if job is None:
            for pod in pods:
                self._delete(pod, "pods")
        elif not (condition(job, "Complete") or condition(job, "Failed")):
            for change in stopping(
                job, pods, why, message, now=now, grace=self._options.grace_seconds
            ):
                self._done(change)

    def release(self, ref: WorkloadRef) -> None:
        """See ``Cluster.release``; only now does the Job get a time to live."""
        job = self._ended_job_of(ref) or self._job_of(ref)[0]
        if job is None:
            return
        if condition(job, "Complete") or condition(job, "Failed"):
            seconds = int(self._options.keep_finished_seconds)
            self._patch(job, {"labels": {RELEASED: "true"}}, {"ttlSecondsAfterFinished": seconds})
        else:
            self._delete(job, "jobs")

    def set_aside(self, ref: WorkloadRef) -> None:
        """See ``Cluster.set_aside``; a label says so to whoever looks."""
        job, _ = self._job_of(ref)
        if job is not None:
            self._patch(job, {"labels": {QUARANTINED: "true"}}, {})

    def cordon(self, node: str, *, closed: bool) -> None:
        """See ``Cluster.cordon``."""
        body: Json = {"spec": {"unschedulable": True if closed else None}}
        path = f"{NODES_PATH}/{node}"
        self._done(Request("PATCH", path, body=body, content_type=MERGE_PATCH))

    def read_log(self, ref: WorkloadRef, *, offset: int, limit: int) -> LogChunk:
        """See ``Cluster.read_log``."""
        pod = self._newest_pod(ref)
        if pod is None:
            return LogChunk(b"", offset, ended=True)
        return read_log(self._api, pod, offset=offset, limit=limit)

    def log_size(self, ref: WorkloadRef) -> int:
        """See ``Cluster.log_size``."""
        pod = self._newest_pod(ref)
        return 0 if pod is None else log_size(self._api, pod)

    def last_output(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime]:
        """See ``Cluster.last_output``; a pod is asked for its last line each."""
        found = {}
        for ref in refs:
            pod = self._newest_pod(ref)
            printed = None if pod is None else last_output(self._api, pod)
            if printed is not None:
                found[ref] = printed
        return found

    def collect_outputs(self, workload: Workload) -> bool:
        """See ``Cluster.collect_outputs``: what the sidecar did not send is gone with its pod."""
        raise NotFound(f"what {workload.ref.name} left is gone with its pod")

    def _job(self, workload: Workload, nodes: Sequence[Json]) -> Mapping[str, Json]:
        labels = gpu_labels(nodes, workload.resources.gpu_type, self._options)
        return job_manifest(workload, self._options, labels)

    def _nodes(self) -> list[Mapping[str, Json]]:
        return self._list(NODES_PATH)[0]

    def _list(
        self, path: str, *, accept: str = "application/json", **query: str
    ) -> tuple[list[Mapping[str, Json]], object]:
        return listed(self._api, path, {"resourceVersion": "0", **query}, accept=accept)

    def _job_of(self, ref: WorkloadRef) -> tuple[Mapping[str, Json] | None, datetime]:
        """The workload's Job, read consistently, and when that was."""
        found, now = self._of(JOBS_PATH, ref)
        return next(iter(found), None), now

    def _ended_job_of(self, ref: WorkloadRef) -> Mapping[str, Json] | None:
        """The same from the watch cache: that it has ended was true once and stays so."""
        for job in self._of(JOBS_PATH, ref, resourceVersion="0")[0]:
            if condition(job, "Complete") or condition(job, "Failed"):
                return job
        return None

    def _newest_pod(self, ref: WorkloadRef) -> Mapping[str, Json] | None:
        by_age = sorted(
            self._of(PODS_PATH, ref)[0],
            key=lambda pod: text_at(pod, "metadata", "creationTimestamp"),
        )
        return by_age[-1] if by_age else None

    def _of(
        self, path: str, ref: WorkloadRef, **query: str
    ) -> tuple[list[Mapping[str, Json]], datetime]:
        selector = f"{MANAGED}=true,{JOB}={ref.job_id},{ATTEMPT}={ref.attempt}"
        found, now = listed(self._api, path, {"labelSelector": selector, **query})
        return [each for each in found if self._is_ours(each)], now

    def _is_ours(self, found: Json) -> bool:
        namespace = text_at(found, "metadata", "namespace")
        return namespace.startswith(self._options.namespace_prefix)

    def _patch(self, job: Json, metadata: Mapping[str, Json], spec: Mapping[str, Json]) -> None:
        namespace, name = text_at(job, "metadata", "namespace"), text_at(job, "metadata", "name")
        uid = text_at(job, "metadata", "uid")
        body: Json = {"metadata": {**metadata, "uid": uid}, "spec": dict(spec)}
        path = jobs_path(namespace, name)
        self._done(Request("PATCH", path, body=body, content_type=MERGE_PATCH))

    def _delete(self, found: Json, kind: str) -> None:
        namespace, name = (
            text_at(found, "metadata", "namespace"),
            text_at(found, "metadata", "name"),
        )
        pods = f"/api/v1/namespaces/{namespace}/pods/{name}"
        path = jobs_path(namespace, name) if kind == "jobs" else pods
        uid = text_at(found, "metadata", "uid")
        body: Json = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        self._done(Request("DELETE", path, body=body))

    def _done(self, request: Request) -> None:
        """Make a change; what is gone needs none. Raises ``ClusterUnavailable``."""
        answer: Answer = self._api.request(request)
        if answer.status not in _GONE and answer.status >= HTTPStatus.BAD_REQUEST:
            raise ClusterUnavailable(message_of(answer), retry_after=answer.retry_after)
