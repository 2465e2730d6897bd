"""Rigs for the suites: this machine's processes, and containers of the engine that answers."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinels.clusters.local.cluster import LocalCluster
from sentinels.clusters.local.engine import Engine, find_engine
from sentinels.clusters.local.images import LocalImageStore
from tests.contract.listener import Listener, listening
from tests.contract.rig import GRACE_SECONDS, Rig, cleaned

_IMAGE = "localhost/sentinels-test:latest"
_PROGRAMS = ("sh", "sleep", "tail", "cat", "echo", "mkdir", "ln", "true", "printf", "touch")
_STORAGE = """
[storage]
driver = "vfs"
graphroot = "{folder}/storage"
rootless_storage_path = "{folder}/storage"
runroot = "{folder}/run"
"""
_CONFINED = """
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""
"""For a machine that is itself confined: no right to raise limits, cgroups of both versions."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Where outputs and events go."""
    with listening() as found:
        yield found


@pytest.fixture
def data_store(tmp_path: Path) -> Path:
    """A data store with one file."""
    folder = tmp_path / "data" / "digits"
    folder.mkdir(parents=True)
    (folder / "train.csv").write_text("1,2,3\n")
    return folder.parent


@pytest.fixture
def process_rig(tmp_path: Path, listener: Listener, data_store: Path) -> Iterator[Rig]:
    """Processes of this machine."""
    code, home = tmp_path / "code", tmp_path / "home"
    code.mkdir()
    (code / "note.txt").write_text("as pushed\n")
    cluster = LocalCluster(
        home,
        notify_url=listener.notify_url,
        data_store=str(data_store),
        grace_seconds=GRACE_SECONDS,
    )
    with cleaned(home, cluster):
        yield Rig(cluster, LocalImageStore(home).resolve(str(code)), listener, home)


@pytest.fixture(scope="session")
def container_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine that runs containers here, with a storage of its own and a small image in it."""
    busybox = shutil.which("busybox")
    if busybox is None:
        _do_without("there is no static busybox to make an image of")
    folder = tmp_path_factory.mktemp("engine")
    (folder / "storage.conf").write_text(_STORAGE.format(folder=folder))
    (folder / "confined.conf").write_text(_CONFINED)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CONTAINERS_STORAGE_CONF", str(folder / "storage.conf"))
        for confined in (False, True):
            if confined:
                environment.setenv("CONTAINERS_CONF", str(folder / "confined.conf"))
            engine = find_engine()
            if engine is not None and _runs_containers(engine, str(busybox)):
                try:
                    yield engine
                finally:
                    engine.ask("rmi", "--force", _IMAGE, seconds=60)
                return
    _do_without("no container engine answers and runs a container within its limits")


@pytest.fixture
def container_rig(
    tmp_path: Path, listener: Listener, data_store: Path, container_engine: Engine
) -> Iterator[Rig]:
    """Containers of this machine's engine."""
    home = tmp_path / "home"
    cluster = LocalCluster(
        home,
        notify_url=listener.notify_url,
        data_store=str(data_store),
        grace_seconds=GRACE_SECONDS,
        engine=lambda: container_engine,
    )
    images = LocalImageStore(home, engine=lambda: container_engine)
    with cleaned(home, cluster):
        yield Rig(cluster, images.resolve(_IMAGE), listener, home)


def _do_without(why: str) -> None:
    if "CI" in os.environ and os.geteuid() == 0:
        pytest.fail(f"{why}; tests/container_engine.sh sees to it")
    pytest.skip(why)


def _runs_containers(engine: Engine, busybox: str) -> bool:
    image = subprocess.run(
        engine.command("import", "-", _IMAGE),
        input=_root_folder(busybox),
        capture_output=True,
        timeout=60,
        check=False,
    )
    words = ("run", "--rm", "--network=host", "--memory=64m", "--cpus=0.5", _IMAGE, "true")
    ran = subprocess.run(engine.command(*words), capture_output=True, timeout=60, check=False)
    # Without a right to the limits (rootless, old cgroups) podman runs it without, and says so.
    return image.returncode == 0 and ran.returncode == 0 and not ran.stderr


def _root_folder(busybox: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(busybox, "bin/busybox")
        for name in _PROGRAMS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        archive.addfile(_folder("etc"))
    return packed.getvalue()


def _folder(name: str) -> tarfile.TarInfo:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    return folder
