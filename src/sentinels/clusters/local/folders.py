"""What an attempt leaves on disk, and who may write which file of it.

    workloads/<name>/   spec.json     the launcher, before the folder gets its name
                        lock          held by the runner as long as it lives
                        started.json  the runner, before the program: at most one program a folder
                        stop.json     whoever asks for the end
                        log, output/  the program (work/ is its copy of the code)
                        log.times     the runner, before each piece of the log
                        usage         the runner, while the program runs
                        runner.log    the runner, where it fails itself
                        exit.json     the runner, when the program has ended
                        outputs.json  the runner, or a later collection
                        shipped.json  the same: how much of the log the log store has
    live/<name>         a mark: launched and not yet released

Files appear whole: written beside and renamed. Only the standard library is imported here: the
runner must start quickly. Next: ``launch``, ``runner``, ``observe``.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
Record = dict[str, Json]


class WorkloadFolder:
    """One attempt's folder."""

    def __init__(self, path: Path) -> None:
        """At this path, whether it exists or not."""
        self.path = path
        self.spec = path / "spec.json"
        self.lock = path / "lock"
        self.started = path / "started.json"
        self.stop = path / "stop.json"
        self.log = path / "log"
        self.log_times = path / "log.times"
        self.usage = path / "usage"
        self.runner_log = path / "runner.log"
        self.output = path / "output"
        self.work = path / "work"
        self.exit = path / "exit.json"
        self.outputs = path / "outputs.json"
        self.shipped = path / "shipped.json"

    @property
    def name(self) -> str:
        """The workload's name."""
        return self.path.name

    def runner_lives(self) -> bool:
        """Whether a runner holds the lock."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


class Layout:
    """The data folder's part that belongs to the local cluster."""

    def __init__(self, home: Path) -> None:
        """Below the one-machine mode's data folder."""
        self.workloads = home / "workloads"
        self.live = home / "live"
        self.images = home / "images"

    def folder(self, name: str) -> WorkloadFolder:
        """The folder of a workload."""
        return WorkloadFolder(self.workloads / name)

    def mark(self, name: str) -> None:
        """Note that a workload is held."""
        self.live.mkdir(parents=True, exist_ok=True)
        (self.live / name).touch()

    def unmark(self, name: str) -> None:
        """Note that a workload was released."""
        (self.live / name).unlink(missing_ok=True)

    def marked(self) -> Iterator[str]:
        """The names of the held workloads."""
        with suppress(FileNotFoundError):
            yield from sorted(entry.name for entry in os.scandir(self.live))


def read_record(path: Path) -> Record | None:
    """A file written by ``write_record``; None where there is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found if isinstance(found, dict) else None


def write_record(path: Path, record: Mapping[str, Json]) -> None:
    """Let the file appear whole and stay, whatever happens to the process or the machine."""
    beside = _write_beside(path, record)
    beside.replace(path)
    _keep(path.parent)


def claim_record(path: Path, record: Mapping[str, Json]) -> bool:
    """Let the file appear whole, once; False where it is there already."""
    beside = _write_beside(path, record)
    try:
        os.link(beside, path)
    except FileExistsError:
        return False
    finally:
        beside.unlink()
    _keep(path.parent)
    return True


def _write_beside(path: Path, record: Mapping[str, Json]) -> Path:
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    # Only for its owner: a spec holds the variables that a user gave, and keys are among them.
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    return beside


def _keep(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def words(spec: Record, key: str) -> list[str]:
    """A list of text from a spec; an absent one is empty."""
    found = spec[key]
    return [str(word) for word in found] if isinstance(found, list) else []


def texts(spec: Record, key: str) -> dict[str, str]:
    """A mapping of text from a spec."""
    found = spec[key]
    return {name: str(text) for name, text in found.items()} if isinstance(found, dict) else {}


def indices(spec: Record, key: str) -> list[int]:
    """A list of numbers from a spec."""
    return [int(word) for word in words(spec, key)]


def number(spec: Record, key: str) -> int:
    """A number from a spec."""
    return int(str(spec[key]))


@contextmanager
def held_lock(path: Path, *, tries: int = 50, pause: float = 0.02) -> Iterator[bool]:
    """Hold the lock until the end of the block; False where another holds it for good.

    A look by ``runner_lives`` holds it for an instant, hence the tries.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(tries):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(pause)
            else:
                yield True
                return
        yield False
    finally:
        os.close(descriptor)
