"""From push to the job's own process, on a warm one-machine mode with a free slot."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from benchmarks.measure import Result

PUSHES = 15
GOAL_SECONDS = 0.5
_PROGRAM = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(repr(time.time()))"


def run() -> list[Result]:
    """The median of ``PUSHES`` pushes, one at a time, over HTTP."""
    with _up() as (address, folder):
        seen = [_once(address, folder, turn) for turn in range(PUSHES + 2)][2:]
    median = statistics.median(seen)
    told = f"{median:.3f} s median, {min(seen):.3f} to {max(seen):.3f} s over {PUSHES}"
    return [
        Result(
            "push to process started, free slot, MLflow up",
            told,
            f"< {GOAL_SECONDS} s",
            median < GOAL_SECONDS,
        )
    ]


def _once(address: dict[str, str], folder: Path, turn: int) -> float:
    code, mark = folder / "code", folder / f"mark-{turn}"
    config = {"command": ["python", "main.py", str(mark)], "resources": {"memory": "256Mi"}}
    body = json.dumps({"image": str(code), "config": config}).encode()
    begin = time.time()
    _request(address, "/v1/jobs", body)
    deadline = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()):
        if time.monotonic() > deadline:
            raise TimeoutError("the job did not start within 60 s")
        time.sleep(0.005)
    started = float(mark.read_text())
    _await_idle(address)
    return started - begin


def _await_idle(address: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while _request(address, "/v1/queue")["running"]:
        if time.monotonic() > deadline:
            raise TimeoutError("the job did not end within 60 s")
        time.sleep(0.05)


def _request(address: dict[str, str], path: str, body: bytes | None = None) -> dict[str, object]:
    headers = {
        "Authorization": f"Bearer {address['token']}",
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid4()),
    }
    request = urllib.request.Request(address["url"] + path, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, object] = json.loads(answer.read())
    return found


@contextmanager
def one_job() -> Iterator[tuple[dict[str, str], int]]:
    """An environment for the command line, and the id of a job that has ended there."""
    with _up() as (address, folder):
        config = {"command": ["python", "-c", "pass"], "resources": {"memory": "256Mi"}}
        body = json.dumps({"image": str(folder / "code"), "config": config}).encode()
        [job] = _request(address, "/v1/jobs", body)["jobs"]  # type: ignore[misc]  # plain JSON
        _await_idle(address)
        yield {**os.environ, "SENTINELS_HOME": str(folder / "home")}, int(job["id"])


@contextmanager
def _up() -> Iterator[tuple[dict[str, str], Path]]:
    folder = Path(tempfile.mkdtemp(prefix="sen-bench-"))
    folder.chmod(0o755)
    code = folder / "code"
    code.mkdir()
    (code / "main.py").write_text(_PROGRAM)
    home = folder / "home"
    sentinels = str(Path(sys.executable).with_name("sentinels"))
    environment = {**os.environ, "SENTINELS_HOME": str(home)}
    try:
        subprocess.run([sentinels, "up", "--detach"], env=environment, check=True, timeout=300)
        yield json.loads((home / "server.json").read_text()), folder
    finally:
        subprocess.run([sentinels, "down"], env=environment, check=False, timeout=120)
        shutil.rmtree(folder, ignore_errors=True)
