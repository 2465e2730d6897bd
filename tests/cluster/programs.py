"""The programs of a real cluster, built once from Go modules and kept outside the repository.

Comes in: the module in ``programs/``, Go. Goes out: a folder with the built programs. Next:
``control_plane``, ``tests/node``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

MODULE = Path(__file__).with_name("programs")
VERSION = "v1.36.3"
_PACKAGES = (
    *(f"k8s.io/kubernetes/cmd/kube-{name}" for name in ("apiserver", "scheduler", "proxy")),
    "k8s.io/kubernetes/cmd/kube-controller-manager",
    "k8s.io/kubernetes/cmd/kubectl",
    "k8s.io/kubernetes/cmd/kubelet",
    "sigs.k8s.io/kwok/cmd/kwok",
)
_BUILD_SECONDS = 40 * 60.0
_DOWNLOAD_SECONDS = 5 * 60.0


class NoPrograms(Exception):
    """Why there are none."""


def ensure_programs() -> Path:
    """The folder of the programs; builds what is missing, some minutes once.

    Raises ``NoPrograms``.
    """
    folder = _cache() / _key()
    if _is_complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_complete(folder):
            _build(folder)
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


def _key() -> str:
    content = b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    return hashlib.sha256(content).hexdigest()[:16]


def _is_complete(folder: Path) -> bool:
    return all((folder / package.rpartition("/")[2]).is_file() for package in _PACKAGES)


def _build(folder: Path) -> None:
    _check_go()
    print(f"building Kubernetes {VERSION} into {folder}: some minutes, once", flush=True)
    major, minor = VERSION.lstrip("v").split(".")[:2]
    stamp = {"gitVersion": VERSION, "gitMajor": major, "gitMinor": minor}
    flags = " ".join(f"-X k8s.io/component-base/version.{k}={v}" for k, v in stamp.items())
    with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
        built = Path(fresh, "bin")
        words = ("build", "-trimpath", "-mod=readonly", "-ldflags", f"-s -w {flags}")
        _go(*words, "-o", f"{built}/", *_PACKAGES, seconds=_BUILD_SECONDS)
        built.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)  # an incomplete one
        built.rename(folder)


def _check_go() -> None:
    """Under Go 1.27 the API server's /openapi/v2 is malformed; an older one cannot build it."""
    said = _go("version", seconds=_DOWNLOAD_SECONDS).strip()
    if re.search(r"go1\.26\b", said) is None:
        raise NoPrograms(
            f"Go 1.26 is needed to build Kubernetes {VERSION}; this is {said}. "
            "Install it, or let Go fetch it: GOTOOLCHAIN=go1.26.0"
        )


def _go(*words: str, seconds: float) -> str:
    try:
        done = subprocess.run(
            [need("go"), *words],
            cwd=MODULE,  # its go.mod says which Go, too
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
