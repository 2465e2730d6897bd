"""The node is real: what Sentinels' adapter relies on happens on it, and it leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.node.conftest import (
    DIGITS_IMAGE,
    MISSING_IMAGE,
    PULLED_IMAGE,
    ROOT_IMAGE,
    SHELL_IMAGE,
    UNREACHABLE_IMAGE,
)
from tests.node.images import cached_archive, digits_image
from tests.node.machine import RealNode
from tests.node.network import Segment, ip, sweep
from tests.node.registry import Registry

pytestmark = [pytest.mark.node, pytest.mark.timeout(180)]
Json = dict[str, Any]
_SPACE = "try-node"
_CONFINED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_FOREVER = "while :; do sleep 0.1; done"
_TRAP = f"trap 'echo told to end; exit 0' TERM; {_FOREVER}"


class Space:
    """A namespace under restricted pod security."""

    def __init__(self, node: RealNode) -> None:
        self._node = node

    def kubectl(self, *words: str, input: str | None = None) -> str:
        return self._node.kubectl("--namespace", _SPACE, *words, input=input)

    def run(self, name: str, script: str, image: str = SHELL_IMAGE, **more: object) -> None:
        """Create a Job like those of Sentinels."""
        command = ["sh", "-c", script]
        main = {"name": "main", "image": image, "command": command, "securityContext": _CONFINED}
        limits = {"cpu": "100m", "memory": "64Mi"}
        spec = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 2,
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{**main, "resources": {"limits": limits}}],
            **more,
        }
        job = {"backoffLimit": 0, "template": {"spec": spec}}
        metadata = {"name": name, "namespace": _SPACE}
        content = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job}
        self.kubectl("apply", "-f", "-", input=json.dumps(content))

    def main(self, name: str) -> Json:
        """The state of the Job's container ``main``."""
        pods = json.loads(self.kubectl("get", "pods", "-l", f"job-name={name}", "-o", "json"))
        found = [one for pod in pods["items"] for one in pod["status"].get("containerStatuses", [])]
        return dict(found[0]["state"]) if found else {}

    def await_main(self, name: str, state: str, reason: str = "") -> Json:
        """The state of ``main`` once it is this one, for this reason."""
        found: Json = {}

        def is_so() -> bool:
            found.clear()
            found.update(self.main(name).get(state, {}))
            return bool(found) and reason in found.get("reason", "")

        try:
            await_(f"{name}: {state} {reason}", is_so)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.kubectl('get', 'pods,events')}") from None
        return found


@pytest.fixture(scope="module")
def space(real_node: RealNode) -> Iterator[Space]:
    real_node.kubectl("create", "namespace", _SPACE)
    label = "pod-security.kubernetes.io/enforce=restricted"
    real_node.kubectl("label", "namespace", _SPACE, label)
    try:
        yield Space(real_node)
    finally:
        real_node.kubectl("delete", "namespace", _SPACE, "--wait=false")


def test_a_restricted_container_runs_and_its_log_is_read(space: Space) -> None:
    space.run("hello", "echo hello; id -u")
    assert space.await_main("hello", "terminated")["exitCode"] == 0
    assert space.kubectl("logs", "job/hello") == "hello\n65532\n"


def test_a_sidecar_is_told_to_end_after_the_main_container(space: Space) -> None:
    sidecar = {
        "name": "outputs",
        "image": SHELL_IMAGE,
        "restartPolicy": "Always",
        "command": ["sh", "-c", _TRAP],
        "securityContext": _CONFINED,
    }
    space.run("beside", "sleep 1", initContainers=[sidecar])
    space.kubectl("wait", "job/beside", "--for=condition=complete", "--timeout=30s")
    assert space.kubectl("logs", "job/beside", "-c", "outputs") == "told to end\n"


def test_more_memory_than_the_limit_is_out_of_memory(space: Space) -> None:
    space.run("hog", "exec tail /dev/zero")
    ended = space.await_main("hog", "terminated")
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_an_image_of_root_is_not_run(space: Space) -> None:
    space.run("as-root", "true", ROOT_IMAGE)
    space.await_main("as-root", "waiting", "CreateContainerConfigError")
    space.kubectl("delete", "job", "as-root", "--wait=false")


def test_an_image_comes_from_the_registry_by_its_digest(
    space: Space, registry: Registry, real_node: RealNode
) -> None:
    space.run("pulled", "echo from afar", PULLED_IMAGE)
    assert space.await_main("pulled", "terminated")["exitCode"] == 0
    assert space.kubectl("logs", "job/pulled") == "from afar\n"


