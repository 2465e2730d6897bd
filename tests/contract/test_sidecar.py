"""The sidecar as Kubernetes runs it: a process, a signal, a real tracker's address, a report."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from sentinels.clusters.kubernetes.manifest import UNTIL_WAITING
from tests.contract.listener import Listener, listening

_SIDECAR = "sentinels.clusters.kubernetes.sidecar"
_NO_MORE_THAN_A_USER = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Report:
    sent: int
    complete: bool
    trouble: str | None


class Sidecar:
    """The process, its folder of outputs and the file of its report."""

    def __init__(
        self, folder: Path, url: str, *, grace: str = "15", under: Sequence[str] = ()
    ) -> None:
        self.output = folder / "output"
        self.report_file = folder / "termination-log"
        self.report_file.touch(mode=0o666)
        self.report_file.chmod(0o666)
        environ = {
            "SENTINELS_OUTPUT": str(self.output),
            "SENTINELS_OUTPUTS_URL": url,
            "SENTINELS_GRACE_SECONDS": grace,
            "PATH": os.environ["PATH"],
        }
        self.process = subprocess.Popen(
            [*under, sys.executable, "-m", _SIDECAR, str(self.report_file)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def await_that_it_waits(self) -> None:
        """Until the signal is blocked, as Kubernetes does before it starts the workload."""
        hook = UNTIL_WAITING.replace("/proc/1/", f"/proc/{self.process.pid}/")
        subprocess.run(["sh", "-c", hook], check=True, timeout=_PATIENCE_SECONDS)
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        assert self.process.stdout.readline() == "waiting for the workload to end\n"

    def begin_to_end(self) -> None:
        self.await_that_it_waits()
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> Report:
        self.begin_to_end()
        return self.reported()

    def reported(self) -> Report:
        code = self.process.wait(_PATIENCE_SECONDS)
        report = self.report()
        assert code == (0 if report.complete else 1)
        return report

    def report(self) -> Report:
        said = self.report_file.read_bytes()
        assert len(said) <= 4096
        return Report(**json.loads(said))


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.005)


def _line(status: str, name: str) -> str:
    return next(line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:"))


Start = Callable[..., Sidecar]


@pytest.fixture
def tracker() -> Iterator[Listener]:
    with listening() as found:
        yield found


@pytest.fixture
def start(short_tmp: Path, tracker: Listener) -> Iterator[Start]:
    """Starts a sidecar over ``short_tmp/output``."""
    (short_tmp / "output").mkdir()
    started: list[Sidecar] = []

    def begin(url: str | None = None, **options: object) -> Sidecar:
        make = cast("Start", Sidecar)
        started.append(make(short_tmp, tracker.outputs_url if url is None else url, **options))
        return started[-1]

    try:
        yield begin
    finally:
        for sidecar in started:
            sidecar.process.kill()
            sidecar.process.communicate()


@pytest.fixture
def output(short_tmp: Path, start: Start) -> Path:
    return short_tmp / "output"


@pytest.fixture
def unused_port() -> int:
    """A port at which nobody listens yet."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def answering(words: bytes) -> Iterator[str]:
    """The address of something that says ``words`` to whoever begins to speak, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):  # the server is closed
                while True:
                    caller, _ = server.accept()
                    with caller:
                        caller.recv(1)
                        caller.sendall(words)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_everything_is_sent_when_the_workload_has_ended_and_not_before(
    start: Start, output: Path, tracker: Listener
) -> None:
    (output / "early.txt").write_text("early")
    sidecar = start()
    sidecar.await_that_it_waits()
    (output / "deep" / "folder").mkdir(parents=True)
    (output / "deep" / "folder" / "späte Datei #1?.txt").write_text("late")
    (output / "empty").touch()
    assert not tracker.files
    sidecar.process.send_signal(signal.SIGTERM)

    assert sidecar.reported() == Report(3, True, None)
    assert tracker.files == {
        "early.txt": b"early",
        "deep/folder/späte Datei #1?.txt": b"late",
        "empty": b"",
    }


def test_without_files_the_outputs_are_complete(start: Start) -> None:
    assert start().end() == Report(0, True, None)


def test_a_big_file_arrives_whole(start: Start, output: Path, tracker: Listener) -> None:
    content = os.urandom(2**20) * 48
    (output / "model.bin").write_bytes(content)
    assert start().end() == Report(1, True, None)
    assert tracker.files["model.bin"] == content


def test_links_are_not_followed(start: Start, output: Path, tracker: Listener) -> None:
    (output / "secret").symlink_to("/etc/passwd")
    (output / "folder").symlink_to("/etc")
    os.mkfifo(output / "pipe")
    assert start().end() == Report(0, True, None)
    assert not tracker.files


def test_a_second_signal_neither_ends_nor_repeats_the_upload(
    start: Start, output: Path, tracker: Listener
) -> None:
    (output / "a").write_text("1")
    tracker.may_answer.clear()
    sidecar = start()
    sidecar.begin_to_end()
    assert tracker.put_begun.wait(_PATIENCE_SECONDS)
    sidecar.process.send_signal(signal.SIGTERM)
    tracker.may_answer.set()

    assert sidecar.reported() == Report(1, True, None)
    assert tracker.puts == ["a"]


def test_a_tracker_that_comes_back_within_the_grace_period_gets_everything(
    start: Start, output: Path, tracker: Listener
) -> None:
    for name in "abc":
        (output / name).write_text(name)
    tracker.status = 503
    sidecar = start()
    sidecar.begin_to_end()
    wait_until(lambda: len(tracker.puts) > 1)
    tracker.status = 200

    assert sidecar.reported() == Report(3, True, None)
    assert tracker.files == {"a": b"a", "b": b"b", "c": b"c"}


def test_nobody_at_the_address_is_asked_again_until_somebody_is(
    start: Start, output: Path, unused_port: int
) -> None:
    (output / "a").write_text("1")
    sidecar = start(f"http://127.0.0.1:{unused_port}/outputs")
    sidecar.begin_to_end()
    wait_until(lambda: sidecar.report_file.stat().st_size > 0)
    with listening(unused_port) as late:
        assert sidecar.reported() == Report(1, True, None)
    assert late.files == {"a": b"1"}


def test_a_tracker_that_never_answers_makes_it_end_within_its_grace(
    start: Start, output: Path, unused_port: int
) -> None:
    (output / "a").write_text("1")
    sidecar = start(f"http://127.0.0.1:{unused_port}/outputs", grace="2")
    began = time.monotonic()
    report = sidecar.end()
    assert time.monotonic() - began < 2.0 + 1.0
    assert report == Report(0, False, "a: Connection refused")


def test_a_tracker_that_hangs_is_cut_off_within_the_grace(
    start: Start, output: Path, tracker: Listener
) -> None:
    (output / "a").write_text("1")
    tracker.may_answer.clear()
    report = start(grace="1").end()
    assert report == Report(0, False, "a: cut off when the grace period was over")


def test_whoever_is_killed_during_the_upload_has_said_that_it_is_incomplete(
    start: Start, output: Path, tracker: Listener
) -> None:
    (output / "a").write_text("1")
    tracker.may_answer.clear()
    sidecar = start()
    sidecar.begin_to_end()
    assert tracker.put_begun.wait(_PATIENCE_SECONDS)
    sidecar.process.kill()
    sidecar.process.wait(_PATIENCE_SECONDS)
    assert not sidecar.report().complete


def test_one_file_that_always_fails_does_not_keep_the_others(
    start: Start, output: Path, tracker: Listener
) -> None:
    for name in "abc":
        (output / name).write_text(name)
    tracker.failing = "a"
    assert start(grace="2").end() == Report(2, False, "a: the tracker answered 500")
    assert set(tracker.files) == {"b", "c"}


def test_what_the_tracker_refuses_is_named_and_passed_over_at_once(
    start: Start, output: Path, tracker: Listener
) -> None:
    for name in "abc":
        (output / name).write_text(name)
    tracker.refused = "b"
    assert start(grace="300").end() == Report(2, False, "b: the tracker answered 400")
    assert tracker.puts == ["a", "b", "c"]


def test_a_refusal_before_the_whole_file_has_been_sent_is_heard(start: Start, output: Path) -> None:
    (output / "huge.bin").write_bytes(bytes(2**26))
    with answering(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n") as url:
        report = start(url, grace="300").end()
    assert report == Report(0, False, "huge.bin: the tracker answered 413")


def test_what_answers_with_a_flood_of_nonsense_is_quoted_in_part(
    start: Start, output: Path
) -> None:
    (output / "a").touch()
    with answering("\N{ROCKET}".encode() * 10000 + b"\r\n") as url:
        report = start(url, grace="1").end()
    assert (report.sent, report.complete) == (0, False)


def test_a_report_of_long_names_stays_readable_and_within_its_bytes(
    start: Start, output: Path, tracker: Listener
) -> None:
    folder = output
    for _ in range(8):
        folder = folder / ("\N{ROCKET}" * 60)
    folder.mkdir(parents=True)
    (folder / "\N{ROCKET}").touch()
    tracker.refused = "/".join(["\N{ROCKET}" * 60] * 8 + ["\N{ROCKET}"])
    report = start().end()
    assert not report.complete
    assert report.trouble is not None
    assert report.trouble.endswith("/\N{ROCKET}: the tracker answered 400")


def test_what_the_workload_keeps_for_itself_is_named_as_missing(
    start: Start, output: Path, tracker: Listener
) -> None:
    (output / "mine").mkdir()
    (output / "mine" / "a").write_text("1")
    (output / "listed").mkdir()
    (output / "listed" / "b").write_text("2")
    (output / "private.bin").touch(mode=0o000)
    (output / "public.txt").write_text("3")
    (output / "mine").chmod(0o000)
    (output / "listed").chmod(0o400)
    try:
        report = start(under=_NO_MORE_THAN_A_USER if os.geteuid() == 0 else ()).end()
    finally:
        (output / "mine").chmod(0o700)
        (output / "listed").chmod(0o700)
    assert tracker.files == {"public.txt": b"3"}
    assert report == Report(1, False, "private.bin: Permission denied (and 2 more)")


def test_a_name_and_a_password_in_the_address_are_given_to_the_tracker_only(
    start: Start, output: Path, tracker: Listener
) -> None:
    (output / "a").write_text("1")
    tracker.login = "Basic dXNlcjpwQHNz"
    url = tracker.outputs_url.replace("://", "://user:p%40ss@")
    assert start(url).end() == Report(1, True, None)


@pytest.mark.parametrize(
    ("url", "grace", "sentence"),
    [
        ("", "30", "SENTINELS_OUTPUTS_URL is no http address to send files to"),
        ("http://x", "soon", "SENTINELS_GRACE_SECONDS='soon' is no number of seconds"),
        ("http://x", "-1", "SENTINELS_GRACE_SECONDS='-1' is no number of seconds"),
    ],
)
def test_wrong_settings_end_it_at_once_with_one_sentence(
    start: Start, url: str, grace: str, sentence: str
) -> None:
    _, said = start(url, grace=grace).process.communicate(timeout=_PATIENCE_SECONDS)
    assert said == f"sentinels sidecar: {sentence}\n"


def test_it_waits_in_little_memory(start: Start) -> None:
    sidecar = start()
    sidecar.await_that_it_waits()
    status = Path(f"/proc/{sidecar.process.pid}/status")
    wait_until(lambda: _line(status.read_text(), "State") == "S")
    assert int(_line(status.read_text(), "VmRSS")) < 16 * 1024
