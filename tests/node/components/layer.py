"""A layer of an image, written file by file.

Comes in: programs, folders and texts of this machine. Goes out: a tar of a root folder, in which
the programs find the libraries they load. Next: ``postgres``, ``mlflow``, ``monitoring`` and
``search``.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tests.node.images import plain
from tests.support.python_base import loaded

_ANYBODY = 0o1777


@contextmanager
def new_layer(target: Path) -> Iterator[Layer]:
    """A layer at ``target``; the libraries of its programs follow at the end."""
    with tarfile.open(target, "w") as archive:
        layer = Layer(archive)
        yield layer
        layer.add_libraries()


def need_program(name: str, package: str) -> Path:
    """Where the program is. Raises ``AssertionError`` with the package that has it."""
    found = shutil.which(name)
    assert found is not None, f"there is no {name}: install {package}, or run tests/node/prepare.sh"
    return Path(found).resolve()


class Layer:
    """What is added gets its parent folders; names have no slash at their beginning."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._folders: set[str] = set()
        self._linked: list[Path] = []
        self._copied: set[Path] = set()

    def folder(self, name: str, mode: int = 0o755) -> None:
        """An empty folder, once."""
        if name in self._folders:
            return
        self._parents(name)
        self._folders.add(name)
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        self._archive.addfile(entry)

    def open_folder(self, name: str) -> None:
        """A folder in which anybody may write."""
        self.folder(name, _ANYBODY)

    def text(self, name: str, text: str, mode: int = 0o644) -> None:
        """A file of this text."""
        self._parents(name)
        entry = tarfile.TarInfo(name)
        content = text.encode()
        entry.size, entry.mode = len(content), mode
        self._archive.addfile(entry, io.BytesIO(content))

    def link(self, name: str, target: str) -> None:
        """A symbolic link."""
        self._parents(name)
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        self._archive.addfile(entry)

    def file(self, source: Path, name: str) -> None:
        """A copy of a file."""
        self._parents(name)
        self._archive.add(source.resolve(), name, filter=plain)
        self._copied.add(source.resolve())

    def program(self, source: Path, name: str) -> None:
        """A copy of a program or library; what it loads comes along."""
        self.file(source, name)
        self._linked.append(source)

    def tree(self, source: Path, name: str) -> None:
        """A copy of all files of a folder, links among them followed."""
        self.folder(name)
        for found in sorted(source.rglob("*")):
            if found.is_file():
                self.file(found, str(PurePosixPath(name) / found.relative_to(source)))

    def shell(self) -> None:
        """A shell and the usual programs, by a static busybox."""
        busybox = need_program("busybox", "busybox-static")
        self.file(busybox, "bin/busybox")
        said = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
        for name in sorted(set(said.stdout.split()) - {"busybox"}):
            self.link(f"bin/{name}", "busybox")
        self.link("usr/bin", "../bin")
        self.open_folder("tmp")

    def users(self, name: str, number: int, home: str) -> None:
        """The users root and ``name``."""
        user = f"{name}:x:{number}:{number}::{home}:/bin/sh\n"
        self.text("etc/passwd", f"root:x:0:0:root:/root:/bin/sh\n{user}")
        self.text("etc/group", f"root:x:0:\n{name}:x:{number}:\n")
        self.text("etc/nsswitch.conf", "hosts: files dns\n")

    def add_libraries(self) -> None:
        """What the programs so far load and is not here yet, where the loader looks."""
        wanted = {library for program in self._linked for library in loaded(program)}
        found = {each for each in wanted if each.resolve() not in self._copied}
        for library in sorted({each.name: each for each in sorted(found)}.values()):
            self._archive.add(library.resolve(), f"lib/{library.name}", filter=plain)
        for loader in sorted(each for each in found if each.name.startswith("ld-")):
            if loader.parent != Path("/lib"):
                self.link(str(loader).lstrip("/"), f"/lib/{loader.name}")

    def _parents(self, name: str) -> None:
        parent = str(PurePosixPath(name).parent)
        if parent != ".":
            self.folder(parent)
