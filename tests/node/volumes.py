"""Persistent volumes of a node: folders of it, which claims bind to.

Comes in: a node. Goes out: a storage class, the cluster's default one, with volumes that any user
writes to. They are gone with the node. Before: tests of the chart.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.node.machine import RealNode

STORAGE_CLASS = "test"
_CAPACITY = "1Ti"
_LABELS = {"tests.sentinels.dev/volumes": STORAGE_CLASS}


@dataclass(frozen=True)
class Volumes:
    """``make`` them, ``remove`` them; each is bound once, and is not lent again."""

    node: RealNode

    def make(self, count: int) -> Volumes:
        """Have ``count`` more that are empty and free."""
        self.folder.mkdir(exist_ok=True)
        first = sum(1 for _ in self.folder.iterdir())
        items = [self._class(), *(self._volume(first + number) for number in range(count))]
        listed = {"apiVersion": "v1", "kind": "List", "items": items}
        self.node.kubectl("apply", "-f", "-", input=json.dumps(listed))
        return self

    def remove(self) -> None:
        """They and what is in them are gone; what uses them is deleted before."""
        chosen = ",".join(f"{name}={value}" for name, value in _LABELS.items())
        self.node.kubectl("delete", "persistentvolume", "--selector", chosen, "--timeout=30s")
        self.node.kubectl("delete", "storageclass", STORAGE_CLASS, "--ignore-not-found")
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """Where their folders are."""
        return self.node.folder / "volumes"

    def _class(self) -> dict[str, object]:
        default = {"storageclass.kubernetes.io/is-default-class": "true"}
        return {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": STORAGE_CLASS, "annotations": default, "labels": _LABELS},
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
        }

    def _volume(self, number: int) -> dict[str, object]:
        name = f"{self.node.name}-volume-{number}"
        folder = self.folder / name
        folder.mkdir()
        folder.chmod(0o777)
        here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [self.node.name]}
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "labels": _LABELS},
            "spec": {
                "storageClassName": STORAGE_CLASS,
                "capacity": {"storage": _CAPACITY},
                "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"],
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": str(folder), "type": "Directory"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            },
        }
