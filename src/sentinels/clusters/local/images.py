"""Images of the one-machine mode: ``core.ports.ImageStore``.

A directory of code is copied at push, under the digest of its content, so that a job runs what was
pushed whatever is edited afterwards; a container image is one that the engine has. Comes in: what
the user typed. Goes out: an ``Image``. Before: ``core/submitting``. Next: ``launch``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from sentinels.clusters.local.engine import Engine, find_engine
from sentinels.clusters.local.folders import Layout
from sentinels.clusters.local.scripts import program_in
from sentinels.core.errors import ClusterUnavailable, Fault, InvalidSubmission, NotFound
from sentinels.core.image_reference import is_directory
from sentinels.core.ports import Program
from sentinels.core.workload import Image, ImageKind

_SKIPPED = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        "__pycache__",
        ".venv",
        "venv",
        "node_modules",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".ipynb_checkpoints",
        "mlruns",
    }
)
_MAX_FILES, _MAX_BYTES = 20_000, 2**30
_GIT_SECONDS = 5.0


class LocalImageStore:
    """Directories of this machine, and the images of its container engine."""

    def __init__(self, home: Path, *, engine: Callable[[], Engine | None] = find_engine) -> None:
        """``engine`` finds the engine when it is first needed."""
        self._images = Layout(home).images
        self._engine = engine

    def resolve(self, reference: str, *, team: str = "default") -> Image:  # noqa: ARG002  # the port's
        """See ``ImageStore.resolve``."""
        if is_directory(reference):
            return self._directory(reference)
        return self._container(reference)

    def pin(self, image: Image, *, seen: str | None) -> Image:  # noqa: ARG002  # the port's
        """See ``ImageStore.pin``. A copy that somebody has changed counts as gone."""
        found = self._copy(image) if image.kind is ImageKind.DIRECTORY else self._kept(image)
        if found is None:
            raise NotFound(
                f"what was pushed as {image.reference} is gone ({image.digest})",
                remedy="push it as it is now: sentinels push IMAGE -c config.yaml",
            )
        return found

    def program(self, image: Image, command: Sequence[str] | None) -> Program | None:
        """See ``ImageStore.program``: what lies in the copy of a directory is known."""
        if image.kind is not ImageKind.DIRECTORY:
            return None
        return program_in(Path(image.location), command)

    def _copy(self, image: Image) -> Image | None:
        digest = str(image.digest).removeprefix("sha256:")
        folder = self._images / digest
        try:
            same = folder.is_dir() and _digest(list(_files(folder))) == digest
        except OSError:
            same = False
        return replace(image, location=str(folder)) if same else None

    def _kept(self, image: Image) -> Image | None:
        engine = self._engine()
        if engine is None:
            raise ClusterUnavailable(
                "no container engine answers on this machine", remedy="start podman or docker"
            )
        return None if self._inspected(engine, image.location) is None else image

    def _directory(self, reference: str) -> Image:
        root = Path(reference)
        if not root.is_dir():
            what = "is a file" if root.exists() else "does not exist"
            raise _fault(f"the directory {what}", reference, "name an existing directory of code")
        try:
            files = list(_files(root))
            if not files:
                raise _fault("the directory is empty", reference, "name a directory of code")
            digest = self._store(files)
        except OSError as error:
            message = f"the directory cannot be read: {error.strerror}: {error.filename}"
            raise _fault(message, reference, "make it readable") from error
        commit, dirty = _git_state(root)
        return Image(
            ImageKind.DIRECTORY,
            reference,
            f"sha256:{digest}",
            str(self._images / digest),
            commit,
            dirty,
        )

    def _store(self, files: list[_CodeFile]) -> str:
        digest = _digest(files)
        if (self._images / digest).is_dir():
            return digest
        self._images.mkdir(parents=True, exist_ok=True)
        fresh = self._images / f".{uuid4().hex}"
        try:
            fresh.mkdir()
            # The copy is what runs: somebody may have saved a file meanwhile.
            return self._keep(fresh, _digest([file.copied_below(fresh) for file in files]))
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _keep(self, fresh: Path, digest: str) -> str:
        try:
            fresh.rename(self._images / digest)
        except OSError:
            if not (self._images / digest).is_dir():
                raise
        return digest

    def _container(self, reference: str) -> Image:
        engine = self._engine()
        if engine is None:
            raise _fault(
                "no container engine answers on this machine",
                reference,
                "push a directory of code, as in ./train, or start podman or docker",
            )
        told = self._inspected(engine, reference)
        if told is None:
            raise _fault(
                "there is no such image here",
                reference,
                f"pull or build it first: {engine.name} pull {reference}",
            )
        digest = str(told.get("Id") or "").removeprefix("sha256:")
        if not digest:
            raise ClusterUnavailable(f"{engine.name} does not say what {reference} is")
        return Image(ImageKind.CONTAINER, reference, f"sha256:{digest}", digest)

    @staticmethod
    def _inspected(engine: Engine, reference: str) -> Mapping[str, object] | None:
        told = engine.inspect("image", reference)
        if told is None and not engine.answers():
            raise ClusterUnavailable(
                f"{engine.name} does not answer any more", remedy=f"start {engine.name} again"
            )
        return told


@dataclass(frozen=True, slots=True)
class _CodeFile:
    """A file or a link of a directory of code, with its path below the directory."""

    path: Path
    name: str

    def copied_below(self, folder: Path) -> _CodeFile:
        copy = folder / self.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_symlink():
            copy.symlink_to(self.link_target())
        else:
            shutil.copy(self.path, copy)
        return _CodeFile(copy, self.name)

    def link_target(self) -> str:
        """Relative, whatever it was, so that a copy's links stay inside the copy."""
        target = self.path.readlink()
        if not target.is_absolute():
            return str(target)
        return os.path.relpath(self.path.resolve(), self.path.parent.resolve())

    def content_digest(self) -> str:
        if self.path.is_symlink():
            return hashlib.sha256(os.fsencode(self.link_target())).hexdigest()
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def kind(self) -> str:
        if self.path.is_symlink():
            return "link"
        return "program" if os.access(self.path, os.X_OK) else "file"


