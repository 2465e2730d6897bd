"""One real control plane a session, with simulated nodes; KUBECONFIG names another cluster."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.folders import own_folder, remove_abandoned
from tests.cluster.nodes import Shape, SimulatedNodes
from tests.cluster.programs import NoPrograms, ensure_programs, need


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """All of this tier is marked ``cluster``."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A control plane of this session's own."""
    try:
        ensure_programs()
        need("etcd")
    except NoPrograms as why:
        do_without(str(why))
    remove_abandoned()
    with own_folder() as folder:
        plane = ControlPlane(folder)
        try:
            yield plane.start()
        finally:
            plane.stop()


@pytest.fixture(scope="session")
def simulated(control_plane: ControlPlane) -> Iterator[SimulatedNodes]:
    """Answers for nodes that tests add."""
    nodes = SimulatedNodes(control_plane).start()
    try:
        yield nodes
    finally:
        nodes.stop()


@pytest.fixture(scope="session")
def kubeconfig(request: pytest.FixtureRequest) -> Path:
    """An administrator's credentials."""
    given = os.environ.get("KUBECONFIG")
    if given:
        return Path(given)
    request.getfixturevalue("simulated")
    plane: ControlPlane = request.getfixturevalue("control_plane")
    return plane.kubeconfig


@pytest.fixture
def kwok_room(simulated: SimulatedNodes) -> Iterator[None]:
    """Two nodes with room for hundreds of small pods."""
    names = {f"room-{number}": Shape(cpu=256, memory="1Ti", pods=2000) for number in range(2)}
    simulated.add(names)
    yield
    simulated.remove(*names)


@pytest.fixture
def team_namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A fresh namespace of a team."""
    name = f"sen-t{secrets.token_hex(4)}"
    control_plane.kubectl("create", "namespace", name)
    control_plane.kubectl("label", "namespace", name, f"sentinels.dev/team={name[4:]}")
    try:
        yield name
    finally:
        control_plane.kubectl("delete", "namespace", name, "--wait=false")


def do_without(why: str) -> None:
    """Skip where somebody tries things; fail where all must be seen to work."""
    if "CI" in os.environ:
        pytest.fail(why)
    pytest.skip(why)
