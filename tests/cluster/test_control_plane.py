"""The bring-up keeps its own promises: it starts, outlasts kills, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from socket import create_server

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.folders import own_folder, remove_abandoned
from tests.cluster.nodes import Shape, SimulatedNodes
from tests.cluster.part import Part, processes_of
from tests.cluster.programs import MODULE, NoPrograms, ensure_programs

_RUNNER = """
import sys
from pathlib import Path
from tests.cluster.control_plane import ControlPlane
from tests.cluster.folders import own_folder
with own_folder(Path(sys.argv[1])) as folder:
    plane = ControlPlane(folder, lasting=sys.argv[2] == "lasting")
    plane.programs = Path()
    plane._choose_ports()
    plane.start_part("etcd")
    print(folder, flush=True)
    sys.stdin.read()
"""
_ROOT = MODULE.parents[2]


def until(condition: Callable[[], object], *, seconds: float = 20) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)


def job(name: str, **environment: str) -> str:
    """A Job's manifest; the variables say how its pod ends."""
    given = [{"name": key, "value": value} for key, value in environment.items()]
    main = {"name": "main", "image": "any", "env": given}
    helper = {"name": "helper", "image": "any", "restartPolicy": "Always"}
    pod = {"restartPolicy": "Never", "containers": [main], "initContainers": [helper]}
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    kind = {"apiVersion": "batch/v1", "kind": "Job"}
    return json.dumps({**kind, "metadata": {"name": name}, "spec": spec})


def ends_of(plane: ControlPlane, namespace: str) -> dict[str, set[str]]:
    """The conditions that hold for each Job."""
    found = json.loads(plane.kubectl("get", "jobs", "-n", namespace, "-o", "json"))
    return {
        each["metadata"]["name"]: {
            condition["type"]
            for condition in each["status"].get("conditions", [])
            if condition["status"] == "True"
        }
        for each in found["items"]
    }


@pytest.mark.usefixtures("kwok_room")
def test_a_job_ends_as_its_simulated_pod_does(
    control_plane: ControlPlane, team_namespace: str
) -> None:
    for name, code in (("good", "0"), ("bad", "3")):
        made = job(name, TEST_SECONDS="1s", TEST_EXIT=code)
        control_plane.kubectl("apply", "-n", team_namespace, "-f", "-", input=made)

    until(lambda: "Complete" in ends_of(control_plane, team_namespace)["good"])
    until(lambda: "Failed" in ends_of(control_plane, team_namespace)["bad"])
    words = ("-o", "jsonpath={.items[0].status.containerStatuses[0].state.terminated.exitCode}")
    pods = ("get", "pods", "-n", team_namespace, "-l", "job-name=bad")
    assert control_plane.kubectl(*pods, *words) == "3"


def test_a_simulated_node_that_says_so_is_not_ready(
    control_plane: ControlPlane, simulated: SimulatedNodes
) -> None:
    simulated.add({"shaky": Shape(gpus=2, gpu_product="Tesla-T4")})
    try:
        simulated.set_ready("shaky", False)
        until(lambda: "shaky" not in simulated.ready())
        simulated.set_ready("shaky", True)
        until(lambda: "shaky" in simulated.ready())
    finally:
        simulated.remove("shaky")


@pytest.mark.usefixtures("kwok_room")
def test_what_was_written_outlasts_a_kill_of_etcd_and_the_api_server(
    control_plane: ControlPlane, team_namespace: str
) -> None:
    control_plane.kubectl("create", "configmap", "kept", "-n", team_namespace)
    for name in ("etcd", "apiserver"):
        control_plane.kill(name)
    for name in ("etcd", "apiserver"):
        control_plane.start_part(name)
    control_plane.restart("scheduler")

    assert control_plane.kubectl("get", "configmap", "kept", "-n", team_namespace)
    control_plane.kubectl("apply", "-n", team_namespace, "-f", "-", input=job("after"))
    until(lambda: "Complete" in ends_of(control_plane, team_namespace)["after"], seconds=60)