def _files(root: Path) -> Iterator[_CodeFile]:
    count = size = 0
    for folder, folders, names in os.walk(root):
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = sorted(set(folders) - _SKIPPED - set(linked))
        for name in sorted([*names, *linked]):
            path = Path(folder, name)
            if name.endswith(".pyc") or not _belongs(path, root):
                continue
            count, size = count + 1, size + path.lstat().st_size
            if count > _MAX_FILES or size > _MAX_BYTES:
                raise _fault(
                    f"the directory holds more than {_MAX_FILES} files or 1 GiB",
                    str(root),
                    "keep data out of it: put that into the data store",
                )
            yield _CodeFile(path, path.relative_to(root).as_posix())


def _belongs(path: Path, root: Path) -> bool:
    if path.is_symlink():
        try:
            return path.resolve(strict=True).is_relative_to(root.resolve())
        except (OSError, RuntimeError):
            return False
    return path.is_file()


def _digest(files: list[_CodeFile]) -> str:
    whole = hashlib.sha256()
    for file in files:
        whole.update(os.fsencode(f"{file.kind()} {file.content_digest()} {file.name}\0"))
    return whole.hexdigest()


def _git_state(root: Path) -> tuple[str | None, bool]:
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None, False
    return commit, bool(_git(root, "status", "--porcelain", "--", "."))


def _git(root: Path, *words: str) -> str | None:
    options = ["--no-optional-locks", "-c", "safe.directory=*", "-c", "core.fsmonitor=false"]
    try:
        done = subprocess.run(
            ["git", *options, "-C", root, *words],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _fault(message: str, reference: str, remedy: str) -> InvalidSubmission:
    return InvalidSubmission([Fault("image", message, value=reference, remedy=remedy)])
