"""A real node, the images it runs, and Sentinels over it; once a session."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.conftest import OneMachine
from tests.cluster.conftest import do_without
from tests.cluster.control_plane import ControlPlane
from tests.cluster.programs import NoPrograms, ensure_programs, need
from tests.node.images import experiment_image, shell_image
from tests.node.machine import ADDRESS, RealNode
from tests.node.registry import PORT, Registry
from tests.support.image import IMAGE, built_image, cache_folder
from tests.support.town import Town, settled

SHELL_IMAGE = "localhost/shell:1"
ROOT_IMAGE = "localhost/as-root:1"
DIGITS_IMAGE = "localhost/digits:1"
PULLED_IMAGE = f"{ADDRESS}:{PORT}/team/shell:1"
MISSING_IMAGE = f"{ADDRESS}:{PORT}/team/no-such-image:1"
UNREACHABLE_IMAGE = f"{ADDRESS}:5999/team/shell:1"

_EXAMPLES = Path(__file__).parents[2] / "examples"
_SETTINGS = {
    "SENTINELS_SIDECAR_IMAGE": IMAGE,
    "SENTINELS_GRACE_SECONDS": "8",
    "SENTINELS_IMAGE_MISSING_SECONDS": "4",
    "SENTINELS_REGISTRY_SECONDS": "8",
    "SENTINELS_CONFIG_MISSING_SECONDS": "4",
    "SENTINELS_UNCREATED_SECONDS": "4",
    "SENTINELS_UNPLACED_SECONDS": "30",
    "SENTINELS_NODE_LOST_SECONDS": "6",
    "SENTINELS_LEASE_SECONDS": "5",
}


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A control plane of this session's own."""
    if os.geteuid() != 0:
        do_without("a real node needs root")
    try:
        ensure_programs()
        for program in ("etcd", "containerd", "runc", "ctr", "docker-registry"):
            need(program)
    except NoPrograms as why:
        do_without(f"{why}; tests/node/prepare.sh")
    folder = Path(tempfile.mkdtemp(prefix="sen-plane-"))
    plane = ControlPlane(folder)
    try:
        yield plane.start()
    finally:
        plane.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def real_node(control_plane: ControlPlane) -> Iterator[RealNode]:
    """A node with the shell image on it."""
    node = RealNode(control_plane, Path("/tmp/sen-node"))  # found again, whatever ended a session
    try:
        node.start()
        node.load(shell_image(SHELL_IMAGE))
        node.load(shell_image(ROOT_IMAGE, user=""))
        yield node
    finally:
        node.stop()


@pytest.fixture(scope="session")
def registry(real_node: RealNode) -> Iterator[Registry]:
    """A registry with the shell image."""
    folder = Path(tempfile.mkdtemp(prefix="sen-registry-"))
    found = Registry(folder)
    try:
        found.start().push(shell_image("shell"), "team/shell", "1")
        yield found
    finally:
        found.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def town(control_plane: ControlPlane, real_node: RealNode, registry: Registry) -> Iterator[Town]:
    """Sentinels over the node: everything of it runs on this machine, the jobs on the node."""
    real_node.load(built_image())
    real_node.load(
        experiment_image(DIGITS_IMAGE, _EXAMPLES / "digits", cache_folder() / "experiments")
    )
    home = Path(tempfile.mkdtemp(prefix="sen-town-"))
    home.chmod(0o755)
    quota = ("--memory", "8Gi", "--pods", "50")
    machine = OneMachine(home / "home")
    try:
        with settled(
            machine, control_plane, address=ADDRESS, settings=_SETTINGS, team=quota
        ) as found:
            yield found
    finally:
        shutil.rmtree(home, ignore_errors=True)
