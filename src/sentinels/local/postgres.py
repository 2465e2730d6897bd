"""The one-machine mode's PostgreSQL: made at first use, started, found again, stopped.

Comes in: the data folder. Goes out: the address of a server that answers, for ``Settings`` and
MLflow. The server is a daemon of its own: it survives whoever started it, and the next ``start``
finds it. It listens on a Unix socket in a folder that only its user and root can enter. Next:
``supervisor``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from sentinels.core.errors import QueueUnavailable
from sentinels.local.daemon import Owner, is_running, start_daemon
from sentinels.local.postgres_server import Server, find_owner, find_server

_ROLE = "sentinels"
_PORT = "5432"
_SOCKET_PATH_LIMIT = 107
_PLAIN_PATH = re.compile(r"[\w./+@-]+", re.ASCII)
_LOCK_SECONDS = 90.0
_START_SECONDS = 120.0
_RELAUNCH_SECONDS = 5.0
_STOP_SIGNALS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
_NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class EmbeddedPostgres:
    """One PostgreSQL server whose files are all below ``home``.

    Every method may be repeated and called from several processes at once. All raise
    ``QueueUnavailable`` with one sentence and the last lines of the server's log. As root, ``home``
    must be where the server's user can get to: not below a folder closed to others.
    """

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        """``durable=False`` trades crash safety for speed; for tests that never pull the plug."""
        self.home = home.absolute()
        self.log = self.home / "logs" / "postgresql.log"
        self.version = ""
        self._durable = durable
        self._folder = self.home / "postgres"

    @property
    def socket_folder(self) -> Path:
        """Where the server's socket is: below ``home``, or elsewhere where that is too long."""
        own = self._folder / "socket"
        socket = own / f".s.PGSQL.{_PORT}"
        if len(os.fsencode(socket)) < _SOCKET_PATH_LIMIT and _PLAIN_PATH.fullmatch(str(own)):
            return own
        short = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"sentinels-{short}"

    def url(self, database: str, *, role: str = _ROLE) -> str:
        """The address of a database, as SQLAlchemy (so MLflow too) takes it."""
        host = quote(str(self.socket_folder), safe="/")
        return f"postgresql+psycopg://{quote(role)}@/{quote(database)}?host={host}&port={_PORT}"

    def start(self) -> None:
        """Return when the server answers; it is made and started as far as needed."""
        with self._locked():
            owner = find_owner(self._folder)
            self._make_folders(owner)
            server = find_server(self._folder, owner)
            data = self._folder / f"data-{server.major}"
            if not (data / "PG_VERSION").exists():
                self._initialise(server, owner, data)
            self._launch_until_it_answers(server, owner, data)
            self.version = server.version

    def stop(self) -> None:
        """Return when no server runs on this folder's data; open connections are closed."""
        with self._locked():
            for data in self._folder.glob("data-[0-9]*"):
                self._stop_server(data)
            if self._folder not in self.socket_folder.parents:
                with suppress(OSError):
                    self.socket_folder.rmdir()

    def is_running(self) -> bool:
        """True if a server process works on this folder's data, whether or not it answers."""
        return any(_postmaster(data) for data in self._folder.glob("data-[0-9]*"))

    def answers(self) -> bool:
        """True if the server takes connections now."""
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def ensure_database(self, name: str) -> None:
        """Create the database if it does not exist."""
        with self._connect("postgres") as connection:
            known = connection.execute("select 1 from pg_database where datname = %s", [name])
            if known.fetchone() is None:
                try:
                    connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
                except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    return

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.socket_folder),
            port=_PORT,
            user=_ROLE,
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock that keeps two starts, or a start and a stop, from interleaving."""
        _make_private(self.home)
        with (self.home / "postgres.lock").open("w") as lock:
            if not _holds_within(lambda: _try_lock(lock.fileno()), _LOCK_SECONDS):
                raise QueueUnavailable(
                    f"another process has been starting or stopping PostgreSQL in {self.home} for "
                    f"{_LOCK_SECONDS:.0f} s",
                    remedy="wait for it, or end it",
                )
            yield

    def _make_folders(self, owner: Owner) -> None:
        _make_private(self.log.parent)
        if owner.switch and stat.S_IMODE(self.home.stat().st_mode) & 0o077 == 0:
            os.chown(self.home, -1, owner.gid)
            self.home.chmod(0o710)
        if not owner.enters(self.home):
            raise QueueUnavailable(
                f"PostgreSQL must run as the user {owner.name}, who cannot enter {self.home}: "
                "a folder above it is closed",
                remedy="choose a data folder outside of it with --home, such as /var/lib/sentinels",
            )
        for folder in (self._folder, self.socket_folder):
            _make_private(folder)
            if folder.is_symlink() or folder.stat().st_uid not in (os.geteuid(), owner.uid):
                raise QueueUnavailable(f"{folder} belongs to somebody else", remedy="remove it")
            if owner.switch:
                os.chown(folder, owner.uid, owner.gid)
            folder.chmod(0o700)

    def _initialise(self, server: Server, owner: Owner, data: Path) -> None:
        for unfinished in self._folder.glob("new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        partial = data.with_name(f"new-{os.getpid()}")
        command: list[str | Path] = [server.binaries / "initdb", "-D", partial, "-U", _ROLE]
        command += ["-A", "trust", "-E", "UTF8", "--no-locale"]
        done = owner.run(command if self._durable else [*command, "--no-sync"])
        if done.returncode != 0:
            shutil.rmtree(partial, ignore_errors=True)
            raise QueueUnavailable(
                f"PostgreSQL could not make its data folder {data}:\n{_tail(done.stderr)}",
                remedy="make room or correct what it names, then start again",
            )
        partial.rename(data)

    def _launch_until_it_answers(self, server: Server, owner: Owner, data: Path) -> None:
        log_start = self.log.stat().st_size if self.log.exists() else 0
        began = time.monotonic()
        launched: int | None = None
        while not self.answers():
            waited = time.monotonic() - began
            alive = is_running(launched) or _postmaster(data) is not None
            if waited > (_START_SECONDS if alive else _RELAUNCH_SECONDS):
                raise self._no_answer(waited, log_start)
            if not alive:
                _forget_dead_server(data, self.socket_folder)
                launched = self._launch(server, owner, data)
            time.sleep(0.05 if alive else 0.2)

    def _launch(self, server: Server, owner: Owner, data: Path) -> int:
        settings = ["listen_addresses=", f"unix_socket_directories={self.socket_folder}"]
        settings += ["unix_socket_permissions=0700", *(() if self._durable else _NOT_DURABLE)]
        command = [str(server.binaries / "postgres"), "-D", str(data), "-p", _PORT]
        for setting in settings:
            command += ["-c", setting]
        return start_daemon(command, log=self.log, owner=owner)

    def _no_answer(self, waited: float, log_start: int) -> QueueUnavailable:
        with self.log.open("rb") as log:
            log.seek(log_start)
            tail = _tail(log.read().decode(errors="replace"))
        return QueueUnavailable(
            f"PostgreSQL did not start within {waited:.0f} s; its log ({self.log}) ends:\n{tail}",
            remedy="correct what the log names, then start again",
        )

    def _stop_server(self, data: Path) -> None:
        for number, seconds in _STOP_SIGNALS:
            server = _postmaster(data)
            if server is None:
                return
            with suppress(psutil.NoSuchProcess):
                server.send_signal(number)
            if _holds_within(lambda: _postmaster(data) is None, seconds):
                return
        raise QueueUnavailable(f"PostgreSQL on {data} does not end", remedy=f"look at {self.log}")


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise QueueUnavailable(
            f"the folder {folder} cannot be made: {error.strerror}",
            remedy="choose another data folder with --home or SENTINELS_HOME",
        ) from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holds_within(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _postmaster(data: Path) -> psutil.Process | None:
    """The server that runs on ``data``; its pid file may be stale and its pid somebody else's."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or not data.samefile(process.cwd()):
            return None
    except (OSError, ValueError, psutil.Error):
        return None
    return process


def _forget_dead_server(data: Path, socket_folder: Path) -> None:
    """Remove a killed server's lock files, which PostgreSQL heeds while anything has that pid.

    That may be a zombie that nobody reaps, or a stranger. They stay while a process works in
    ``data``.
    """
    at_work = (process.info["cwd"] for process in psutil.process_iter(["cwd"]))
    if str(data) not in at_work:
        (data / "postmaster.pid").unlink(missing_ok=True)
        (socket_folder / f".s.PGSQL.{_PORT}.lock").unlink(missing_ok=True)


def _tail(text: str) -> str:
    return "\n".join([line for line in text.splitlines() if line.strip()][-5:])
