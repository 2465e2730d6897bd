"""Sentinels' image, built by the Dockerfile from a base made here, without a network in the build.

Comes in: the checkout, podman, wheels that pip downloads once. Goes out: a docker-archive that
podman, docker and containerd load. It is kept outside of the checkout, one for each content of what
it is made of; an older one goes when a third is built. No pytest here: several tiers use it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.python_base import write_python_base

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/sentinels:test"
BASE = "localhost/sentinels-base:test"
_LOCKS = ("requirements/functions.txt", "requirements/build.txt")
_MADE_OF = ("Dockerfile", ".dockerignore", "LICENSE", "README.md", "pyproject.toml", *_LOCKS)
_TREES = ("src", "examples")
_KEPT = 3
_STORAGE = """
[storage]
driver = "{driver}"
graphroot = "{folder}/storage"
rootless_storage_path = "{folder}/storage"
runroot = "{folder}/run"
"""
_CONFINED = """
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:1024"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""
"""For a machine that is itself confined: no right to raise limits, cgroups of both versions."""


class BuildFailed(Exception):
    """The image could not be built; the engine's own words."""


def cache_folder() -> Path:
    """Where images and wheels are kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home, "sentinels", "image")


def built_image(cache: Path | None = None) -> Path:
    """The archive of ``IMAGE``, built where the cache has none of this content.

    Raises ``BuildFailed``. Takes a second when it is there, and a minute or two when not; several
    processes may ask at once.
    """
    folder = cache or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        archive = folder / f"sentinels-{_content()}.tar"
        if archive.exists():
            archive.touch()
        else:
            _build(archive, _wheels(folder / "wheels"))
            _forget_old(folder)
        return archive


@contextmanager
def podman(folder: Path) -> Iterator[Podman]:
    """An engine whose storage is below ``folder``, empty at first and gone afterwards."""
    _wipe(folder)
    folder.mkdir(parents=True)
    engine = Podman(folder)
    try:
        yield engine
    finally:
        engine.try_("rm", "--all", "--force")
        engine.try_("rmi", "--all", "--force")
        _wipe(folder)


class Podman:
    """Podman with a storage of its own and settings that a confined machine allows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        own = {
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "CONTAINERS_CONF": str(folder / "containers.conf"),
        }
        self.environ: Mapping[str, str] = {**os.environ, **own}
        (folder / "containers.conf").write_text(_CONFINED)
        for driver in ("overlay", "vfs"):  # the second is slower and works everywhere
            (folder / "storage.conf").write_text(_STORAGE.format(folder=folder, driver=driver))
            if self.try_("info", seconds=60).returncode == 0:
                break

    def try_(self, *words: str, seconds: float = 600) -> subprocess.CompletedProcess[str]:
        """Run one command, whatever comes of it."""
        return subprocess.run(
            ["podman", *words],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def ask(self, *words: str, seconds: float = 600) -> str:
        """Run one command; what it says. Raises ``BuildFailed``."""
        ran = self.try_(*words, seconds=seconds)
        if ran.returncode:
            raise BuildFailed(f"podman {' '.join(words)}: {ran.stderr[-4000:]}{ran.stdout[-2000:]}")
        return ran.stdout.strip()

    def load(self, archive: Path) -> None:
        """Have the image ``IMAGE`` of an archive."""
        self.ask("load", "--input", str(archive))


def _wipe(folder: Path) -> None:
    """Take away an engine's folder, and what one that was killed has left mounted in it."""
    for mounted in _mounts_below(folder):
        subprocess.run(["umount", "--lazy", mounted], check=True, timeout=30)
    shutil.rmtree(folder, ignore_errors=True)


def _mounts_below(folder: Path) -> list[str]:
    """The newest first: one may cover another."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in reversed(points) if point.startswith(f"{folder}/")]


def _build(archive: Path, wheels: Path) -> None:
    with podman(archive.parent / "engine") as engine:
        base = engine.folder / "base.tar"
        write_python_base(base)
        engine.ask("import", "--change", "ENV PATH=/usr/local/bin:/bin", str(base), BASE)
        offline = ("--network=none", "--build-context", f"wheels={wheels}")
        arguments = ("--build-arg", f"BASE={BASE}", "--build-arg", "PIP_NO_INDEX=1")
        words = ("--no-cache", "--format=docker", "--pull=never", "--tag", IMAGE)
        engine.ask("build", *offline, *arguments, *words, str(ROOT), seconds=900)
        beside = archive.with_suffix(".new")
        beside.unlink(missing_ok=True)
        engine.ask("save", "--format=docker-archive", "--output", str(beside), IMAGE)
        beside.rename(archive)


def _wheels(folder: Path) -> Path:
    """The locked wheels for this Python, downloaded by pip as it is set up here."""
    key = _digest([ROOT / lock for lock in _LOCKS], sys.version)
    found = folder / key
    if not found.is_dir():
        beside = folder / f"{key}.new"
        for lock in _LOCKS:
            _download(["--requirement", str(ROOT / lock), "--dest", str(beside)])
        beside.rename(found)
        for older in folder.iterdir():
            if older != found:
                shutil.rmtree(older)
    return found


def _download(words: Sequence[str]) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    exact = ["--require-hashes", "--only-binary", ":all:", *words]
    ran = subprocess.run([*pip, *exact], capture_output=True, text=True, timeout=600, check=False)
    if ran.returncode:
        raise BuildFailed(f"pip could not download the wheels: {ran.stderr[-2000:]}")


def _content() -> str:
    files = [ROOT / name for name in _MADE_OF]
    for tree in _TREES:
        files += [
            path
            for path in sorted((ROOT / tree).rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        ]
    own = [Path(__file__), Path(__file__).with_name("python_base.py")]
    return _digest([*files, *own], sys.version)


def _digest(files: Sequence[Path], more: str) -> str:
    digest = hashlib.sha256(more.encode())
    for path in files:
        digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _forget_old(folder: Path) -> None:
    archives = sorted(folder.glob("sentinels-*.tar"), key=lambda path: path.stat().st_mtime)
    for old in archives[:-_KEPT]:
        old.unlink()
