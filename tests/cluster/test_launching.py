"""Launch, stop, release, put aside, place: the adapter against a real API server.

Nodes are simulated; what is told of a Job is read behind the adapter's back.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sentinels.clusters.kubernetes.api import Api
from sentinels.clusters.kubernetes.cluster import KubernetesCluster
from sentinels.clusters.kubernetes.options import Options, Toleration
from sentinels.core.capacity import Resources
from sentinels.core.errors import ClusterUnavailable, LaunchRejected
from sentinels.core.job import JobId, Reason
from sentinels.core.log_position import START
from sentinels.core.observation import Finished, Observation, Running
from sentinels.core.workload import Image, ImageKind, Placement, Workload, WorkloadRef
from tests.cluster.nodes import Shape, SimulatedNodes
from tests.support.direct_api import ApiError, Body, DirectApi
from tests.support.ward import until

REF = WorkloadRef(JobId(7), 1)
NAME = REF.name
SMALL = Resources(cpu_millis=100, memory_bytes=64 * 2**20)
ANYWHERE = Placement()
LONG = {"TEST_SECONDS": "60s"}
TAINT = {"key": "pool", "value": "other", "effect": "NoSchedule"}
NODES = {
    "plain-1": Shape(),
    "plain-2": Shape(),
    "typed-1": Shape(gpus=2, gpu_product="NVIDIA-A100-SXM4-40GB"),
    "typed-2": Shape(gpus=2, gpu_product="Tesla-T4"),
    "closed-1": Shape(taints=[TAINT], labels={"pool": "other"}),
}


@dataclass
class Yard:
    """A namespace of a test's own, the adapter, and the API server beside it."""

    api: DirectApi
    client: Api
    options: Options
    cluster: KubernetesCluster

    @property
    def namespace(self) -> str:
        return f"{self.options.namespace_prefix}default"

    @property
    def jobs(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs"

    def with_options(self, **changed: object) -> KubernetesCluster:
        return KubernetesCluster(self.client, replace(self.options, **changed))  # type: ignore[arg-type]  # whatever the test says

    def job(self, name: str = NAME) -> Body:
        return self.api.get(f"{self.jobs}/{name}")

    def pods(self) -> list[Body]:
        return self.api.items(f"/api/v1/namespaces/{self.namespace}/pods")

    def node(self) -> str:
        """The node of the only pod, once it has one."""
        found: list[str] = []

        def is_placed() -> bool:
            found[:] = [pod["spec"].get("nodeName", "") for pod in self.pods()]
            return any(found)

        until(is_placed, seconds=30, say=lambda: [pod["status"] for pod in self.pods()])
        return found[0]

    def observe(self, ref: WorkloadRef = REF) -> Observation:
        return self.cluster.observe([ref])[ref]

    def await_(self, kind: type[Observation]) -> Observation:
        until(lambda: isinstance(self.observe(), kind), seconds=40, say=self.observe)
        return self.observe()

    def await_end(self) -> Finished:
        seen = self.await_(Finished)
        assert isinstance(seen, Finished)
        return seen

    def add(self, kind: str, spec: Body) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/{kind}"
        self.api.post(path, {"metadata": {"name": "test"}, "spec": spec})


@pytest.fixture(scope="module")
def nodes(simulated: SimulatedNodes) -> Iterator[None]:
    simulated.add(NODES)
    yield
    simulated.remove(*NODES)


@pytest.fixture
def yard(kubeconfig: Path, nodes: None) -> Iterator[Yard]:
    api = DirectApi(kubeconfig)
    options = Options(namespace_prefix=f"l{secrets.token_hex(3)}-", grace_seconds=1)
    client = Api(str(kubeconfig))
    found = Yard(api, client, options, KubernetesCluster(client, options))
    api.post("/api/v1/namespaces", {"metadata": {"name": found.namespace}})
    try:
        yield found
    finally:
        api.delete(f"/api/v1/namespaces/{found.namespace}")
        client.close()


def small(
    ref: WorkloadRef = REF,
    *,
    env: Mapping[str, str] | None = None,
    placement: Placement = ANYWHERE,
    resources: Resources = SMALL,
) -> Workload:
    image = Image(ImageKind.CONTAINER, "x:1", None, "registry.test/x:1")
    return Workload(ref, image, ("true",), (), env or {}, resources, placement=placement)


def test_a_job_has_our_labels_and_so_has_its_pod(yard: Yard) -> None:
    uid = yard.cluster.launch(small(env=LONG))
    job = yard.job()
    labels = {
        "sentinels.dev/managed": "true",
        "sentinels.dev/job": "7",
        "sentinels.dev/attempt": "1",
        "sentinels.dev/team": "default",
    }
    assert job["metadata"]["uid"] == uid
    assert labels.items() <= job["metadata"]["labels"].items()
    yard.node()
    [pod] = yard.pods()
    assert labels.items() <= pod["metadata"]["labels"].items()


def test_launched_twice_it_is_one_job_also_when_it_would_be_placed_elsewhere(yard: Yard) -> None:
    uid = yard.cluster.launch(small(env=LONG))
    elsewhere = small(env=LONG, placement=Placement("plain-2", ("plain-1",)))
    assert yard.cluster.launch(elsewhere) == uid
    assert len(yard.api.items(yard.jobs)) == 1


@pytest.mark.parametrize("labelled", [False, True])
def test_somebody_elses_job_of_that_name_is_left_alone(yard: Yard, labelled: bool) -> None:
    container = {"name": "main", "image": "other"}
    metadata: Body = {"name": NAME}
    if labelled:
        metadata["labels"] = {
            "sentinels.dev/managed": "true",
            "sentinels.dev/job": "7",
            "sentinels.dev/attempt": "1",
        }
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    theirs = yard.api.post(yard.jobs, {"metadata": metadata, "spec": {"template": pod}})
    with pytest.raises(LaunchRejected, match=f"a Job named {NAME} that is not this workload"):
        yard.cluster.launch(small())
    now = yard.job()
    assert now["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert (now["spec"], now["metadata"]["labels"]) == (
        theirs["spec"],
        theirs["metadata"]["labels"],
    )


def test_without_its_namespace_it_is_rejected_with_what_makes_one(yard: Yard) -> None:
    with pytest.raises(LaunchRejected, match="sentinels team add"):
        yard.cluster.launch(replace(small(), team="nobody"))


def test_an_invalid_job_is_rejected_in_the_words_of_the_api(yard: Yard) -> None:
    with pytest.raises(LaunchRejected, match=r"the Kubernetes API said: .*is invalid.*env"):
        yard.cluster.launch(small(env={"A=B": "1"}))
    assert yard.api.items(yard.jobs) == []


def test_one_that_is_rejected_does_not_keep_the_others(yard: Yard) -> None:
    others = [WorkloadRef(JobId(number), 1) for number in (8, 9)]
    workloads = [small(env={"A=B": "1"}), *map(small, others)]
    launched = {each.ref: each for each in yard.cluster.launch_all(workloads)}
    assert isinstance(launched[REF].error, LaunchRejected)
    assert all(launched[ref].uid and launched[ref].error is None for ref in others)


def test_an_admission_policy_that_denies_jobs_rejects_it(yard: Yard) -> None:
    path = "/apis/admissionregistration.k8s.io/v1"
    name = yard.namespace
    here = {"matchLabels": {"kubernetes.io/metadata.name": name}}
    rule = {
        "apiGroups": ["batch"],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["jobs"],
    }
    policy = {
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": here},
        "validations": [{"expression": "false", "message": "no Jobs on Mondays"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    kinds = {"validatingadmissionpolicies": policy, "validatingadmissionpolicybindings": binding}
    told: list[str] = []
    numbers = iter(range(100, 1000))

    def is_denied() -> bool:  # a policy takes effect a moment after it was made
        try:
            yard.cluster.launch(small(WorkloadRef(JobId(next(numbers)), 1)))
        except LaunchRejected as error:
            told.append(str(error))
        return bool(told)

    try:
        for kind, spec in kinds.items():
            yard.api.post(f"{path}/{kind}", {"metadata": {"name": name}, "spec": spec})
        until(is_denied, seconds=30, say=lambda: "no Job was denied")
    finally:
        for kind in kinds:
            yard.api.delete(f"{path}/{kind}/{name}")
    assert "no Jobs on Mondays" in told[0]


def test_a_quota_of_jobs_that_is_full_is_tried_again_until_there_is_room(yard: Yard) -> None:
    yard.add("resourcequotas", {"hard": {"count/jobs.batch": "0"}})
    with pytest.raises(ClusterUnavailable, match="quota"):
        yard.cluster.launch(small())
    yard.api.delete(f"/api/v1/namespaces/{yard.namespace}/resourcequotas/test")
    uids: list[str] = []

    def is_launched() -> bool:
        try:
            uids.append(yard.cluster.launch(small()))
        except ClusterUnavailable:
            return False
        return True

    until(is_launched, seconds=30, say=lambda: "it was never launched")
    assert yard.job()["metadata"]["uid"] == uids[0]


def test_one_that_waits_for_room_is_stopped_and_says_why(yard: Yard) -> None:
    yard.cluster.launch(small(resources=Resources(cpu_millis=10**6, memory_bytes=2**20)))
    yard.cluster.stop(REF, why=Reason.CANCELLED, message="as asked")
    seen = yard.await_end()
    assert (seen.reason, seen.message) == (Reason.CANCELLED, "as asked")


def test_one_that_runs_is_stopped_and_the_first_reason_stays(yard: Yard) -> None:
    yard.cluster.launch(small(env=LONG))
    yard.await_(Running)
    yard.cluster.stop(REF, why=Reason.EVICTED, message="first")
    yard.cluster.stop(REF, why=Reason.CANCELLED, message="second")
    seen = yard.await_end()
    assert (seen.reason, seen.message) == (Reason.EVICTED, "first")
    assert [pod for pod in yard.pods() if pod["status"]["phase"] == "Running"] == []


def test_it_gets_a_time_to_live_when_it_is_released_and_not_before(yard: Yard) -> None:
    yard.cluster.launch(small())
    yard.await_end()
    assert "ttlSecondsAfterFinished" not in yard.job()["spec"]
    assert REF in yard.cluster.held()
    yard.cluster.release(REF)
    yard.cluster.release(REF)
    assert yard.job()["spec"]["ttlSecondsAfterFinished"] == yard.options.keep_finished_seconds
    until(lambda: REF not in yard.cluster.held(), seconds=10, say=yard.cluster.held)


def test_released_with_no_time_to_live_it_goes(yard: Yard) -> None:
    brief = yard.with_options(keep_finished_seconds=0.0)
    brief.launch(small())
    yard.await_end()
    brief.release(REF)
    until(lambda: yard.api.items(yard.jobs) == [], seconds=30, say=yard.job)


def test_what_is_put_aside_stays_and_is_not_held(yard: Yard) -> None:
    yard.cluster.launch(small())
    yard.await_end()
    yard.cluster.set_aside(REF)
    until(lambda: REF not in yard.cluster.held(), seconds=10, say=yard.cluster.held)
    job = yard.job()
    assert job["metadata"]["labels"]["sentinels.dev/quarantined"] == "true"
    assert "ttlSecondsAfterFinished" not in job["spec"]


def test_stop_release_and_put_aside_of_nothing_change_nothing(yard: Yard) -> None:
    yard.cluster.stop(REF, why=Reason.CANCELLED)
    yard.cluster.release(REF)
    yard.cluster.set_aside(REF)
    with pytest.raises(ApiError, match="404"):
        yard.job()


def test_there_is_no_log_of_nothing(yard: Yard) -> None:
    assert yard.cluster.read_log(REF, after=START, limit=10) is None
    assert yard.cluster.log_tail(REF, 5) is None


def test_a_node_is_closed_and_opened_again(yard: Yard) -> None:
    for closed in (True, False):
        yard.cluster.cordon("plain-1", closed=closed)
        spec = yard.api.get("/api/v1/nodes/plain-1")["spec"]
        assert bool(spec.get("unschedulable")) is closed


@pytest.mark.parametrize("planned", ["plain-1", "plain-2", "typed-2"])
def test_a_pod_goes_where_it_was_planned(yard: Yard, planned: str) -> None:
    busy = Resources(cpu_millis=4000, memory_bytes=2**30)
    first = WorkloadRef(JobId(6), 1)
    yard.cluster.launch(small(first, env=LONG, placement=Placement(planned), resources=busy))
    assert yard.node() == planned
    second = small(env=LONG, placement=Placement(planned))
    yard.cluster.launch(second)
    until(
        lambda: [pod["spec"].get("nodeName") for pod in yard.pods()] == [planned, planned],
        seconds=30,
        say=lambda: json.dumps(yard.pods())[:2000],
    )


def test_nodes_that_are_kept_for_others_are_not_taken(yard: Yard) -> None:
    kept = ("plain-1", "plain-2", "typed-1")
    full = "closed-1"
    yard.cluster.launch(small(env=LONG, placement=Placement(full, kept)))
    assert yard.node() == "typed-2"


@pytest.mark.parametrize(("gpu_type", "node"), [("a100", "typed-1"), ("t4", "typed-2")])
def test_a_gpu_type_is_only_on_nodes_that_the_vendor_names_so(
    yard: Yard, gpu_type: str, node: str
) -> None:
    known = {each.name: each.allocatable.gpu_type for each in yard.cluster.snapshot().nodes}
    asked = replace(SMALL, gpus=1, gpu_type=known[node])
    assert gpu_type in str(known[node]).lower()
    yard.cluster.launch(small(env=LONG, resources=asked))
    assert yard.node() == node


def test_a_tainted_node_is_taken_by_those_who_tolerate_it(yard: Yard) -> None:
    tolerant = yard.with_options(
        tolerations=(Toleration("pool", "other", "NoSchedule"),), node_selector={"pool": "other"}
    )
    tolerant.launch(small(env=LONG))
    assert yard.node() == "closed-1"
    assert "closed-1" in {each.name for each in tolerant.snapshot().nodes if each.ready}
