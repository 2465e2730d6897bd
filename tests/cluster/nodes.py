"""Simulated nodes: kwok answers for the kubelets of nodes that are only rows.

Scheduler, controllers and API server are real; what runs on such a node is a state that changes by
the stages of ``stages.yaml``. Comes in: a control plane. Goes out: nodes of any shape.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.control_plane import ControlPlane
from tests.cluster.part import Part

_STAGES = Path(__file__).with_name("stages.yaml")
_MARK = {"kwok.x-k8s.io/node": "fake"}


@dataclass(frozen=True)
class Shape:
    """What a node offers, and what is said of it."""

    cpu: int = 8
    memory: str = "32Gi"
    pods: int = 110
    gpus: int = 0
    gpu_product: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()
    scratch: str = "100Gi"

    def manifest(self, name: str) -> dict[str, object]:
        """The node as an object of the API."""
        amounts = {
            "cpu": str(self.cpu),
            "memory": self.memory,
            "pods": str(self.pods),
            "ephemeral-storage": self.scratch,
        }
        labels = {"kubernetes.io/hostname": name, **self.labels}
        if self.gpus:
            amounts["nvidia.com/gpu"] = str(self.gpus)
        if self.gpu_product:
            labels["nvidia.com/gpu.product"] = self.gpu_product
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels, "annotations": _MARK},
            "spec": {"taints": list(self.taints)},
            "status": {"allocatable": amounts, "capacity": amounts},
        }


class SimulatedNodes:
    """The process that answers for them, and the nodes."""

    def __init__(self, control_plane: ControlPlane) -> None:
        """Nothing is started yet."""
        self._cluster = control_plane
        self._part = Part(control_plane.folder, "kwok", lasting=control_plane.lasting)

    def start(self) -> SimulatedNodes:
        """Return when the process runs."""
        if self._part.process is None:
            self._part.start(
                [
                    str(self._cluster.programs / "kwok"),
                    f"--kubeconfig={self._cluster.kubeconfig}",
                    f"--config={_STAGES}",
                    "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
                    "--node-lease-duration-seconds=8",
                    "--cidr=10.99.0.0/16",
                ]
            )
        return self

    def stop(self) -> None:
        """Its nodes fall silent."""
        self._part.stop()

    def add(self, shapes: Mapping[str, Shape], *, seconds: float = 60) -> None:
        """Return when all these nodes are ready."""
        items = [shape.manifest(name) for name, shape in shapes.items()]
        listed = {"apiVersion": "v1", "kind": "List", "items": items}
        self._cluster.kubectl("apply", "-f", "-", input=json.dumps(listed))
        end = time.monotonic() + seconds
        while not set(shapes) <= self.ready():
            assert time.monotonic() < end, f"not ready: {set(shapes) - self.ready()}"
            time.sleep(0.1)

    def remove(self, *names: str) -> None:
        """They and what is on them are gone."""
        self._cluster.kubectl("delete", "node", *names, "--ignore-not-found", "--wait=false")

    def set_ready(self, name: str, ready: bool) -> None:
        """Let a node's kubelet say that it is ready, or that it is not."""
        said = {
            "type": "Ready",
            "status": str(ready),
            "reason": "Test",
            "message": "a test says so",
        }
        patch = {"status": {"conditions": [said]}}
        words = ("--subresource=status", "--type=strategic", "-p", json.dumps(patch))
        self._cluster.kubectl("patch", "node", name, *words)

    def ready(self) -> set[str]:
        """The names of the nodes that take pods."""
        found = json.loads(self._cluster.kubectl("get", "nodes", "-o", "json"))
        return {
            node["metadata"]["name"]
            for node in found["items"]
            if not node["spec"].get("taints")
            or all("not-ready" not in taint["key"] for taint in node["spec"]["taints"])
            if any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in node["status"].get("conditions", [])
            )
        }