@pytest.mark.usefixtures("control_plane")
def test_a_start_that_fails_says_why_and_leaves_nothing(short_tmp: Path) -> None:
    folder = short_tmp / "plane"
    folder.mkdir()
    with closing(create_server(("127.0.0.1", 0))) as taken:
        plane = ControlPlane(folder)
        plane._choose_ports()
        plane._ports["apiserver"] = taken.getsockname()[1]
        (folder / "ports.json").write_text(json.dumps(plane._ports))
        with pytest.raises(RuntimeError, match=r"(?s)apiserver is not ready.*already in use"):
            plane.start()
    assert plane.processes() == []


@pytest.mark.usefixtures("control_plane")
@pytest.mark.parametrize("kept", ["with its runner", "lasting"])
def test_what_a_killed_runner_leaves_is_found_and_ended(short_tmp: Path, kept: str) -> None:
    runner = subprocess.Popen(
        [sys.executable, "-c", _RUNNER, str(short_tmp), kept],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with runner:
        assert runner.stdout is not None
        folder = Path(runner.stdout.readline().strip())
        assert remove_abandoned(short_tmp) == []
        assert len(processes_of(folder, ["etcd"])) == 1
        os.kill(runner.pid, signal.SIGKILL)
    if kept == "with its runner":
        until(lambda: not processes_of(folder, ["etcd"]))
    else:
        assert len(processes_of(folder, ["etcd"])) == 1
        (folder / "etcd.pid").unlink()  # as if the runner had not come to write it

    assert remove_abandoned(short_tmp) == [folder]
    assert processes_of(folder, ["etcd"]) == []
    assert not folder.exists()


def test_a_folder_is_gone_with_its_block(short_tmp: Path) -> None:
    with own_folder(short_tmp) as folder:
        assert folder.exists()
    assert not folder.exists()


def test_a_part_that_ends_shows_the_end_of_its_log(short_tmp: Path) -> None:
    part = Part(short_tmp, "broken")
    part.start(["sh", "-c", "echo no such port; exit 3"])
    with pytest.raises(RuntimeError, match="broken is not ready: no such port"):
        part.await_ready(lambda: False, seconds=10)


@pytest.mark.usefixtures("control_plane")
@pytest.mark.timeout(120)
def test_a_cluster_to_try_things_on_is_found_again_and_goes_without_a_trace(
    short_tmp: Path,
) -> None:
    folder = short_tmp / "sentinels" / "cluster"
    try:
        assert f"export KUBECONFIG={folder}/kubeconfig" in said(short_tmp, "up")
        first = pids(ControlPlane(folder))
        ControlPlane(folder).kill("apiserver")
        said(short_tmp, "up")
        second = pids(ControlPlane(folder))
        assert len(first & second) == 4
        assert len(second) == 5
        assert "a100-1" in said(short_tmp, "status")
    finally:
        assert said(short_tmp, "down") == "the cluster is gone\n"
    assert ControlPlane(folder).processes() == []
    assert list(folder.parent.iterdir()) == []
    assert said(short_tmp, "down") == "no cluster runs\n"


def pids(plane: ControlPlane) -> set[int]:
    """Its processes."""
    return {each.pid for each in plane.processes()}


def said(state: Path, word: str) -> str:
    """What ``python -m tests.cluster`` prints."""
    return subprocess.run(
        [sys.executable, "-m", "tests.cluster", word],
        cwd=_ROOT,
        env={**os.environ, "XDG_STATE_HOME": str(state)},
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    ).stdout


def test_without_go_it_says_what_to_install(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTINELS_CLUSTER_CACHE", str(short_tmp / "none"))
    monkeypatch.setenv("PATH", str(short_tmp))
    with pytest.raises(NoPrograms, match="go is not installed"):
        ensure_programs()


def test_another_go_is_refused_with_a_way_out(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = short_tmp / "go"
    go.write_text("#!/bin/sh\necho go version go1.27.1 linux/amd64\n")
    go.chmod(0o755)
    monkeypatch.setenv("SENTINELS_CLUSTER_CACHE", str(short_tmp / "none"))
    monkeypatch.setenv("PATH", str(short_tmp), prepend=os.pathsep)
    with pytest.raises(NoPrograms, match=r"Go 1.26 is needed.*go1.27.1.*GOTOOLCHAIN"):
        ensure_programs()
