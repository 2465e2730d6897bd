"""Programs that tests need, built once from Go modules and kept outside the repository.

Comes in: a module such as that in ``programs/``, Go. Goes out: a folder with the built programs.
Next: ``control_plane``, ``tests/node``; ``tests/chart/programs.py`` has a module of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MODULE = Path(__file__).with_name("programs")
VERSION = "v1.36.3"
_KUBE = ("apiserver", "controller-manager", "proxy", "scheduler")
_BUILD_SECONDS = 40 * 60.0
_DOWNLOAD_SECONDS = 5 * 60.0


class NoPrograms(Exception):
    """Why there are none."""


@dataclass(frozen=True)
class Module:
    """A folder with a ``go.mod``, and what is built from it.

    ``programs`` has the package of each by its name; ``stamps`` are variables of theirs that are
    set to a text, such as a version; ``tags`` are the build's.
    """

    folder: Path
    title: str
    programs: Mapping[str, str]
    stamps: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What is built is the same as long as this is."""
        own = sorted(self.folder.rglob("*.go"))
        files = (self.folder / "go.mod", self.folder / "go.sum", *own)
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]

    def is_in(self, folder: Path) -> bool:
        """Whether all its programs are there."""
        return all((folder / name).is_file() for name in self.programs)


def _kubernetes() -> Module:
    major, minor = VERSION.lstrip("v").split(".")[:2]
    stamps = {"gitVersion": VERSION, "gitMajor": major, "gitMinor": minor}
    names = (*(f"kube-{each}" for each in _KUBE), "kubectl", "kubelet")
    packages = {name: f"k8s.io/kubernetes/cmd/{name}" for name in names}
    return Module(
        MODULE,
        f"Kubernetes {VERSION}",
        {**packages, "kwok": "sigs.k8s.io/kwok/cmd/kwok"},
        {f"k8s.io/component-base/version.{name}": value for name, value in stamps.items()},
    )


KUBERNETES = _kubernetes()


def ensure_programs(module: Module = KUBERNETES) -> Path:
    """The folder of the module's programs; builds what is missing, some minutes once.

    Raises ``NoPrograms``.
    """
    folder = _cache() / module.key
    if module.is_in(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not module.is_in(folder):
            _build(module, folder)
    return folder


def need(program: str) -> str:
    """An installed program's path. Raises ``NoPrograms``."""
    found = shutil.which(program)
    if found is None:
        raise NoPrograms(f"{program} is not installed; tests/cluster/prepare.sh sees to it")
    return found


def _cache() -> Path:
    named = os.environ.get("SENTINELS_CLUSTER_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "sentinels", "cluster")


def _build(module: Module, folder: Path) -> None:
    _check_go(module)
    print(f"building {module.title} into {folder}: some minutes, once", flush=True)
    flags = " ".join(("-s -w", *(f"-X {name}={text}" for name, text in module.stamps.items())))
    with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
        built = Path(fresh, "bin")
        words = ("build", "-trimpath", "-mod=readonly", "-ldflags", flags, "-o", f"{built}/")
        tags = ("-tags", ",".join(module.tags)) if module.tags else ()
        _go(module, *words, *tags, *module.programs.values(), seconds=_BUILD_SECONDS)
        built.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)  # an incomplete one
        built.rename(folder)


def _check_go(module: Module) -> None:
    """Under Go 1.27 the API server's /openapi/v2 is malformed; an older one cannot build it."""
    said = _go(module, "version", seconds=_DOWNLOAD_SECONDS).strip()
    if re.search(r"go1\.26\b", said) is None:
        raise NoPrograms(
            f"Go 1.26 is needed to build {module.title}; this is {said}. "
            "Install it, or let Go fetch it: GOTOOLCHAIN=go1.26.0"
        )


def _go(module: Module, *words: str, seconds: float) -> str:
    try:
        done = subprocess.run(
            [need("go"), *words],
            cwd=module.folder,  # its go.mod says which Go, too
            env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise NoPrograms(f"go {words[0]} took longer than {seconds:.0f} s") from late
    if done.returncode != 0:
        raise NoPrograms(f"go {words[0]} failed: {done.stderr[-2000:].strip()}")
    return done.stdout
