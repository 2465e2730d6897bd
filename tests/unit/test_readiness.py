"""What is ready and what is not, as objects and pods themselves tell."""

from __future__ import annotations

from typing import Any

import pytest

from sentinels.clusters.kubernetes.readiness import trouble_of, waits_for

Object = dict[str, Any]


def deployment(*, wanted: int = 2, **status: int) -> Object:
    """A Deployment whose rollout is over, but for what ``status`` says."""
    done = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "observedGeneration": 3}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "submit", "generation": 3},
        "spec": {"replicas": wanted},
        "status": {**done, **status},
    }


def stateful_set(ready: int, updated: int) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "postgresql"},
        "spec": {"replicas": 1},
        "status": {"replicas": 1, "readyReplicas": ready, "updatedReplicas": updated},
    }


def daemon_set(ready: int) -> Object:
    status = {"desiredNumberScheduled": 3, "numberReady": ready, "updatedNumberScheduled": 3}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "node-exporter"},
        "spec": {},
        "status": status,
    }


def knative(*conditions: Object, version: str = "serving.knative.dev/v1") -> Object:
    return {
        "apiVersion": version,
        "kind": "Service",
        "metadata": {"name": "submit"},
        "status": {"conditions": list(conditions)},
    }


def condition(status: str, name: str = "Ready", **said: str) -> Object:
    return {"type": name, "status": status, **said}


def definition(established: str) -> Object:
    found = knative(condition(established, "Established"), version="apiextensions.k8s.io/v1")
    return {**found, "kind": "CustomResourceDefinition"}


READY = {
    "deployment": deployment(),
    "deployment of none": deployment(wanted=0, replicas=0, updatedReplicas=0, availableReplicas=0),
    "stateful set": stateful_set(1, 1),
    "daemon set": daemon_set(3),
    "Knative's": knative(condition("False", "Other"), condition("True")),
    "definition": definition("True"),
    "a kind that is ready once it is there": {"apiVersion": "v1", "kind": "ConfigMap"},
    "Kubernetes's own Service": {"apiVersion": "v1", "kind": "Service"},
}
NOT_READY = {
    "absent": (None, "is not there"),
    "unseen change": (deployment(observedGeneration=2), "its change has not been looked at yet"),
    "too few": (deployment(availableReplicas=1), "1 of 2 pods ready"),
    "new ones missing": (deployment(updatedReplicas=1, replicas=2), "1 of 2 pods ready"),
    "old ones left": (deployment(replicas=3), "old pods that are still there: 1"),
    "stateful set": (stateful_set(0, 1), "0 of 1 pods ready"),
    "stateful set's old pod": (stateful_set(1, 0), "0 of 1 pods ready"),
    "daemon set": (daemon_set(2), "2 of 3 pods ready"),
    "Knative's message": (
        knative(condition("False", message="Unable to fetch image", reason="ContainerMissing")),
        "Unable to fetch image",
    ),
    "Knative's reason": (knative(condition("Unknown", reason="Deploying")), "Deploying"),
    "Knative's status": (knative(condition("Unknown")), "Ready is Unknown"),
    "Knative's silence": (knative(), "its controller has not looked at it yet"),
    "definition": (definition("False"), "Established is False"),
}


@pytest.mark.parametrize("name", READY)
def test_what_does_its_work_is_ready(name: str) -> None:
    assert trouble_of(READY[name]) is None


@pytest.mark.parametrize("name", NOT_READY)
def test_what_does_not_says_why(name: str) -> None:
    found, why = NOT_READY[name]
    assert trouble_of(found) == why


def pod(**status: Any) -> Object:
    return {"metadata": {"name": "submit-1"}, "status": status}


def container(name: str = "main", *, ready: bool = False, **state: Object) -> Object:
    return {"name": name, "ready": ready, "state": state}


WAITS = {
    "a node": (
        pod(conditions=[condition("False", "PodScheduled", message="0/3 nodes are available")]),
        "submit-1: 0/3 nodes are available",
    ),
    "an image": (
        pod(
            containerStatuses=[container(waiting={"reason": "ErrImagePull", "message": "no such"})]
        ),
        "submit-1: main: no such",
    ),
    "itself, and it says why": (
        pod(
            containerStatuses=[
                container(waiting={"reason": "CrashLoopBackOff", "message": "back-off 5m0s"})
                | {"lastState": {"terminated": {"exitCode": 1, "message": "old\nno such url\n"}}}
            ]
        ),
        "submit-1: main: ended with 1: no such url",
    ),
    "itself, silently": (
        pod(
            containerStatuses=[
                container(waiting={"reason": "CrashLoopBackOff"})
                | {"lastState": {"terminated": {"exitCode": 137}}}
            ]
        ),
        "submit-1: main: ended with 137",
    ),
    "itself": (
        pod(containerStatuses=[container(waiting={"reason": "CrashLoopBackOff"})]),
        "submit-1: main: CrashLoopBackOff",
    ),
    "what goes before": (
        pod(
            initContainerStatuses=[container("migrate", waiting={"reason": "CrashLoopBackOff"})],
            containerStatuses=[container(waiting={"reason": "PodInitializing"})],
        ),
        "submit-1: migrate: CrashLoopBackOff",
    ),
    "its probe": (
        pod(containerStatuses=[container(running={"startedAt": "now"})]),
        "submit-1: main runs but is not ready",
    ),
    "nothing but time": (
        pod(containerStatuses=[container(waiting={"reason": "ContainerCreating"})]),
        None,
    ),
    "nothing": (pod(containerStatuses=[container(ready=True, running={})]), None),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_pod_says_what_it_waits_for(name: str) -> None:
    found, why = WAITS[name]
    assert waits_for(found) == why


def test_a_workload_says_what_the_first_of_its_pods_waits_for() -> None:
    well, ill = WAITS["nothing"][0], WAITS["an image"][0]
    said = trouble_of(deployment(availableReplicas=1), [well, ill])
    assert said == "1 of 2 pods ready: submit-1: main: no such"
