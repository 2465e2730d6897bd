"""The embedded PostgreSQL: one server a folder, found again, whatever killed it before."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from sentinels.core.errors import QueueUnavailable
from sentinels.local.postgres import EmbeddedPostgres


@pytest.fixture
def server(short_tmp: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(short_tmp / "home", durable=False)
    try:
        yield server
    finally:
        server.stop()


def postmaster(server: EmbeddedPostgres) -> psutil.Process:
    (file,) = server.home.glob("postgres/data-*/postmaster.pid")
    return psutil.Process(int(file.read_text().split()[0]))


def test_starts_at_once_find_one_server(server: EmbeddedPostgres) -> None:
    others = [EmbeddedPostgres(server.home, durable=False) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(EmbeddedPostgres.start, [server, *others]))
        list(pool.map(lambda one: one.ensure_database("shared"), [server, *others]))

    assert server.answers()
    working = [p for p in psutil.process_iter(["cmdline"]) if _works_in(p, server.home)]
    assert len(working) == 1
    assert server.version.startswith("18.")


def _works_in(process: psutil.Process, home: Path) -> bool:
    return any(argument.startswith(str(home)) for argument in process.info["cmdline"] or [])


def test_what_was_committed_is_there_after_the_server_was_killed(short_tmp: Path) -> None:
    server = EmbeddedPostgres(short_tmp / "home")
    try:
        server.start()
        address = server.url("postgres").replace("+psycopg", "")
        with psycopg.connect(address) as connection:
            connection.execute("create table kept as select 7 as number")
        postmaster(server).kill()

        server.start()

        with psycopg.connect(address) as connection:
            assert connection.execute("select number from kept").fetchone() == (7,)
    finally:
        server.stop()


def test_a_stale_pid_file_that_names_a_stranger_does_not_keep_it_from_starting(
    server: EmbeddedPostgres,
) -> None:
    server.start()
    killed = postmaster(server)
    (file,) = server.home.glob("postgres/data-*/postmaster.pid")
    _, *rest = file.read_text().split("\n")
    killed.kill()
    with subprocess.Popen(["sleep", "60"], user=file.stat().st_uid) as stranger:
        try:
            file.write_text("\n".join([str(stranger.pid), *rest]))

            server.start()

            assert server.answers()
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_stop_ends_it_and_leaves_others_alone(server: EmbeddedPostgres) -> None:
    server.start()
    ended = postmaster(server)

    server.stop()
    server.stop()

    assert not ended.is_running() or ended.status() == psutil.STATUS_ZOMBIE
    assert not server.answers()


def test_a_long_path_with_odd_characters_is_fine(short_tmp: Path) -> None:
    server = EmbeddedPostgres(short_tmp / ("long " * 20) / "it's, $HOME", durable=False)
    try:
        server.start()
        server.ensure_database("a-b")
        assert server.answers()
    finally:
        server.stop()
    assert not server.socket_folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
def test_a_folder_that_its_user_cannot_enter_is_named(short_tmp: Path) -> None:
    closed = short_tmp / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "home")

    with pytest.raises(QueueUnavailable, match=r"cannot enter .*/closed/home"):
        server.start()


def test_a_server_that_cannot_start_says_what_its_log_says(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (settings,) = server.home.glob("postgres/data-*/postgresql.conf")
    with settings.open("a") as file:
        file.write("no_such_setting = 1\n")

    with pytest.raises(QueueUnavailable, match="no_such_setting"):
        server.start()
