"""Container images without a registry or an engine: archives that containerd imports.

Comes in: tars of root folders. Goes out: a docker-archive. Before: ``machine``, ``conftest``.
Next: ``registry`` pushes the same images.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import sys
import sysconfig
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import Distribution, distribution
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement
from tests.node.config import PAUSE
from tests.support.python_base import write_python_base

_ROOT = Path(__file__).parents[2]
_USER = "65532:65532"
_PLACES = ("PATH=/usr/local/bin:/bin", "HOME=/tmp")
_PROGRAMS = (
    *("sh", "cat", "cp", "dd", "echo", "env", "false", "head", "id", "kill", "ln", "ls", "mkdir"),
    *("mv", "nc", "printf", "rm", "seq", "sleep", "tail", "test", "touch", "true"),
)
_DIGITS_NEEDS = ("mlflow-skinny", "scikit-learn", "joblib")
_BALLAST = frozenset({"__pycache__", "tests", "test", "idlelib", "site-packages", "dist-packages"})


@dataclass(frozen=True)
class Image:
    """A name, the layers (tars that are not packed), and what a container of it runs.

    ``stop`` is the signal that ends it where that is not SIGTERM.
    """

    name: str
    layers: tuple[Path, ...]
    command: tuple[str, ...] = ("sh",)
    folder: str = "/"
    user: str = _USER
    entrypoint: tuple[str, ...] = ()
    environment: tuple[str, ...] = _PLACES
    stop: str = ""

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """Of the layers."""
        return tuple(_digest_of(layer) for layer in self.layers)

    @property
    def config(self) -> bytes:
        """The image's configuration, as the image format has it."""
        content = {
            "architecture": "amd64" if os.uname().machine == "x86_64" else "arm64",
            "os": "linux",
            "config": {
                "User": self.user,
                "Env": list(self.environment),
                "Entrypoint": list(self.entrypoint),
                "Cmd": list(self.command),
                "WorkingDir": self.folder,
                **({"StopSignal": self.stop} if self.stop else {}),
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{one}" for one in self.digests]},
        }
        return json.dumps(content).encode()

    def write(self, target: Path) -> Path:
        """Write the docker-archive."""
        files = [f"{digest}.tar" for digest in self.digests]
        manifest = [{"Config": "config.json", "RepoTags": [self.name], "Layers": files}]
        with tarfile.open(target, "w") as archive:
            for layer, file in zip(self.layers, files, strict=True):
                archive.add(layer, file)
            add_bytes(archive, "config.json", self.config)
            add_bytes(archive, "manifest.json", json.dumps(manifest).encode())
        return target


def pause_image(target: Path) -> Path:
    """The archive of what holds a pod's namespaces: it waits to be killed."""
    layer = _busybox_layer(target.with_suffix(".layer"))
    image = Image(PAUSE, (layer,), ("busybox", "sleep", "2147483647"))
    return image.write(target)


def shell_image(name: str, folder: Path, *, user: str = _USER) -> Image:
    """A shell and its usual programs; the layer is kept in ``folder``."""
    return Image(name, (_busybox_layer(folder / "shell.layer"),), user=user)


def python_image(name: str) -> Image:
    """This machine's Python and a shell."""
    return Image(name, (cached("python", sys.version, write_python_base),), ("python",))


def digits_image(name: str) -> Image:
    """The example of the digits with all that it imports; its folder is ``/app``."""
    train = _ROOT / "examples" / "digits" / "train.py"
    needed = closure(_DIGITS_NEEDS)
    versions = " ".join(f"{each.name}={each.version}" for each in needed)
    packages = cached("packages", sys.version + versions, lambda at: write_packages(at, needed))
    code = cached("digits", train.read_text(), lambda at: _write_code(at, train))
    return Image(name, (*python_image(name).layers, packages, code), ("python",), "/app")


def cached_archive(image: Image) -> Path:
    """The image's archive, kept between sessions."""
    kind = f"{re.sub(r'[^a-z0-9]+', '.', image.name)}.archive"
    return cached(kind, image.name + str(image.config), image.write)


def cached(kind: str, content: str, write: Callable[[Path], object]) -> Path:
    """The tar that ``write`` makes of this content, kept between sessions: three of each kind."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "sentinels", "node")
    base.mkdir(parents=True, exist_ok=True)
    own = Path(__file__).read_text() + Path(write_python_base.__code__.co_filename).read_text()
    target = base / f"{kind}-{hashlib.sha256((own + content).encode()).hexdigest()[:16]}.tar"
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            for old in sorted(base.glob(f"{kind}-*.tar"), key=lambda at: at.stat().st_mtime)[:-2]:
                old.unlink()
            beside = target.with_suffix(".new")
            write(beside)
            beside.rename(target)
    return target


def _busybox_layer(target: Path) -> Path:
    busybox = shutil.which("busybox")
    assert busybox is not None, "there is no busybox: install busybox-static"
    with tarfile.open(target, "w") as archive:
        for name in ("bin", "etc", "tmp"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            archive.addfile(folder)
        archive.add(busybox, "bin/busybox")
        for name in _PROGRAMS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return target


def _write_code(target: Path, train: Path) -> None:
    with tarfile.open(target, "w") as archive:
        add_bytes(archive, "app/train.py", train.read_bytes())


def write_packages(target: Path, needed: Sequence[Distribution]) -> None:
    """Write a layer with these as they are installed here, and Python's own modules compiled."""
    library = Path("usr/local/lib", f"python{sys.version_info.major}.{sys.version_info.minor}")
    owned = {  # a file can be in two packages
        library / "site-packages" / file: Path(str(file.locate()))
        for each in needed
        for file in each.files or ()
        if ".." not in file.parts and _BALLAST.isdisjoint(file.parts) and file.suffix != ".pyc"
    }
    standard = Path(sysconfig.get_path("stdlib"))
    for found in standard.rglob("*.py"):
        inner = found.relative_to(standard)
        if _BALLAST.isdisjoint(inner.parts):
            owned[library / inner] = found
    with tarfile.open(target, "w") as archive:
        for name, found in owned.items():
            if found.is_file():
                _add_module(archive, found.resolve(), name)


def _add_module(archive: tarfile.TarFile, source: Path, name: Path) -> None:
    """The file, and what Python has made of it: compiling all anew takes many seconds."""
    archive.add(source, str(name), filter=plain)
    compiled = Path(cache_from_source(source)) if source.suffix == ".py" else source
    if compiled != source and compiled.exists():
        archive.add(compiled, str(name.parent / "__pycache__" / compiled.name), filter=plain)


def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Root's, and readable to all."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode |= 0o444
    return entry


def closure(names: Sequence[str]) -> list[Distribution]:
    """These and all they need, as they are installed here."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found:
            continue
        found[name] = distribution(name)
        wanted = [Requirement(line) for line in found[name].requires or ()]
        waiting += [
            one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})
        ]
    return [found[name] for name in sorted(found)]


def add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file that all may read."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    archive.addfile(entry, io.BytesIO(content))


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
