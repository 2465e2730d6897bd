"""``sentinels up`` and ``sentinels down``: one folder, one supervisor, nothing left behind."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import sentinels
from sentinels.local.ports import Ports
from tests.acceptance.conftest import OneMachine, await_true, kill

PARTS = ("submit", "dispatch", "notify")


def test_up_says_what_it_started_and_down_leaves_nothing_running(fresh_machine: OneMachine) -> None:
    said = fresh_machine.up()

    assert "✔ postgresql 18." in said
    for part in PARTS:
        assert f"✔ {part} · http://127.0.0.1:" in said
    assert f"Sentinels is up: {fresh_machine.server['url']} · MLflow: http://127.0.0.1:" in said
    assert fresh_machine.answers()

    assert "Sentinels is down" in fresh_machine.run("down")
    assert fresh_machine.processes() == []
    assert not (fresh_machine.home / "server.json").exists()
    assert "Sentinels is not running" in fresh_machine.run("down")


def test_a_second_up_says_where_the_first_one_is(running: OneMachine) -> None:
    pid = running.server["pid"]

    for options in ([], ["--detach"], ["--port", "1"]):
        said = running.run("up", *options)
        assert f"already running: {running.server['url']}" in said

    assert running.server["pid"] == pid


def test_of_two_ups_at_once_one_supervises_and_both_are_told(machine: OneMachine) -> None:
    with machine.popen("up", "-d", "--no-mlflow") as one, machine.popen("up", "-d") as other:
        endings = [process.communicate(timeout=90)[0] for process in (one, other)]

    assert [one.returncode, other.returncode] == [0, 0], endings
    supervisors = [p for p in machine.processes() if p.ppid() not in _pids(machine)]
    assert machine.supervisor in supervisors
    assert len([p for p in supervisors if "up" in p.cmdline()]) == 1


def _pids(machine: OneMachine) -> set[int]:
    return {process.pid for process in machine.processes()}


def test_ctrl_c_ends_an_up_in_the_foreground_in_order(machine: OneMachine) -> None:
    with machine.popen("up", "--no-mlflow") as process:
        await_true((machine.home / "server.json").exists)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 0, said
    assert said.endswith("✔ Sentinels is down\n")
    assert machine.processes() == []


def test_parts_that_are_killed_come_again(running: OneMachine) -> None:
    for name in PARTS:
        killed = running.part(name)
        assert killed is not None
        killed.kill()
        await_true(lambda name=name, killed=killed: running.part(name) not in (None, killed))
    postmaster = _postmaster(running)
    assert postmaster is not None
    postmaster.kill()
    await_true(lambda: _postmaster(running) not in (None, postmaster))
    await_true(running.answers)

    log = running.home / "logs" / "up.log"
    for name in (*PARTS, "postgresql"):
        await_true(lambda name=name: f"{name} ended" in log.read_text())


def _postmaster(machine: OneMachine) -> psutil.Process | None:
    try:
        (file,) = machine.home.glob("postgres/data-*/postmaster.pid")
        return psutil.Process(int(file.read_text().split()[0]))
    except (ValueError, OSError, IndexError, psutil.NoSuchProcess):
        return None


def test_parts_end_with_a_supervisor_that_is_killed_and_the_next_up_carries_on(
    machine: OneMachine,
) -> None:
    machine.up()
    before = machine.server
    postmaster = _postmaster(machine)

    machine.supervisor.kill()
    await_true(lambda: not _parts(machine))
    assert postmaster is not None
    assert postmaster.is_running()

    machine.up("--no-mlflow")
    after = machine.server
    assert {after["url"], after["token"]} == {before["url"], before["token"]}
    assert _postmaster(machine) == postmaster
    await_true(machine.answers)


def _parts(machine: OneMachine) -> list[psutil.Process]:
    """The processes of functions and MLflow: all of ours but PostgreSQL's."""
    found = []
    for process in machine.processes():
        try:
            found += [] if "postgres" in process.name() else [process]
        except psutil.NoSuchProcess:
            continue
    return found


def test_up_carries_on_after_everything_was_killed(running: OneMachine) -> None:
    kill(running.processes())
    await_true(lambda: not running.processes())

    said = running.up("--no-mlflow")

    assert "Sentinels is up" in said
    assert running.answers()


def test_down_ends_what_a_killed_supervisor_left(running: OneMachine) -> None:
    running.supervisor.kill()

    assert "Sentinels is down" in running.run("down")
    assert running.processes() == []


def test_a_port_that_is_taken_is_named_and_nothing_is_started(machine: OneMachine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = machine.run("up", "--no-mlflow", "--port", str(port), code=2)

    assert f"port {port} is taken" in said
    assert machine.processes() == []


def test_a_kept_port_that_is_taken_is_left_for_another(machine: OneMachine) -> None:
    ports = Ports(machine.home, wanted=None)
    ports.close()
    port = ports.of["submit"]

    with socket.create_server(("127.0.0.1", port)):
        said = machine.up("--no-mlflow")

    assert f"port {port} is taken" in said
    assert machine.answers()


def test_a_folder_that_cannot_be_made_is_named(machine: OneMachine) -> None:
    machine.home.parent.joinpath("file").write_text("")
    said = machine.run("up", "--home", str(machine.home.parent / "file" / "home"), code=2)

    assert "the data folder" in said
    assert "cannot be used: Not a directory" in said


def test_data_of_another_postgresql_is_left_alone(fresh_machine: OneMachine) -> None:
    data = fresh_machine.home / "postgres" / "data-9"
    data.mkdir(parents=True)

    said = fresh_machine.run("up", "--no-mlflow", code=3)

    assert f"{data} holds the data of PostgreSQL 9" in said
    assert list(data.iterdir()) == []


@pytest.fixture
def ordinary(short_tmp: Path) -> OneMachine:
    """Sentinels as a user that is not root, run by a Python that this user can start."""
    if os.geteuid() != 0:
        pytest.skip("the other tests show it: this is an ordinary user")
    folder = short_tmp / "user"
    folder.mkdir()
    os.chown(folder, *_ids("nobody"))
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    packages = [str(Path(sentinels.__file__).parents[1]), *sys.path]
    env = {"PYTHONPATH": os.pathsep.join(filter(None, packages)), "HOME": str(folder)}
    machine = OneMachine(
        folder / "home", [python, "-c", "from sentinels.cli.main import run; run()"], env, "nobody"
    )
    probe = subprocess.run(
        [python, "-c", "import sentinels, psutil"],
        env=env,
        user="nobody",
        check=False,
        capture_output=True,
        timeout=30,
    )
    if probe.returncode != 0:
        pytest.skip(f"no user but root can run this Python's packages: {probe.stderr.decode()}")
    return machine


def _ids(user: str) -> tuple[int, int]:
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


def test_an_ordinary_user_has_it_the_same_way(ordinary: OneMachine) -> None:
    try:
        ordinary.up("--no-mlflow")

        assert ordinary.answers()
        owners = {process.username() for process in ordinary.processes()}
        assert owners == {"nobody"}
        assert ordinary.home.stat().st_mode & 0o077 == 0
        ordinary.run("down")
        assert ordinary.processes() == []
    finally:
        ordinary.end()
