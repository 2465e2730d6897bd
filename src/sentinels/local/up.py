"""``sentinels up``: run one machine's Sentinels here, or in the background.

Comes in: options. Goes out: lines for a person; a machine that runs until Ctrl-C, SIGTERM or
``sentinels down``. A second ``up`` on the same data folder says where the first one is. Next:
``machine``; ``down``.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from sentinels.core.errors import InvalidRequest, Unavailable
from sentinels.local.daemon import is_running, start_daemon
from sentinels.local.demo_shell import examples_folder
from sentinels.local.home import Home, ServerInfo
from sentinels.local.options import UpOptions
from sentinels.local.status_lines import StatusLines

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_READY_SECONDS = 300.0
_POLL_SECONDS = 0.05


def run_here(options: UpOptions, lines: StatusLines) -> None:
    """Run until a signal comes and everything is stopped; return at once if it runs already."""
    os.umask(0o077)
    home = Home(options.home)
    home.prepare()
    with home.claim() as claimed:
        if not claimed:
            _say_already_up(_await_other(home, lines), lines)
            return
        for number in _SIGNALS:
            signal.signal(number, _interrupt)
        from sentinels.local.machine import Machine

        machine = Machine(options, os.environ, lines)
        try:
            lines.say(f"Starting Sentinels in {home.path}")
            _say_up(machine.start(), lines)
            machine.watch()
        except KeyboardInterrupt:
            lines.say("Stopping Sentinels")
        finally:
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            machine.stop()
        lines.done("Sentinels is down")


def run_in_background(options: UpOptions, lines: StatusLines) -> ServerInfo:
    """Return when jobs can be pushed, to a supervisor that runs on; or to the one that did already.

    Its lines are shown as they come and kept in ``logs/up.log``. Raises ``Unavailable`` where it
    ends before it is ready.
    """
    home = Home(options.home)
    home.prepare()
    if home.holder() is not None:
        running = _await_other(home, lines)
        _say_already_up(running, lines)
        return running
    log = home.open_log("up")
    shown = log.stat().st_size if log.exists() else 0
    pid = start_daemon(_command(options), log=log)
    with lines.waiting("starting Sentinels"):
        shown = _follow_until_ready(home, pid, log, shown, lines)
    _relay(log, shown, lines)
    info = _info_of(home, home.holder())
    if info is None:
        raise Unavailable("Sentinels did not start", remedy=f"see {log}")
    return info


def _follow_until_ready(home: Home, pid: int, log: Path, shown: int, lines: StatusLines) -> int:
    """Say what the supervisor writes until it is ready or ended; return up to where was said."""
    end = time.monotonic() + _READY_SECONDS
    while is_running(pid) and _info_of(home, pid) is None and time.monotonic() < end:
        shown = _relay(log, shown, lines)
        time.sleep(_POLL_SECONDS)
    return shown


def _command(options: UpOptions) -> list[str]:
    command = [sys.executable, "-P", "-m", "sentinels.local", "up", "--home", str(options.home)]
    command += ["--tick", str(options.tick)]
    command += ["--port", str(options.port)] if options.port else []
    command += ["--data", str(options.data.absolute())] if options.data else []
    command += ["--address", options.address]
    command += ["--kubeconfig", str(options.kubeconfig)] if options.kubeconfig else []
    return command if options.mlflow else [*command, "--no-mlflow"]


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _await_other(home: Home, lines: StatusLines) -> ServerInfo:
    """Where the ``up`` that holds the folder serves; it may be starting still."""
    end = time.monotonic() + _READY_SECONDS
    with lines.waiting("waiting for another `sentinels up` of this folder to be ready"):
        while time.monotonic() < end:
            holder = home.holder()
            info = _info_of(home, holder)
            if info is not None:
                return info
            if holder is None:
                break
            time.sleep(_POLL_SECONDS)
    raise Unavailable(
        f"another `sentinels up` held {home.path} and did not become ready",
        remedy="type it again; `sentinels down` ends one that hangs",
    )


def _info_of(home: Home, pid: int | None) -> ServerInfo | None:
    info = home.read_server()
    return info if info is not None and info.pid == pid else None


def _relay(log: Path, shown: int, lines: StatusLines) -> int:
    """Say the whole lines that ``log`` has from byte ``shown`` on; return where they end."""
    with log.open("rb") as stream:
        stream.seek(shown)
        whole, newline, _ = stream.read().rpartition(b"\n")
    for line in whole.decode(errors="replace").splitlines():
        lines.say(line)
    return shown + len(whole) + len(newline)


def _say_up(info: ServerInfo, lines: StatusLines) -> None:
    mlflow = f" · MLflow: {info.mlflow_url} (ready in some seconds)" if info.mlflow_url else ""
    lines.say(f"Sentinels is up: {info.url}{mlflow} · stop with Ctrl-C or `sentinels down`")
    if info.on_cluster:
        lines.say("Next: sentinels push IMAGE --cpu 1 -- COMMAND    see: sentinels nodes")
        return
    with suppress(InvalidRequest):
        example = shlex.quote(str(examples_folder() / "digits"))
        lines.say(f"Next: sentinels push {example} -c {example}/config.yaml")


def _say_already_up(info: ServerInfo, lines: StatusLines) -> None:
    mlflow = f" · MLflow: {info.mlflow_url}" if info.mlflow_url else ""
    lines.done(f"Sentinels is already running: {info.url}{mlflow} · stop with `sentinels down`")
