"""``python -m tests.cluster up | down | status``: a cluster to try things on; see ``make cluster``.

It stays when this process ends, and is found again whatever ended it. Comes in: a word. Goes out: a
running control plane with simulated nodes, or none.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import Shape, SimulatedNodes
from tests.cluster.programs import NoPrograms, need

NODES = {
    "cpu-1": Shape(cpu=16, memory="64Gi"),
    "cpu-2": Shape(cpu=16, memory="64Gi"),
    "a100-1": Shape(
        cpu=64, memory="512Gi", gpus=8, gpu_product="NVIDIA-A100-SXM4-40GB", scratch="1Ti"
    ),
    "t4-1": Shape(cpu=16, memory="64Gi", gpus=1, gpu_product="Tesla-T4"),
    "reserved-1": Shape(cpu=64, taints=[{"key": "pool", "value": "other", "effect": "NoSchedule"}]),
}


def main(words: list[str]) -> int:
    """Do what the word says; the exit code."""
    command = COMMANDS.get(words[0] if words else "")
    if command is None:
        print(f"say one of: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        with _alone():
            return command(ControlPlane(_folder(), lasting=True))
    except (NoPrograms, RuntimeError) as why:
        print(why, file=sys.stderr)
        return 1


def _up(plane: ControlPlane) -> int:
    need("etcd")
    plane.start()
    SimulatedNodes(plane).start().add(NODES)
    print(f"Kubernetes runs in {plane.folder}, with {len(NODES)} simulated nodes")
    print(f"export KUBECONFIG={plane.kubeconfig}")
    print("next: sentinels team add default --kubeconfig $KUBECONFIG")
    print("      sentinels up --kubeconfig $KUBECONFIG      stop it: make cluster-down")
    return 0


def _down(plane: ControlPlane) -> int:
    was = plane.folder.exists() or bool(plane.processes())
    SimulatedNodes(plane).stop()
    plane.stop()
    shutil.rmtree(plane.folder, ignore_errors=True)
    print("the cluster is gone" if was else "no cluster runs")
    return 0


def _status(plane: ControlPlane) -> int:
    if not plane.is_running():
        print("no cluster runs")
        return 1
    print(plane.attached().kubectl("get", "nodes"), end="")
    return 0


@contextmanager
def _alone() -> Iterator[None]:
    """One of these commands at a time."""
    folder = _folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder.parent, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base, "sentinels", "cluster")


COMMANDS: Mapping[str, Callable[[ControlPlane], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
