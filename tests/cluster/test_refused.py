"""What a cluster refuses or never begins with: the right reason, and nobody's try wasted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sentinels.clusters.kubernetes.api import Api
from sentinels.clusters.kubernetes.cluster import KubernetesCluster
from sentinels.clusters.kubernetes.options import Options
from sentinels.core.capacity import Resources
from sentinels.core.errors import InvalidSubmission, LaunchRejected
from sentinels.core.job import JobId
from sentinels.core.observation import Finished
from sentinels.core.queueing import Caller
from sentinels.core.workload import Image, ImageKind, Workload, WorkloadRef
from tests.cluster.control_plane import ControlPlane
from tests.support.direct_api import Body
from tests.support.ward import Ward, open_ward, until

SHORT = {"uncreated_seconds": 3.0, "unplaced_seconds": 3.0, "grace_seconds": 1.0}
SMALL = {"cpu": 0.1, "memory": "64Mi"}
ENFORCED = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}


@contextmanager
def a_ward(
    engine: Engine, caller: Caller, kubeconfig: Path, **settings: str | float
) -> Iterator[Ward]:
    with open_ward(engine, caller, kubeconfig, **{**SHORT, **settings}) as ward:
        yield ward


@pytest.fixture
def ward(engine: Engine, caller: Caller, kubeconfig: Path, kwok_room: None) -> Iterator[Ward]:
    with a_ward(engine, caller, kubeconfig) as found:
        yield found


def first_attempt(ward: Ward) -> tuple[object, ...]:
    """Reason and message of the first attempt, once it is over."""
    rows: list[tuple[object, ...]] = []

    def is_over() -> bool:
        ward.tick()
        rows[:] = ward.desk.ask(
            "SELECT reason, message FROM attempts WHERE NOT live ORDER BY job_id, attempt LIMIT 1"
        )
        return bool(rows)

    until(is_over, seconds=40, say=ward.unended)
    return rows[0]


def add(ward: Ward, kind: str, spec: Body) -> None:
    path = f"/api/v1/namespaces/{ward.namespace}/{kind}"
    ward.api.post(path, {"metadata": {"name": "test"}, "spec": spec})


def test_pod_security_that_refuses_the_pod_fails_the_job_and_says_so(
    engine: Engine, caller: Caller, kubeconfig: Path, kwok_room: None
) -> None:
    with a_ward(engine, caller, kubeconfig, pod_security="baseline") as ward:
        ward.api.patch(f"/api/v1/namespaces/{ward.namespace}", ENFORCED)
        ward.push(1)
        reason, message = first_attempt(ward)
        assert reason == "rejected"
        assert "runAsNonRoot" in str(message)
        assert ward.states() == {"failed": 1}


def test_a_limit_range_that_refuses_the_pod_fails_the_job(ward: Ward) -> None:
    limits = [{"type": "Container", "max": {"memory": "32Mi"}}]
    add(ward, "limitranges", {"limits": limits})
    ward.push(1)
    reason, message = first_attempt(ward)
    assert (reason, "maximum memory usage" in str(message)) == ("rejected", True)


def test_a_quota_costs_no_try_and_the_job_runs_when_there_is_room(ward: Ward) -> None:
    add(ward, "resourcequotas", {"hard": {"pods": "0"}})
    ward.push(1)
    reason, message = first_attempt(ward)
    assert (reason, "exceeded quota" in str(message)) == ("quota_exceeded", True)
    assert ward.states() in ({"queued": 1}, {"dispatched": 1})
    ward.api.delete(f"/api/v1/namespaces/{ward.namespace}/resourcequotas/test")

    def is_over() -> bool:
        ward.tick()
        return ward.all_ended()

    until(is_over, seconds=60, say=ward.unended)
    assert ward.states() == {"succeeded": 1}
    ward.judge()


def test_a_pod_that_no_node_takes_is_queued_again(ward: Ward, control_plane: ControlPlane) -> None:
    ward.push(1, env={"TEST_SECONDS": "60s"})
    control_plane.kill("scheduler")
    try:
        ward.tick()
        control_plane.kubectl("cordon", "room-0", "room-1")
        control_plane.start_part("scheduler")
        reason, message = first_attempt(ward)
    finally:
        control_plane.start_part("scheduler")
        control_plane.kubectl("uncordon", "room-0", "room-1")
    assert reason == "never_placed"
    assert "nodes are available" in str(message)


def a_workload(ref: WorkloadRef, script: str) -> Workload:
    image = Image(ImageKind.CONTAINER, "shell:1", None, "shell:1")
    asked = Resources(100, 64 * 2**20)
    return Workload(ref, image, ("sh", "-c", script), (), {}, asked)


def test_a_namespace_that_is_not_there_is_named_with_what_makes_it(kubeconfig: Path) -> None:
    cluster = KubernetesCluster(Api(str(kubeconfig)), Options(namespace_prefix="nobody-"))
    with pytest.raises(LaunchRejected, match=r"no namespace nobody-default.*sentinels team add"):
        cluster.launch(a_workload(WorkloadRef(JobId(1), 1), "true"))


def test_launched_twice_it_is_one_job_and_another_of_its_name_is_left_alone(ward: Ward) -> None:
    ref, cluster = WorkloadRef(JobId(5), 1), ward.desk.cluster
    uid = cluster.launch(a_workload(ref, "true"))
    assert cluster.launch(a_workload(ref, "true")) == uid
    with pytest.raises(LaunchRejected, match="is not this workload"):
        cluster.launch(a_workload(ref, "false"))
    [job] = ward.api.items(f"/apis/batch/v1/namespaces/{ward.namespace}/jobs")
    assert job["metadata"]["uid"] == uid


def test_only_what_was_released_is_forgotten_after_a_while(ward: Ward) -> None:
    ref, cluster = WorkloadRef(JobId(6), 1), ward.desk.cluster
    cluster.launch(a_workload(ref, "true"))
    until(
        lambda: isinstance(cluster.observe([ref])[ref], Finished),
        seconds=30,
        say=lambda: cluster.observe([ref]),
    )
    path = f"/apis/batch/v1/namespaces/{ward.namespace}/jobs"
    assert "ttlSecondsAfterFinished" not in ward.api.items(path)[0]["spec"]
    assert ref in cluster.held()
    cluster.release(ref)
    until(lambda: ref not in cluster.held(), seconds=10, say=cluster.held)
    assert ward.api.items(path)[0]["spec"]["ttlSecondsAfterFinished"] == 21600


def test_more_than_any_node_has_is_refused_at_push(ward: Ward) -> None:
    ward.tick()
    with pytest.raises(InvalidSubmission) as refused:
        ward.push(1, resources={"cpu": 1000, "memory": "1Gi"})
    assert "1000 CPUs; the largest node" in str(refused.value)


def test_a_job_that_no_row_explains_is_ended_put_aside_and_reported(
    engine: Engine, caller: Caller, ward: Ward
) -> None:
    [job_id] = ward.push(1, env={"TEST_SECONDS": "60s"})
    until(
        lambda: ward.tick() is not None and ward.states() == {"running": 1},
        seconds=30,
        say=ward.unended,
    )
    ward.desk.change("DELETE FROM attempts")
    ward.desk.change("DELETE FROM job_events")
    ward.desk.change("DELETE FROM jobs")
    report = ward.tick()
    assert f"sentinels-{job_id}-1 ran without a live attempt" in str(report.error)
    path = f"/apis/batch/v1/namespaces/{ward.namespace}/jobs"

    def is_aside() -> bool:
        ward.tick()
        [job] = ward.api.items(path)
        return job["metadata"]["labels"].get("sentinels.dev/quarantined") == "true"

    until(is_aside, seconds=60, say=ward.unended)
    assert ward.desk.cluster.held() == frozenset()


def test_a_job_that_somebody_deleted_is_queued_again(ward: Ward) -> None:
    [job_id] = ward.push(1, env={"TEST_SECONDS": "60s"})
    until(
        lambda: ward.tick() is not None and ward.states() == {"running": 1},
        seconds=30,
        say=ward.unended,
    )
    path = f"/apis/batch/v1/namespaces/{ward.namespace}/jobs/sentinels-{job_id}-1"
    ward.api.delete(path, propagationPolicy="Background")
    reason, _ = first_attempt(ward)
    assert reason == "workload_lost"
