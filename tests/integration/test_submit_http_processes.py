"""The three functions as functions-framework runs them, in processes of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import sentinels.functions
from sentinels.core.queueing import Caller
from tests.conftest import TOKEN
from tests.support.ears import binary, send
from tests.support.front import Client

_FUNCTIONS = Path(sentinels.functions.__file__).parent
_NAMES = ("submit", "dispatch", "notify")
_FRAMEWORK = "from functions_framework._cli import _cli; _cli()"


def free_ports() -> dict[str, int]:
    with ExitStack() as open_sockets:
        ports = {}
        for name in _NAMES:
            one = open_sockets.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            ports[name] = one.getsockname()[1]
        return ports


def command(name: str, port: int) -> list[str]:
    source = str(_FUNCTIONS / name / "main.py")
    where = ["--host", "127.0.0.1", "--port", str(port)]
    return [sys.executable, "-c", _FRAMEWORK, "--source", source, "--target", name, *where]


@contextmanager
def process(name: str, port: int, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A function that answers; its whole process group is gone afterwards."""
    started = subprocess.Popen(
        command(name, port),
        env=dict(env),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        await_answer(port, started)
        yield started
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
        started.communicate(timeout=10)


def await_answer(port: int, started: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert started.poll() is None, started.communicate()[1]
        try:
            if send(port, b"", {}, method="GET", path="/healthz").status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the function does not answer")


@pytest.fixture
def ports() -> dict[str, int]:
    return free_ports()


@pytest.fixture
def env(
    database_url: str, caller: Caller, short_tmp: Path, ports: Mapping[str, int]
) -> dict[str, str]:
    known = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return known | {
        "THREADS": "8",
        "SENTINELS_DATABASE_URL": database_url,
        "SENTINELS_HOME": str(short_tmp / "home"),
        "SENTINELS_SINK": f"http://127.0.0.1:{ports['dispatch']}",
        "SENTINELS_NOTIFY_URL": f"http://127.0.0.1:{ports['notify']}",
    }


def test_a_push_runs_to_its_end_by_events_alone_and_every_function_drains(
    ports: Mapping[str, int], env: Mapping[str, str], short_tmp: Path
) -> None:
    code = short_tmp / "code"
    code.mkdir()
    (code / "main.py").write_text("print('α hello', flush=True)\n")
    client = Client(ports["submit"], TOKEN)
    with ExitStack() as running:
        started = {name: running.enter_context(process(name, ports[name], env)) for name in _NAMES}
        tick, headers = binary("dev.knative.sources.ping")
        assert send(ports["dispatch"], tick, headers).status == 204
        config = {
            "command": [sys.executable, "main.py"],
            "resources": {"cpu": 0.1, "memory": "64Mi"},
        }
        pushed = client.post("/v1/jobs", {"image": str(code), "config": config})
        assert pushed.status == 201, pushed.body
        job = pushed.json["jobs"][0]
        detail, end = job, time.monotonic() + 40
        while detail["state"] not in ("succeeded", "failed") and time.monotonic() < end:
            detail = client.get(f"/v1/jobs/{job['id']}", wait=5, after_event=detail["event"]).json
        assert detail["state"] == "succeeded", detail
        log = client.get(f"/v1/jobs/{job['id']}/logs").json
        assert (log["text"], log["ended"]) == ("α hello\n", True)
        assert client.get("/v1/queue").json["waiting"] == []
        for function in started.values():
            function.terminate()
        assert [function.wait(20) for function in started.values()] == [0, 0, 0]


def test_a_request_under_way_is_answered_before_the_function_ends(
    ports: Mapping[str, int], env: Mapping[str, str]
) -> None:
    with process("submit", ports["submit"], env) as started:
        with socket.create_connection(("127.0.0.1", ports["submit"]), timeout=20) as connection:
            head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            body = b'{"image": "/nowhere", "config": {}}'
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
            time.sleep(0.2)
            started.terminate()
            connection.sendall(body)
            assert connection.recv(64).startswith(b"HTTP/1.1 422 ")
        assert started.wait(20) == 0


def test_ten_megabytes_get_a_413_from_the_real_server(
    ports: Mapping[str, int], env: Mapping[str, str]
) -> None:
    with process("submit", ports["submit"], env):
        client = Client(ports["submit"], TOKEN)
        body = b"[" * 10_000_000
        assert client.ask("POST", "/v1/jobs", body).status == 413
        pieces = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
        assert client.ask("POST", "/v1/jobs", pieces).status == 413


@pytest.mark.parametrize("name", _NAMES)
def test_wrong_settings_are_one_sentence_and_no_traceback(
    name: str, ports: Mapping[str, int], env: Mapping[str, str]
) -> None:
    wrong = {**env, "SENTINELS_MAX_LAUNCHES": "many"}
    done = subprocess.run(
        command(name, ports[name]),
        env=wrong,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "SENTINELS_MAX_LAUNCHES='many' is not a number" in done.stderr
    assert "Traceback" not in done.stderr
