"""Starts the parts, waits until they are ready, starts again what dies, and ends them in order.

Comes in: ``Part``s. Goes out: running processes, and a call for each change that a person wants to
know. A part ends with its supervisor, however that ends: the kernel sends it SIGTERM (see
``child``), which is why every process is started by the main thread. Next: ``up``.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sentinels.core.errors import Unavailable

_PROBE_SECONDS = 2.0
_POLL_SECONDS = 0.05
_STEADY_SECONDS = 30.0
_LONGEST_PAUSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Part:
    """One process to keep running: ``module`` with ``arguments`` under this Python.

    ``ready_path`` is asked on ``port`` until it answers 200. ``grace_seconds`` is how long it may
    take to end before it is killed.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    env: Mapping[str, str]
    port: int
    ready_path: str
    log: Path
    host: str = "127.0.0.1"
    ready_seconds: float = 60.0
    grace_seconds: float = 5.0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"


class Process:
    """A part's process: the one that runs, and when to start the next where it died."""

    def __init__(self, part: Part) -> None:
        """Start it; call from the main thread."""
        self.part = part
        self.started = time.monotonic()
        self._deaths = 0
        self._log_start = part.log.stat().st_size if part.log.exists() else 0
        self._popen = self._spawn()
        self._restart_at: float | None = None

    @property
    def pid(self) -> int:
        """Its process id, which is its process group's too."""
        return self._popen.pid

    def is_ready(self) -> bool:
        """True if it answers its readiness path with 200."""
        return self._popen.poll() is None and _answers(self.part)

    def ended(self) -> str | None:
        """How it ended, or None while it runs."""
        code = self._popen.poll()
        if code is None:
            return None
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

    def log_tail(self) -> str:
        """The last lines it has written since it was first started here."""
        with self.part.log.open("rb") as log:
            log.seek(self._log_start)
            return "\n".join(log.read().decode(errors="replace").strip().splitlines()[-8:])

    def restart_if_due(self) -> str | None:
        """Start it again if it has died and its pause is over; say how it had ended."""
        ending = self.ended()
        if ending is None:
            return None
        now = time.monotonic()
        if self._restart_at is None:
            self._deaths = 0 if now - self._spawned > _STEADY_SECONDS else self._deaths + 1
            pause = 0.1 * 2**self._deaths if self._deaths else 0.0
            self._restart_at = now + min(pause, _LONGEST_PAUSE_SECONDS)
        if now < self._restart_at:
            return None
        self._kill_group()
        self._restart_at = None
        self._popen = self._spawn()
        return ending

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        self._popen.terminate()

    def end(self) -> None:
        """Return when nothing of it runs: killed, with all it started, after its grace."""
        try:
            self._popen.wait(timeout=self.part.grace_seconds)
        except subprocess.TimeoutExpired:
            self._kill_group()
            self._popen.wait()
        self._kill_group()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._spawned = time.monotonic()
        command = [sys.executable, "-P", "-m", "sentinels.local.child", str(os.getpid())]
        with self.part.log.open("ab") as log:
            return subprocess.Popen(
                [*command, self.part.module, *self.part.arguments],
                env=dict(self.part.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.part.log.parent,
                start_new_session=True,
                umask=0o077,
            )

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)


class Supervisor:
    """The parts that run now, in the order in which they were started."""

    def __init__(self, report: Callable[[str], None]) -> None:
        """``report`` is given a sentence whenever a part died and was started again."""
        self._report = report
        self._processes: dict[str, Process] = {}

    def start(self, part: Part) -> Process:
        """Start a part and keep it running until ``stop``."""
        process = self._processes[part.name] = Process(part)
        return process

    def await_ready(self, process: Process) -> float:
        """Return the seconds from its start until it was ready; raise ``Unavailable`` if it died or
        its time is over.
        """
        part = process.part
        while not process.is_ready():
            waited = time.monotonic() - process.started
            ending = process.ended()
            if ending is not None or waited > part.ready_seconds:
                why = f"ended ({ending})" if ending else f"was not ready within {waited:.0f} s"
                raise Unavailable(
                    f"{part.name} {why}; its log ({part.log}) ends:\n{process.log_tail()}",
                    remedy="correct what the log names, then start again",
                )
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - process.started

    def restart_the_dead(self) -> None:
        """Start again each part that has died, after a pause that grows while it keeps dying."""
        for name, process in self._processes.items():
            ending = process.restart_if_due()
            if ending is not None:
                self._report(
                    f"{name} ended ({ending}) and was started again; see {process.part.log}"
                )

    def stop(self, names: Iterable[str]) -> None:
        """Return when the named parts have ended; they end at the same time."""
        processes = [self._processes.pop(name) for name in names if name in self._processes]
        for process in processes:
            process.ask_to_end()
        for process in processes:
            process.end()


def _answers(part: Part) -> bool:
    connection = http.client.HTTPConnection(part.host, part.port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", part.ready_path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
