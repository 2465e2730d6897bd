"""What a pod holds of its node, and what is free where: Kubernetes's own formula and our counting.

The cases of ``PodRequests`` follow k8s.io/component-helpers' table (resource/helpers_test.go).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from sentinels.clusters.kubernetes.capacity import gpu_labels, gpu_type_of, snapshot_of
from sentinels.clusters.kubernetes.options import Options, Toleration
from sentinels.clusters.kubernetes.requests import pod_requests, quantity, resources_of
from sentinels.core.capacity import Node, Resources

Json = dict[str, Any]
GIB = 2**30


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", "2"),
        ("500m", "0.5"),
        ("100n", "0.0000001"),
        ("1Ki", "1024"),
        ("1.5Gi", str(1.5 * GIB)),
        ("1e3", "1000"),
        ("2k", "2000"),
        ("1E", "1E18"),
        ("12E2", "1200"),
        ("nonsense", "0"),
        ("", "0"),
    ],
)
def test_a_quantity_is_read_as_kubernetes_reads_it(text: str, value: str) -> None:
    assert quantity(text) == Decimal(value)


def box(cpu: str, *, name: str = "c", always: bool = False) -> Json:
    policy = {"restartPolicy": "Always"} if always else {}
    return {"name": name, "resources": {"requests": {"cpu": cpu}}, **policy}


def pod(*containers: Json, init: tuple[Json, ...] = (), **more: Any) -> Json:
    status = more.pop("status", {})
    return {
        "spec": {"containers": list(containers), "initContainers": list(init), **more},
        "status": status,
    }


def resized(asked: str, actuated: str, allocated: str, *conditions: Json) -> Json:
    status = {
        "name": "c",
        "resources": {"requests": {"cpu": actuated}},
        "allocatedResources": {"cpu": allocated},
    }
    return pod(box(asked), status={"containerStatuses": [status], "conditions": list(conditions)})


INFEASIBLE = {"type": "PodResizePending", "reason": "Infeasible"}
REQUESTS: dict[str, tuple[Json, str]] = {
    "the sum of the containers": (pod(box("1"), box("2", name="d")), "3"),
    "a larger init container": (pod(box("1"), box("1", name="d"), init=(box("4"),)), "4"),
    "a smaller init container": (pod(box("3"), init=(box("2"),)), "3"),
    "a sidecar adds up": (pod(box("3"), init=(box("2", always=True),)), "5"),
    "an init container after a sidecar": (
        pod(box("1"), init=(box("2", name="s", always=True), box("5", name="i"))),
        "7",
    ),
    "an init container before a sidecar": (
        pod(box("1"), init=(box("5", name="i"), box("2", name="s", always=True))),
        "5",
    ),
    "two sidecars around an init container": (
        pod(
            box("1"),
            init=(
                box("1", name="a", always=True),
                box("6", name="i"),
                box("2", name="b", always=True),
            ),
        ),
        "7",
    ),
    "overhead": (pod(box("1"), overhead={"cpu": "250m"}), "1.25"),
    "grown, not yet there": (resized("4", "2", "2"), "4"),
    "shrunk, not yet there": (resized("1", "3", "2"), "3"),
    "grown, and impossible": (resized("9", "2", "2", INFEASIBLE), "2"),
    "pod-level requests": (pod(box("1"), resources={"requests": {"cpu": "8"}}), "8"),
    "no requests at all": (pod({"name": "c"}), "0"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_what_a_pod_asks_of_its_node(name: str) -> None:
    asked, cpus = REQUESTS[name]
    assert pod_requests(asked).get("cpu", Decimal(0)) == Decimal(cpus)


def test_fractions_are_held_whole_and_gpus_of_every_vendor_are_gpus() -> None:
    held = {"cpu": Decimal("0.0001"), "memory": Decimal("1.5"), "amd.com/gpu": Decimal(2)}
    assert resources_of(held, "mi300") == Resources(1, 2, 2, "mi300")


@dataclass
class Cluster:
    """A node and what is on it."""

    node: Json
    pods: list[Json]

    def seen(self, options: Options | None = None) -> Node:
        [found] = snapshot_of([self.node], self.pods, options or Options()).nodes
        return found


def a_node(**spec: Any) -> Json:
    labels = spec.pop("labels", {})
    ready = spec.pop("ready", "True")
    amounts = {"cpu": "8", "memory": "32Gi", "pods": "4", "ephemeral-storage": "1Gi"}
    return {
        "metadata": {"name": "n1", "labels": labels},
        "spec": spec,
        "status": {
            "allocatable": {**amounts, "nvidia.com/gpu": "2"},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def on_node(
    cpu: str,
    *,
    ours: int = 0,
    phase: str = "Running",
    leaving: bool = False,
    node: str = "n1",
    namespace: str = "sen-a",
) -> Json:
    labels = {
        "sentinels.dev/managed": "true",
        "sentinels.dev/job": str(ours),
        "sentinels.dev/attempt": "1",
    }
    found = pod(box(cpu), nodeName=node, status={"phase": phase})
    found["metadata"] = {"namespace": namespace, "labels": labels if ours else {}}
    if leaving:
        found["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    return found


def test_ours_are_told_from_others_and_what_has_ended_holds_nothing() -> None:
    cluster = Cluster(
        a_node(),
        [
            on_node("1", ours=7),
            on_node("2"),
            on_node("4", phase="Succeeded"),
            on_node("4", phase="Failed"),
            on_node("4", node="n2"),
        ],
    )
    found = cluster.seen()
    assert found.workloads == {"sentinels-7-1": Resources(1000)}
    assert found.foreign == Resources(2000)
    assert found.allocatable == Resources(8000, 32 * GIB, 2)


def test_another_installations_workloads_are_not_ours() -> None:
    found = Cluster(a_node(), [on_node("2", ours=7, namespace="other-a")]).seen()
    assert (dict(found.workloads), found.foreign) == ({}, Resources(2000))


def test_what_is_terminating_still_holds_its_place() -> None:
    assert Cluster(a_node(), [on_node("2", leaving=True)]).seen().foreign == Resources(2000)


def test_a_pod_that_the_scheduler_makes_room_for_counts_already() -> None:
    waiting = on_node("2", phase="Pending", node="")
    waiting["status"]["nominatedNodeName"] = "n1"
    assert Cluster(a_node(), [waiting]).seen().foreign == Resources(2000)


def test_a_node_takes_no_more_pods_than_it_may_whatever_their_size() -> None:
    assert Cluster(a_node(), []).seen().slots == 4
    assert Cluster(a_node(), [on_node("0.1", ours=n) for n in range(1, 5)]).seen().slots == 0


def test_scratch_space_bounds_the_pods_as_well() -> None:
    greedy = on_node("0.1")
    greedy["spec"]["containers"][0]["resources"]["requests"]["ephemeral-storage"] = "900Mi"
    assert Cluster(a_node(), [greedy]).seen().slots == 1


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (a_node(), ""),
        (a_node(unschedulable=True), "cordoned"),
        (a_node(ready="Unknown"), "not ready"),
        (
            a_node(taints=[{"key": "pool", "value": "x", "effect": "NoSchedule"}]),
            "taint pool=x:NoSchedule",
        ),
        (a_node(taints=[{"key": "pool", "effect": "PreferNoSchedule"}]), ""),
        (
            a_node(taints=[{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}]),
            "short of disk",
        ),
    ],
)
def test_a_node_that_takes_nothing_says_why(node: Json, why: str) -> None:
    found = Cluster(node, []).seen()
    assert (found.ready, found.detail) == (not why, why)


@pytest.mark.parametrize(
    ("toleration", "ready"),
    [
        (Toleration("pool"), True),
        (Toleration("pool", "x", "NoSchedule"), True),
        (Toleration("pool", "y"), False),
        (Toleration("pool", "x", "NoExecute"), False),
    ],
)
def test_a_tolerated_taint_keeps_nothing_away(toleration: Toleration, ready: bool) -> None:
    node = a_node(taints=[{"key": "pool", "value": "x", "effect": "NoSchedule"}])
    assert Cluster(node, []).seen(Options(tolerations=(toleration,))).ready is ready


def test_only_nodes_with_the_selected_labels_are_used() -> None:
    options = Options(node_selector={"pool": "batch"})
    assert Cluster(a_node(), []).seen(options).detail == "without label pool=batch"
    assert Cluster(a_node(labels={"pool": "batch"}), []).seen(options).ready


@pytest.mark.parametrize(
    ("labels", "gpu_type"),
    [
        ({"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"}, "a100"),
        ({"nvidia.com/gpu.product": "Tesla-T4"}, "t4"),
        ({"nvidia.com/gpu.product": "NVIDIA-H200"}, "h200"),
        ({"cloud.google.com/gke-accelerator": "nvidia-tesla-v100"}, "v100"),
        ({"amd.com/gpu.product-name": "AMD_Instinct_MI300X"}, "mi300x"),
        ({"sentinels.dev/gpu-type": "Big", "nvidia.com/gpu.product": "Tesla-T4"}, "big"),
        ({}, None),
    ],
)
def test_the_type_of_gpus_is_read_from_what_vendors_say(
    labels: dict[str, str], gpu_type: str | None
) -> None:
    node = a_node(labels=labels)
    assert gpu_type_of(node, Options()) == gpu_type
    assert Cluster(node, []).seen().allocatable.gpu_type == gpu_type


def test_a_wanted_type_becomes_the_labels_that_nodes_have_for_it() -> None:
    nodes = [
        a_node(labels={"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"}),
        a_node(labels={"nvidia.com/gpu.product": "NVIDIA-A100-PCIE-80GB"}),
        a_node(labels={"nvidia.com/gpu.product": "Tesla-T4"}),
    ]
    assert gpu_labels(nodes, "a100", Options()) == {
        "nvidia.com/gpu.product": ["NVIDIA-A100-PCIE-80GB", "NVIDIA-A100-SXM4-40GB"]
    }
    assert gpu_labels(nodes, None, Options()) == {}
    assert gpu_labels(nodes, "h100", Options()) == {"sentinels.dev/gpu-type": ["h100"]}
