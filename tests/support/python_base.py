"""The Python that runs the tests as the base of a container image, where no registry is at hand.

Comes in: this machine's interpreter, its standard library and pip, the shared libraries that they
and compiled wheels load, a static busybox. Goes out: a tar of a root folder with Python where the
official images have it, in /usr/local.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_LIBRARY = Path("usr/local/lib") / _VERSION
_LEFT_OUT = frozenset(
    {"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "lib2to3"}
    | {"__pycache__", "turtledemo", "_bundled"}
)
_LEFT_OUT_BEGINNINGS = ("config-", "_tkinter.")
_WHEELS_LOAD = ("libgcc_s.so.1", "libstdc++.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1")
_COMMANDS = ("sh", "cat", "cp", "env", "find", "grep", "ln", "ls", "mkdir", "mv", "rm", "touch")
_MORE_COMMANDS = ("chmod", "du", "echo", "id", "printf", "sleep", "tail", "true", "false", "test")
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def write_python_base(target: Path) -> None:
    """Write the tar to ``target``. Raises ``RuntimeError`` where there is no static busybox."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise RuntimeError("there is no busybox: install busybox-static")
    with tarfile.open(target, "w") as archive:
        _add_folders(archive)
        archive.add(busybox, "bin/busybox")
        for name in (*_COMMANDS, *_MORE_COMMANDS):
            _add_link(archive, f"bin/{name}", "busybox")
        _add_python(archive)
        for library in sorted(_libraries()):
            archive.add(library.resolve(), f"lib/{library.name}")
        for name, text in _FILES.items():
            _add_file(archive, name, text)


def _add_folders(archive: tarfile.TarFile) -> None:
    for name in ("bin", "etc", "lib", "lib64", "opt", "root", "tmp", "usr", "usr/local", "var"):
        folder = tarfile.TarInfo(name)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
        archive.addfile(folder)


def _add_python(archive: tarfile.TarFile) -> None:
    import pip

    archive.add(Path(sys.executable).resolve(), f"usr/local/bin/{_VERSION}")
    for name in ("python3", "python"):
        _add_link(archive, f"usr/local/bin/{name}", _VERSION)
    standard = Path(sysconfig.get_path("stdlib"))
    archive.add(standard, str(_LIBRARY), filter=_without_ballast)
    archive.add(Path(pip.__file__).parent, str(_LIBRARY / "site-packages/pip"), filter=_plain)
    loader = next(path for path in _libraries() if path.name.startswith("ld-"))
    _add_link(archive, str(loader).lstrip("/"), f"/lib/{loader.name}")


def _without_ballast(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    inner = Path(entry.name).relative_to(_LIBRARY)
    if inner.name in _LEFT_OUT or inner.name.startswith(_LEFT_OUT_BEGINNINGS):
        return None
    return _plain(entry)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if entry.name.endswith("__pycache__"):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _libraries() -> set[Path]:
    """What the interpreter and its modules load, and what the wheels of others may."""
    modules = [
        path
        for path in Path(sysconfig.get_path("stdlib"), "lib-dynload").glob("*.so")
        if not path.name.startswith(_LEFT_OUT_BEGINNINGS)
    ]
    found = {library for program in (sys.executable, *modules) for library in loaded(program)}
    system = next(path for path in found if path.name.startswith("libc.so")).parent
    return found | {path for name in _WHEELS_LOAD if (path := system / name).exists()}


def loaded(program: str | Path) -> Iterator[Path]:
    """The shared libraries that a program or library loads, its loader among them."""
    ldd = ["ldd", str(program)]
    said = subprocess.run(ldd, capture_output=True, text=True, timeout=30, check=False)
    for path in re.findall(r"(/\S+) \(0x", said.stdout):
        yield Path(path)


def _add_link(archive: tarfile.TarFile, name: str, target: str) -> None:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, target
    archive.addfile(link)


def _add_file(archive: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text.encode()), 0o644
    archive.addfile(entry, io.BytesIO(text.encode()))
