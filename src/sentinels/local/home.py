"""The data folder: what this part keeps in it, and who holds it.

Comes in: where it is (``data_folder`` knows). Goes out: a ``Home`` with its files, the
token, and the lock that only one ``up`` can hold. Next: ``ports``, ``up``.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sentinels.core.errors import InvalidRequest
from sentinels.data_folder import SERVER_FILE

_LARGE_LOG_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What the CLI reads to find the server: its address, the user's token, who supervises it.

    ``on_cluster``: jobs run on a Kubernetes cluster, not on this machine.
    """

    url: str
    token: str
    pid: int
    mlflow_url: str
    on_cluster: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """The files of one data folder."""

    path: Path

    @property
    def logs(self) -> Path:
        """The folder with one log for each part."""
        return self.path / "logs"

    @property
    def server_file(self) -> Path:
        """Where the CLI finds the running server."""
        return self.path / SERVER_FILE

    @property
    def data(self) -> Path:
        """The shared data store, where no other was named."""
        return self.path / "data"

    def prepare(self) -> None:
        """Make the folders, closed to others; raise ``InvalidRequest`` where that cannot be."""
        try:
            for folder in (self.path, self.logs, self.data):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.path / ".writable"
            probe.write_bytes(b"")
            probe.unlink(missing_ok=True)
        except OSError as error:
            raise InvalidRequest(
                f"the data folder {self.path} cannot be used: {error.strerror}",
                remedy="choose another with --home or SENTINELS_HOME",
            ) from error

    def open_log(self, name: str) -> Path:
        """The log of the part ``name``; a large one of earlier days is put aside first."""
        log = self.logs / f"{name}.log"
        if log.exists() and log.stat().st_size > _LARGE_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        return log

    def token(self) -> str:
        """The bearer token of this folder's user; made once and kept."""
        file = self.path / "token"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(32))
        return file.read_text().strip()

    def read_server(self) -> ServerInfo | None:
        """What the last ``up`` that became ready wrote, if it has not been taken down since."""
        try:
            return ServerInfo(**json.loads(self.server_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write_server(self, info: ServerInfo) -> None:
        """Tell the CLI where the server is."""
        write_private(self.server_file, json.dumps(asdict(info)))

    @contextmanager
    def claim(self) -> Iterator[bool]:
        """Hold the folder against every other ``up``; False where another holds it."""
        with (self.path / "up.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield True

    def holder(self) -> int | None:
        """The process id of the ``up`` that holds the folder now, if one does."""
        try:
            with (self.path / "up.lock").open("r+") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read() or 0)
        except (OSError, ValueError):
            return None
        return None


def write_private(file: Path, text: str) -> None:
    """Replace a file in one step; only its owner can read it."""
    partial = file.with_name(f".{file.name}.new")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)
