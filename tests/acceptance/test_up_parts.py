"""What holds one machine together: the data folder's rules, the supervisor, the ticker."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cloudevents.http import CloudEvent, from_http

from sentinels.core.errors import InvalidRequest, Unavailable
from sentinels.data_folder import find_home
from sentinels.local.home import Home, ServerInfo
from sentinels.local.parts import function_settings
from sentinels.local.ports import Ports
from sentinels.local.supervisor import Part, Supervisor
from sentinels.sources.ping import Ticker, every


@pytest.mark.parametrize(
    ("environ", "uid", "folder"),
    [
        ({"SENTINELS_HOME": "/srv/s", "HOME": "/home/ann"}, 0, "/srv/s"),
        ({"HOME": "/root"}, 0, "/var/lib/sentinels"),
        ({"HOME": "/home/ann"}, 1000, "/home/ann/.local/share/sentinels"),
        ({"HOME": "/home/ann", "XDG_DATA_HOME": "/data/ann"}, 1000, "/data/ann/sentinels"),
    ],
)
def test_the_data_folder_follows_the_environment(
    environ: dict[str, str], uid: int, folder: str
) -> None:
    assert find_home(environ, uid=uid) == Path(folder)


def test_only_its_owner_reads_the_token_and_it_is_kept(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.write_server(ServerInfo(url="http://x", token=home.token(), pid=1, mlflow_url=""))

    assert home.path.stat().st_mode & 0o077 == 0
    for file in (home.path / "token", home.server_file):
        assert file.stat().st_mode & 0o777 == 0o600
    found = home.read_server()
    assert found is not None
    assert found.token == Home(home.path).token()


def test_a_folder_is_held_by_one_and_names_its_holder(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.holder() is None

    with home.claim() as mine, home.claim() as again:
        assert (mine, again) == (True, False)
        assert home.holder() == os.getpid()

    assert home.holder() is None


def test_ports_are_kept_and_never_shared_between_folders(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one = Ports(tmp_path / "one", wanted=None)
    other = Ports(tmp_path / "other", wanted=None)
    try:
        assert set(one.of.values()).isdisjoint(other.of.values())
        with pytest.raises(InvalidRequest, match="is taken"):
            Ports(tmp_path / "other", wanted=one.of["submit"])
    finally:
        one.close()
        other.close()

    again = Ports(tmp_path / "other", wanted=None)
    again.close()
    assert again.of == other.of
    assert again.moved == []


def test_the_users_settings_reach_the_functions_but_not_over_this_machines(tmp_path: Path) -> None:
    settings = function_settings(
        {"SENTINELS_SLACK_TOKEN": "xoxb-1", "SENTINELS_SINK": "http://x", "AWS_SECRET": "s"},
        home=Home(tmp_path),
        ports={"submit": 1, "dispatch": 2, "notify": 3, "mlflow": 4},
        database_url="postgresql://",
        tracker_url="",
    )

    assert settings["SENTINELS_SLACK_TOKEN"] == "xoxb-1"
    assert settings["SENTINELS_SINK"] == "http://127.0.0.1:2"
    assert "AWS_SECRET" not in settings
    assert "SENTINELS_TRACKER_URL" not in settings


def test_a_part_that_ends_while_it_starts_is_named_with_its_last_words(tmp_path: Path) -> None:
    part = Part(
        name="submit",
        module="no_such_module",
        arguments=(),
        env=dict(os.environ),
        port=1,
        ready_path="/",
        log=tmp_path / "submit.log",
    )
    supervisor = Supervisor(lambda _: None)
    process = supervisor.start(part)
    try:
        with pytest.raises(Unavailable, match=r"submit ended \(exit code 1\)(.|\n)*no_such_module"):
            supervisor.await_ready(process)
    finally:
        supervisor.stop(["submit"])


class Listener(BaseHTTPRequestHandler):
    """Takes events; each answer waits until the server's gate is open."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        events: list[CloudEvent] = self.server.events  # type: ignore[attr-defined]  # set below
        gate: threading.Event = self.server.gate  # type: ignore[attr-defined]  # set below
        events.append(from_http(dict(self.headers), body))
        gate.wait(10)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def listening(events: list[CloudEvent], gate: threading.Event) -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server, ThreadPoolExecutor(1) as pool:
        server.__dict__.update(events=events, gate=gate)
        pool.submit(server.serve_forever, 0.01)
        try:
            yield server.server_port
        finally:
            gate.set()
            server.shutdown()


def test_ticks_are_pingsource_events_and_never_overlap() -> None:
    events: list[CloudEvent] = []
    gate = threading.Event()
    with listening(events, gate) as port:
        ticker = Ticker(f"http://127.0.0.1:{port}", every(0.01))
        ticker.start()
        try:
            assert not gate.wait(0.3)
            during_a_slow_pass = len(events)
            gate.set()
            _await_length(events, 3)
        finally:
            ticker.stop()

    assert during_a_slow_pass == 1
    assert {event["type"] for event in events} == {"dev.knative.sources.ping"}
    assert len({event["id"] for event in events}) == len(events)


def _await_length(events: list[CloudEvent], length: int) -> None:
    for _ in range(500):
        if len(events) >= length:
            return
        threading.Event().wait(0.01)
    pytest.fail(f"{len(events)} of {length} ticks came")
