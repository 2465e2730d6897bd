"""What a Job, its pod and its events mean: one row for each thing that a cluster can show."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.clusters.kubernetes.names import STOP_MESSAGE, STOP_REASON, TIME_LIMIT
from sentinels.clusters.kubernetes.observe import Sight, observation_of
from sentinels.clusters.kubernetes.options import Options
from sentinels.clusters.kubernetes.stopping import stopping
from sentinels.core.job import JobId, Reason
from sentinels.core.observation import Absent, Finished, Observation, Pending, Running
from sentinels.core.workload import WorkloadRef

NOW = datetime.fromisoformat("2026-11-23T12:00:00Z")
REF = WorkloadRef(JobId(7), 1)
Json = dict[str, Any]


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def a_job(
    *conditions: Json, began: float | None = 60, sidecar: bool = False, **annotations: str
) -> Json:
    main: Json = {"name": "main", "resources": {"limits": {"memory": str(96 * 2**20)}}}
    spec: Json = {"containers": [main], "initContainers": [{"name": "outputs"}] if sidecar else []}
    status = {"conditions": list(conditions), **({"startTime": ago(began)} if began else {})}
    return {
        "metadata": {"name": "j", "namespace": "sen-a", "uid": "u", "annotations": annotations},
        "spec": {"template": {"spec": spec}},
        "status": status,
    }


def failed(message: str = "", reason: str = "PodFailurePolicy") -> Json:
    return {
        "type": "Failed",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": ago(1),
    }


COMPLETE: Json = {"type": "Complete", "status": "True", "lastTransitionTime": ago(1)}


def a_pod(
    state: Json | None = None,
    *,
    phase: str = "Running",
    conditions: tuple[Json, ...] = (),
    leaving: bool = False,
    report: str | None = None,
    **status: str,
) -> Json:
    placed = {"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(50)}
    sidecar = {"name": "outputs", "state": {"terminated": {"message": report}}}
    metadata: Json = {"name": "p", "namespace": "sen-a", "uid": "pu", "creationTimestamp": ago(60)}
    if leaving:
        metadata["deletionTimestamp"] = ago(1)
    return {
        "metadata": metadata,
        "spec": {"nodeName": "n1", "containers": [{"name": "main", "image": "train:1"}]},
        "status": {
            "phase": phase,
            "conditions": [placed, *conditions],
            "containerStatuses": [{"name": "main", "state": state or {}}],
            "initContainerStatuses": [sidecar] if report is not None else [],
            **status,
        },
    }


def ended(code: int, reason: str = "Error", message: str = "") -> Json:
    times = {"startedAt": ago(40), "finishedAt": ago(2)}
    return {"terminated": {"exitCode": code, "reason": reason, "message": message, **times}}


def waits(reason: str, message: str = "") -> Json:
    return {"waiting": {"reason": reason, "message": message}}


def disrupted(reason: str) -> Json:
    return {"type": "DisruptionTarget", "status": "True", "reason": reason}


RUNS: Json = {"running": {"startedAt": ago(40)}}


def seen(
    job: Json | None, *pods: Json, events: tuple[str, ...] = (), node: Json | None = None
) -> Observation:
    sight = Sight(NOW)
    if job is not None:
        sight.jobs[REF] = job
    sight.pods[REF].extend(pods)
    sight.events[REF] = [{"message": message} for message in events]
    if node is not None:
        sight.nodes["n1"] = node
    return observation_of(sight, REF, Options())


@dataclass(frozen=True)
class End:
    """How a failed Job and its pod look, and what that means."""

    reason: Reason
    pod: Json | None
    job: Json = field(default_factory=lambda: a_job(failed()))
    words: str = ""
    code: int | None = None


CODE_137 = "Container main failed with exit code 137 matching FailJob rule at index 1"
ENDS = {
    "exit code": End(Reason.EXITED_NONZERO, a_pod(ended(3)), code=3),
    "own memory limit": End(
        Reason.OUT_OF_MEMORY, a_pod(ended(137, "OOMKilled")), words="asked for 96 MiB", code=137
    ),
    "137 alone": End(Reason.KILLED, a_pod(ended(137)), words="probably for want of memory"),
    "no such command": End(
        Reason.EXITED_NONZERO, a_pod(ended(128, "StartError", "exec: not found")), code=127
    ),
    "no right to start": End(
        Reason.EXITED_NONZERO, a_pod(ended(128, "StartError", "permission denied")), code=126
    ),
    "preempted": End(
        Reason.PREEMPTED, a_pod(ended(143), conditions=(disrupted("PreemptionByScheduler"),))
    ),
    "drained": End(
        Reason.EVICTED, a_pod(ended(143), conditions=(disrupted("EvictionByEvictionAPI"),))
    ),
    "taint manager": End(
        Reason.NODE_LOST, a_pod(ended(137), conditions=(disrupted("DeletionByTaintManager"),))
    ),
    "pod collector": End(Reason.NODE_LOST, a_pod(conditions=(disrupted("DeletionByPodGC"),))),
    "kubelet": End(
        Reason.EVICTED, a_pod(ended(137), conditions=(disrupted("TerminationByKubelet"),))
    ),
    "a disruption that is new": End(Reason.EVICTED, a_pod(conditions=(disrupted("Whatever"),))),
    "the disruption's pod is gone": End(
        Reason.EVICTED, None, a_job(failed("Pod p has condition DisruptionTarget matching"))
    ),
    "short of memory on the node": End(
        Reason.EVICTED, a_pod(reason="Evicted", message="The node was low on resource: memory")
    ),
    "no room any more": End(Reason.NEVER_PLACED, a_pod(reason="OutOfcpu")),
    "deleted, leaving": End(Reason.EVICTED, a_pod(ended(137), leaving=True), words="deleted"),
    "deleted, gone": End(Reason.EVICTED, None, a_job(failed(CODE_137)), words="deleted"),
    "failed, then its pod was removed": End(
        Reason.EXITED_NONZERO, None, a_job(failed("p failed with exit code 3 matching")), code=3
    ),
    "we asked": End(
        Reason.DEADLINE_EXCEEDED,
        a_pod(ended(143)),
        a_job(failed(), **{STOP_REASON: "deadline_exceeded", STOP_MESSAGE: "of 3s"}),
        words="of 3s",
        code=143,
    ),
    "the backstop, started": End(
        Reason.EXITED_NONZERO, a_pod(ended(1)), a_job(failed("", "DeadlineExceeded")), code=1
    ),
    "the backstop, never started": End(
        Reason.NEVER_PLACED, None, a_job(failed("", "DeadlineExceeded"))
    ),
    "no trace": End(Reason.WORKLOAD_LOST, None, a_job(failed("", "BackoffLimitExceeded"))),
}


@pytest.mark.parametrize("name", ENDS)
def test_each_end_has_its_reason(name: str) -> None:
    end = ENDS[name]
    found = seen(end.job, *([end.pod] if end.pod else []))
    assert isinstance(found, Finished)
    assert found.reason is end.reason
    assert end.words in found.message
    assert end.code is None or found.exit_code == end.code


def test_a_program_that_ended_well_has_succeeded_whatever_was_asked_of_it() -> None:
    job = a_job(COMPLETE, **{STOP_REASON: "cancelled"})
    found = seen(job, a_pod(ended(0, "Completed"), phase="Succeeded"))
    assert isinstance(found, Finished)
    assert (found.reason, found.exit_code, found.node) == (None, 0, "n1")


@pytest.mark.parametrize(
    ("report", "sidecar", "complete"),
    [
        ('{"sent": 2, "complete": true}', True, True),
        ('{"sent": 1, "complete": false, "trouble": "a"}', True, False),
        ("", True, False),
        ("no json", True, False),
        (None, False, True),
    ],
)
def test_outputs_are_complete_only_if_the_sidecar_says_so(
    report: str | None, sidecar: bool, complete: bool
) -> None:
    pod = a_pod(ended(0, "Completed"), phase="Succeeded", report=report)
    found = seen(a_job(COMPLETE, sidecar=sidecar), pod)
    assert isinstance(found, Finished)
    assert found.outputs_complete is complete


@dataclass(frozen=True)
class Stuck:
    """How a pod looks that cannot start, and what it is given up for, when it has waited long."""

    reason: Reason
    state: Json
    words: str
    patience: float


STUCK = {
    "no such image": Stuck(
        Reason.IMAGE_UNAVAILABLE,
        waits("ErrImagePull", 'failed to resolve "train:1": not found'),
        "image train:1 is not there",
        30,
    ),
    "back-off for want of a right": Stuck(
        Reason.IMAGE_UNAVAILABLE,
        waits("ImagePullBackOff", "Back-off pulling image: 401 Unauthorized"),
        "may not be pulled",
        30,
    ),
    "registry away": Stuck(
        Reason.REGISTRY_UNAVAILABLE,
        waits("ImagePullBackOff", "dial tcp: connection refused"),
        "did not answer",
        900,
    ),
    "no name of an image": Stuck(
        Reason.IMAGE_UNAVAILABLE, waits("InvalidImageName", "invalid"), "no name of an image", 0
    ),
    "no such secret": Stuck(
        Reason.CONFIG_MISSING,
        waits("CreateContainerConfigError", 'secret "hub" not found'),
        'secret "hub" not found',
        60,
    ),
    "an image that runs as root": Stuck(
        Reason.REJECTED,
        waits(
            "CreateContainerConfigError",
            "container has runAsNonRoot and image will run as root (pod: p)",
        ),
        "numeric USER",
        60,
    ),
    "a volume that does not come": Stuck(
        Reason.NEVER_PLACED, waits("ContainerCreating"), "did not start its program", 300
    ),
}


@pytest.mark.parametrize("name", STUCK)
@pytest.mark.parametrize("late", [False, True])
def test_a_pod_that_cannot_start_is_given_up_after_its_time(name: str, late: bool) -> None:
    stuck = STUCK[name]
    pod = a_pod(stuck.state, phase="Pending")
    since = stuck.patience + 1 if late else max(0, stuck.patience - 1)
    pod["status"]["conditions"][0]["lastTransitionTime"] = ago(since)
    found = seen(a_job(), pod)
    assert isinstance(found, Pending)
    assert found.accepted
    if not late and stuck.patience:
        assert found.stop_for is None
        return
    assert found.stop_for is not None
    assert found.stop_for.reason is stuck.reason
    assert stuck.words in found.stop_for.message


def test_a_pod_that_no_node_takes_is_given_up_after_its_time() -> None:
    unplaced = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    pod = a_pod(phase="Pending")
    pod["status"]["conditions"] = [unplaced]
    found = seen(a_job(), pod)
    assert isinstance(found, Pending)
    assert (found.stop_for, "0/3 nodes" in found.detail) == (None, True)
    pod["metadata"]["creationTimestamp"] = ago(301)
    late = seen(a_job(), pod)
    assert isinstance(late, Pending)
    assert late.stop_for is not None
    assert late.stop_for.reason is Reason.NEVER_PLACED


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('pods "p" is forbidden: exceeded quota: q, requested: cpu=1', Reason.QUOTA_EXCEEDED),
        ('pods "p" is forbidden: violates PodSecurity "restricted:latest"', Reason.REJECTED),
        ("maximum memory usage per Container is 1Gi, but limit is 2Gi", Reason.REJECTED),
        ('admission webhook "x" denied the request: no', Reason.REJECTED),
        ("etcdserver: request timed out", Reason.NEVER_PLACED),
    ],
)
def test_a_pod_that_cannot_be_created_is_given_up_for_what_the_controller_says(
    message: str, reason: Reason
) -> None:
    early = seen(a_job(began=10), events=(message,))
    assert isinstance(early, Pending)
    assert early.stop_for is None
    late = seen(a_job(began=61), events=(message,))
    assert isinstance(late, Pending)
    assert late.stop_for is not None
    assert late.stop_for.reason is reason
    assert message in late.stop_for.message


def test_a_job_that_kubernetes_has_not_begun_with_is_not_accepted() -> None:
    found = seen(a_job(began=None))
    assert isinstance(found, Pending)
    assert not found.accepted
    begun = seen(a_job(began=1))
    assert isinstance(begun, Pending)
    assert begun.accepted


def test_what_runs_beyond_its_time_limit_is_to_be_stopped() -> None:
    within = seen(a_job(**{TIME_LIMIT: "41"}), a_pod(RUNS))
    assert isinstance(within, Running)
    assert (within.stop_for, within.node) == (None, "n1")
    beyond = seen(a_job(**{TIME_LIMIT: "40"}), a_pod(RUNS))
    assert isinstance(beyond, Running)
    assert beyond.stop_for is not None
    assert beyond.stop_for.reason is Reason.DEADLINE_EXCEEDED
    assert "time limit of 40s" in beyond.stop_for.message


def test_while_its_outputs_are_uploaded_it_has_not_ended() -> None:
    assert isinstance(seen(a_job(), a_pod(ended(0))), Running)


@pytest.mark.parametrize(("silent", "lost"), [(299, False), (301, True)])
def test_a_silent_node_is_given_time(silent: float, lost: bool) -> None:
    node = {
        "status": {
            "conditions": [
                {"type": "Ready", "status": "Unknown", "lastTransitionTime": ago(silent)}
            ]
        }
    }
    found = seen(a_job(), a_pod(RUNS), node=node)
    assert isinstance(found, Finished) is lost
    assert not lost or (isinstance(found, Finished) and found.reason is Reason.NODE_LOST)


def test_a_job_that_is_gone_is_absent_only_when_nothing_is_left_of_it() -> None:
    assert seen(None) == Absent()
    left = seen(None, a_pod(ended(1), phase="Failed"))
    assert isinstance(left, Finished)
    assert (left.reason, left.exit_code, left.node) == (Reason.WORKLOAD_LOST, 1, "n1")
    assert left.evidence["pod"] == "p"
    alive = seen(None, a_pod(RUNS))
    assert isinstance(alive, Running)
    assert alive.stop_for is not None
    assert alive.stop_for.reason is Reason.WORKLOAD_LOST


def test_stopping_says_why_first_and_then_ends_the_pod_so_that_it_can_be_read() -> None:
    job, pod = a_job(), a_pod(RUNS)
    first, second = stopping(job, [pod], Reason.CANCELLED, "by ann", now=NOW, grace=10)
    assert first.path.endswith("/jobs/j")
    assert first.body == {
        "metadata": {
            "uid": "u",
            "annotations": {STOP_REASON: "cancelled", STOP_MESSAGE: "by ann"},
        },
        "spec": {"activeDeadlineSeconds": 60 + 10 + 15},
    }
    assert second.path.endswith("/pods/p")
    assert second.body == {"metadata": {"uid": "pu"}, "spec": {"activeDeadlineSeconds": 1}}


def test_stopping_again_finishes_what_was_cut_off_and_changes_nothing_else() -> None:
    job, pod = a_job(**{STOP_REASON: "cancelled"}), a_pod(RUNS)
    [left] = stopping(job, [pod], Reason.EVICTED, "", now=NOW, grace=10)
    assert left.path.endswith("/pods/p")
    pod["spec"]["activeDeadlineSeconds"] = 1
    assert list(stopping(job, [pod], Reason.EVICTED, "", now=NOW, grace=10)) == []


def test_what_no_node_has_is_ended_by_the_job_controller_at_once() -> None:
    [only] = stopping(a_job(), [], Reason.CANCELLED, "", now=NOW, grace=10)
    assert isinstance(only.body, dict)
    assert only.body["spec"] == {"activeDeadlineSeconds": 1}


def _pruned(found: Any, choose: Any) -> Any:
    """The same with parts left out, or replaced by what nobody expects there."""
    if isinstance(found, dict):
        kept = {key: value for key, value in found.items() if choose(st.integers(0, 9)) != 0}
        return {key: _pruned(value, choose) for key, value in kept.items()}
    if isinstance(found, list):
        return [_pruned(each, choose) for each in found]
    if choose(st.integers(0, 9)) == 0:
        return choose(st.sampled_from([None, 0, "", "x", [], {}, True, ago(5)]))
    return found


@given(st.data())
def test_whatever_is_missing_or_odd_it_is_still_an_observation(data: st.DataObject) -> None:
    jobs = [None, a_job(), a_job(failed()), a_job(COMPLETE), a_job(**{TIME_LIMIT: "4"})]
    pods = [a_pod(RUNS), a_pod(ended(3)), a_pod(waits("ErrImagePull", "x"), phase="Pending")]
    job = _pruned(data.draw(st.sampled_from(jobs)), data.draw)
    pod = _pruned(data.draw(st.sampled_from(pods)), data.draw)
    assert isinstance(seen(job, pod), Absent | Pending | Running | Finished)
