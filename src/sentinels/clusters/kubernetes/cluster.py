"""A Kubernetes cluster: ``core.ports.Cluster``.

Keeps nothing in memory that matters: functions come and go, and any of them finds the same
workloads by their labels. Whatever must end is ended in one way (docs/decisions/0009). Comes in:
workloads. Goes out: Jobs, observations, logs. Before: ``core/dispatching``, ``core/settling``.
Next: ``launch``, ``observe``, ``testimony``, ``releasing``, ``capacity``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sentinels.clusters.kubernetes.api import MERGE_PATCH, Api, Request
from sentinels.clusters.kubernetes.capacity import (
    LIVE_PODS,
    NODES_PATH,
    PODS_PATH,
    gpu_labels,
    snapshot_of,
)
from sentinels.clusters.kubernetes.launch import launch_jobs
from sentinels.clusters.kubernetes.logs import SILENT_SECONDS, last_output, read_log, tail
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
from sentinels.clusters.kubernetes.releasing import (
    deletion,
    is_over,
    release_all,
    set_aside,
    trouble_of,
)
from sentinels.clusters.kubernetes.stopping import stopping
from sentinels.clusters.kubernetes.testimony import testify
from sentinels.core.capacity import Snapshot
from sentinels.core.dossier import Testimony
from sentinels.core.errors import ClusterUnavailable, NotFound
from sentinels.core.job import Reason
from sentinels.core.log_position import Position, moment_of, since
from sentinels.core.observation import Finished, Observation
from sentinels.core.ports import Json, Launched, LogChunk, LogTail, Released
from sentinels.core.workload import Workload, WorkloadRef

_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


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

    def testimony(self, ended: Mapping[WorkloadRef, Finished]) -> Mapping[WorkloadRef, Testimony]:
        """See ``Cluster.testimony``."""
        return testify(self._api, ended)

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
                self._change(deletion(pod, "pods"))
        elif not is_over(job):
            for change in stopping(
                job, pods, why, message, now=now, grace=self._options.grace_seconds
            ):
                self._change(change)

    def release(self, ref: WorkloadRef) -> None:
        """See ``Cluster.release``."""
        _raise_first(self.release_all([ref]))

    def release_all(self, refs: Sequence[WorkloadRef]) -> Iterator[Released]:
        """See ``Cluster.release_all``."""
        return release_all(self._api, refs, self._options)

    def set_aside(self, ref: WorkloadRef) -> None:
        """See ``Cluster.set_aside``."""
        _raise_first(set_aside(self._api, ref, self._options))

    def cordon(self, node: str, *, closed: bool) -> None:
        """See ``Cluster.cordon``."""
        body: Json = {"spec": {"unschedulable": True if closed else None}}
        path = f"{NODES_PATH}/{node}"
        self._change(Request("PATCH", path, body=body, content_type=MERGE_PATCH))

    def read_log(
        self,
        ref: WorkloadRef,
        *,
        after: Position,
        limit: int,
        timed: bool = False,  # noqa: ARG002  # the port's
    ) -> LogChunk | None:
        """See ``Cluster.read_log``; each line has its time anyway."""
        pod, place = self._newest_pod(ref), moment_of(after)
        return None if pod is None else read_log(self._api, pod, after=place, limit=limit)

    def log_since(self, ref: WorkloadRef, at_ns: int) -> Position:  # noqa: ARG002  # the port's
        """See ``Cluster.log_since``."""
        return since(at_ns)

    def log_tail(self, ref: WorkloadRef, lines: int) -> LogTail | None:
        """See ``Cluster.log_tail``."""
        pod = self._newest_pod(ref)
        return None if pod is None else tail(self._api, pod, lines)

    def collect_log(self, ref: WorkloadRef) -> bool:  # noqa: ARG002  # the port's
        """See ``Cluster.collect_log``: what sends the nodes' logs sees to it."""
        return True

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

    def _newest_pod(self, ref: WorkloadRef) -> Mapping[str, Json] | None:
        """From the watch cache: whoever follows a log asks often, and is not left waiting."""
        query = {"labelSelector": _selector(ref), "resourceVersion": "0"}
        found, _ = listed(self._api, PODS_PATH, query, silent_seconds=SILENT_SECONDS)
        by_age = sorted(
            (pod for pod in found if self._is_ours(pod)),
            key=lambda pod: text_at(pod, "metadata", "creationTimestamp"),
        )
        return by_age[-1] if by_age else None

    def _of(self, path: str, ref: WorkloadRef) -> tuple[list[Mapping[str, Json]], datetime]:
        found, now = listed(self._api, path, {"labelSelector": _selector(ref)})
        return [each for each in found if self._is_ours(each)], now

    def _change(self, request: Request) -> None:
        trouble = trouble_of(self._api.request(request))
        if trouble is not None:
            raise trouble

    def _is_ours(self, found: Json) -> bool:
        namespace = text_at(found, "metadata", "namespace")
        return namespace.startswith(self._options.namespace_prefix)


def _selector(ref: WorkloadRef) -> str:
    return f"{MANAGED}=true,{JOB}={ref.job_id},{ATTEMPT}={ref.attempt}"


def _raise_first(released: Iterable[Released]) -> None:
    for each in list(released):
        if each.error is not None:
            raise each.error
