"""A real MLflow server for tests: SQLite, artifacts through its proxy, one worker, loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

_READY_SECONDS = 120.0
_STOP_SECONDS = 10.0


@contextmanager
def serving_mlflow(folder: Path) -> Iterator[str]:
    """The address of a server that keeps all it has below ``folder``; gone afterwards."""
    port = _free_port()
    with (folder / "mlflow.log").open("wb") as log:
        server = subprocess.Popen(
            _command(folder, port),
            env=_environment(folder),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await_ready(server, f"http://127.0.0.1:{port}", folder / "mlflow.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(server)


def _command(folder: Path, port: int) -> list[str]:
    # The child module ties the server to this process: it does not outlive a killed test run.
    return [
        *(sys.executable, "-P", "-m", "sentinels.local.child", str(os.getpid())),
        *("mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _await_ready(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _READY_SECONDS
    while not _is_up(url):
        assert server.poll() is None, f"MLflow ended: {log.read_text()[-2000:]}"
        assert time.monotonic() < end, f"MLflow is not ready: {log.read_text()[-2000:]}"
        time.sleep(0.1)


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, sign)
        except ProcessLookupError:
            break
        try:
            server.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    server.wait(timeout=_STOP_SECONDS)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
