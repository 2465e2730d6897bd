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
from tests.node.images import cached_archive, digits_image, shell_image
from tests.node.machine import RealNode
from tests.node.network import Segment
from tests.node.registry import Registry
from tests.node.services import ClusterServices
from tests.support.image import IMAGE, built_image
from tests.support.town import Town, settled

SHELL_IMAGE = "localhost/shell:1"
ROOT_IMAGE = "localhost/as-root:1"
DIGITS_IMAGE = "localhost/digits:1"
_REGISTRY, _SILENT_REGISTRY = "registry.test", "silent.test"
PULLED_IMAGE = f"{_REGISTRY}/team/shell:1"
MISSING_IMAGE = f"{_REGISTRY}/team/no-such-image:1"
UNREACHABLE_IMAGE = f"{_SILENT_REGISTRY}/team/shell:1"

_PROGRAMS = (
    "etcd",
    "containerd",
    "ctr",
    "runc",
    "docker-registry",
    "unshare",
    "nsenter",
    "ip",
    "nft",
)
_SETTINGS = {
    "SENTINELS_SIDECAR_IMAGE": IMAGE,
    "SENTINELS_GRACE_SECONDS": "8",
    "SENTINELS_IMAGE_MISSING_SECONDS": "4",
    "SENTINELS_REGISTRY_SECONDS": "8",
    "SENTINELS_CONFIG_MISSING_SECONDS": "4",
    "SENTINELS_UNCREATED_SECONDS": "4",
    "SENTINELS_UNPLACED_SECONDS": "30",
    "SENTINELS_NODE_LOST_SECONDS": "10",
    "SENTINELS_LEASE_SECONDS": "5",
}


@pytest.fixture(scope="session")
def segment() -> Iterator[Segment]:
    """The network between this machine and its nodes."""
    if os.geteuid() != 0:
        do_without("a real node needs root")
    try:
        ensure_programs()
        for program in _PROGRAMS:
            need(program)
    except NoPrograms as why:
        do_without(f"{why}; or tests/node/prepare.sh")
    made = Segment.make()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="session")
def control_plane(segment: Segment) -> Iterator[ControlPlane]:
    """A control plane of this session's own, which nodes of the segment can join."""
    plane = ControlPlane(segment.folder / "control-plane", address=segment.address)
    try:
        yield plane.start()
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def registry(segment: Segment) -> Iterator[Registry]:
    """A registry with a shell image, which is not the one that nodes have already.

    (What Kubelet has pulled once is pulled anew under each other name, even if it has that.)
    """
    found = Registry(segment, _REGISTRY)
    pushed = shell_image(PULLED_IMAGE, segment.folder, user="10001:10001")
    try:
        found.start().push(pushed, "team/shell:1")
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="session")
def real_node(control_plane: ControlPlane, registry: Registry) -> Iterator[RealNode]:
    """A node with the shell image on it, which knows the registry."""
    registries = {registry.host: registry.url, _SILENT_REGISTRY: "http://127.0.0.1:1"}
    node = RealNode(control_plane, registry.segment, registries=registries)
    folder = registry.segment.folder
    try:
        node.start()
        for image in (shell_image(SHELL_IMAGE, folder), shell_image(ROOT_IMAGE, folder, user="")):
            node.import_image(image.write(folder / "shell.tar"))
        yield node
    finally:
        node.stop()


@pytest.fixture(scope="session")
def cluster_services(segment: Segment, control_plane: ControlPlane) -> Iterator[ClusterServices]:
    """Names for pods, and their way to the API."""
    found = ClusterServices(control_plane, segment)
    try:
        yield found.start()
    except NoPrograms as why:
        do_without(str(why))
    finally:
        found.stop()


@pytest.fixture(scope="session")
def town(control_plane: ControlPlane, real_node: RealNode, registry: Registry) -> Iterator[Town]:
    """Sentinels over the node: everything of it runs on this machine, the jobs on the node."""
    real_node.import_image(built_image())
    real_node.import_image(cached_archive(digits_image(DIGITS_IMAGE)))
    home = Path(tempfile.mkdtemp(prefix="sen-town-"))
    home.chmod(0o755)
    quota = ("--memory", "8Gi", "--pods", "50")
    machine = OneMachine(home / "home")
    address = registry.segment.address
    try:
        with settled(
            machine, control_plane, address=address, settings=_SETTINGS, team=quota
        ) as found:
            yield found
    finally:
        shutil.rmtree(home, ignore_errors=True)