@pytest.mark.parametrize("image", [MISSING_IMAGE, UNREACHABLE_IMAGE])
def test_an_image_that_cannot_be_had_is_waited_for(space: Space, image: str) -> None:
    name = "missing" if image == MISSING_IMAGE else "unreachable"
    space.run(name, "true", image)
    waiting = space.await_main(name, "waiting", "ErrImagePull")
    said = "not found" if image == MISSING_IMAGE else "connection refused"
    assert said in waiting["message"]
    space.kubectl("delete", "job", name, "--wait=false")


def test_a_registry_that_is_down_is_refused_until_it_is_up(
    space: Space, registry: Registry
) -> None:
    registry.stop()
    try:
        space.run("later", "true", f"{registry.host}/team/other:1")
        waiting = space.await_main("later", "waiting", "ErrImagePull")
        assert "connection refused" in waiting["message"]
    finally:
        registry.start()
    space.kubectl("delete", "job", "later", "--wait=false")


def test_the_python_image_has_what_the_example_imports(space: Space, real_node: RealNode) -> None:
    real_node.import_image(cached_archive(digits_image(DIGITS_IMAGE)))
    main = {
        "name": "main",
        "image": DIGITS_IMAGE,
        "command": ["python", "train.py"],
        "env": [
            {"name": "SENTINELS_PARAMS", "value": '{"C": 0.1, "solver": "lbfgs"}'},
            {"name": "SENTINELS_OUTPUT", "value": "/tmp"},
            {"name": "MLFLOW_TRACKING_URI", "value": "file:///tmp/mlruns"},
            {"name": "MLFLOW_ALLOW_FILE_STORE", "value": "true"},
        ],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "securityContext": _CONFINED,
    }
    space.run("digits", "", containers=[main])
    ended = space.await_main("digits", "terminated")
    assert ended["exitCode"] == 0, space.kubectl("logs", "job/digits")
    assert "'accuracy': 0.9" in space.kubectl("logs", "job/digits")


def test_a_silent_kubelet_loses_the_node_and_the_container_goes_on(
    space: Space, real_node: RealNode
) -> None:
    space.run("lasting", _FOREVER)
    began = space.await_main("lasting", "running")["startedAt"]
    real_node.kill_kubelet()
    try:
        await_("the node is not ready", lambda: not real_node.is_ready(), seconds=20)
    finally:
        real_node.start_kubelet()
    assert space.await_main("lasting", "running")["startedAt"] == began


def test_a_node_without_network_comes_back_when_its_cable_does(real_node: RealNode) -> None:
    real_node.cut()
    try:
        await_("the node is not ready", lambda: not real_node.is_ready(), seconds=20)
    finally:
        real_node.mend()
    await_("the node is ready", real_node.is_ready, seconds=30)


_SESSION = """
import sys
from tests.cluster.control_plane import ControlPlane
from tests.node.images import shell_image
from tests.node.machine import RealNode
from tests.node.network import Segment

segment = Segment.make()
plane = ControlPlane(segment.folder / "control-plane", address=segment.address).start()
node = RealNode(plane, segment).start()
node.import_image(shell_image("localhost/shell:1", segment.folder).write(segment.folder / "i.tar"))
node.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s")
node.kubectl("run", "left", "--image=localhost/shell:1", "--", "sh", "-c", "sleep 1234567")
node.kubectl("wait", "pod/left", "--for=condition=Ready", "--timeout=30s")
print(segment.number, segment.folder, flush=True)
sys.stdin.read()
node.stop()
plane.stop()
segment.remove()
"""


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_nothing_of_a_node_is_left(segment: Segment, how: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SESSION],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        number, _, folder = session.stdout.readline().strip().partition(" ")
        left = Segment(int(number), Path(folder))
        assert _traces(left), "a running node leaves traces"
        if how == "killed":
            os.kill(session.pid, signal.SIGKILL)
            session.wait(30)
            await_("its processes are gone", lambda: not _processes(left), seconds=20)
            sweep()
        else:
            session.stdin.close()
            assert session.wait(60) == 0
    end = time.monotonic() + 20
    while traces := _traces(left):
        assert time.monotonic() < end, f"left: {traces}"
        time.sleep(0.1)


def _traces(segment: Segment) -> list[str]:
    links = [link for link in ip("-brief", "link").split() if link.startswith(segment.bridge)]
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{segment.bridge}")]
    folders = [str(segment.folder)] if segment.folder.exists() else []
    mounted = Path("/proc/mounts").read_text().splitlines()
    mounts = [line for line in mounted if str(segment.folder) in line]
    return links + groups + folders + mounts + _processes(segment)


def _processes(segment: Segment) -> list[str]:
    found = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [" ".join(words) for words in found if str(segment.folder) in " ".join(words)] + [
        " ".join(words) for words in found if words[-1:] == ["sleep 1234567"]
    ]


def await_(what: str, condition: Callable[[], object], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)
