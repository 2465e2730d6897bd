"""Logs over real HTTP: pieces put together are the whole, and following ends when the job has."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from sentinels.clock import utc_now
from sentinels.core.observation import Finished
from tests.conftest import TOKEN
from tests.support.desk import Desk, ref
from tests.support.front import Client, LoggedCluster, make_door, serving

TEXT = "zero\nα → β 漢字 🙂\n" * 40 + "a last line"


@pytest.fixture
def cluster(desk: Desk) -> LoggedCluster:
    made = LoggedCluster()
    desk.cluster = made
    return made


@pytest.fixture
def client(desk: Desk, cluster: LoggedCluster) -> Iterator[Client]:
    with serving(make_door(desk, cluster, None)) as port:
        yield Client(port, TOKEN)


@pytest.fixture
def job(client: Client, desk: Desk, cluster: LoggedCluster) -> int:
    """A launched job with some output."""
    made = desk.job(name="one")
    desk.tick()
    cluster.logs[ref(made)] = TEXT.encode()
    return made


def finish(desk: Desk, cluster: LoggedCluster, job: int) -> None:
    now = utc_now()
    cluster.closed.add(ref(job))
    cluster.seen[ref(job)] = Finished("uid", None, 0, now, now)
    desk.tick()


def test_pieces_of_any_size_put_together_are_the_whole(
    client: Client, desk: Desk, cluster: LoggedCluster, job: int
) -> None:
    finish(desk, cluster, job)
    for limit in (16, 17, 18, 19, 64, 1024):
        text, offset, ended = "", 0, False
        while not ended:
            piece = client.get(f"/v1/jobs/{job}/logs", offset=offset, limit=limit).json
            assert piece["offset"] == offset
            assert piece["text"]
            text, offset, ended = text + piece["text"], piece["next_offset"], piece["ended"]
        assert text == TEXT
        assert offset == len(TEXT.encode())


def test_half_a_character_waits_for_its_other_half(
    client: Client, desk: Desk, cluster: LoggedCluster, job: int
) -> None:
    whole = "a🙂".encode()
    cluster.logs[ref(job)] = whole[:-1]
    piece = client.get(f"/v1/jobs/{job}/logs").json
    assert (piece["text"], piece["next_offset"]) == ("a", 1)
    cluster.logs[ref(job)] = whole
    assert client.get(f"/v1/jobs/{job}/logs", offset=1).json["text"] == "🙂"
    cluster.logs[ref(job)] = whole[:-1]
    finish(desk, cluster, job)
    piece = client.get(f"/v1/jobs/{job}/logs").json
    assert (piece["text"], piece["next_offset"], piece["ended"]) == ("a\ufffd", 4, True)


TAILS = [
    (b"1\n2\n3\n", 2, "2\n3\n"),
    (b"1\n2\n3", 2, "2\n3"),
    (b"1\n2\n3\n", 9, "1\n2\n3\n"),
    (b"1\n2\n3\n", 0, ""),
    (b"\n\n\n", 2, "\n\n"),
    (b"", 3, ""),
    (b"a" * 70_000 + b"\n" + b"b" * 70_000 + b"\nc\n", 2, "b" * 70_000 + "\nc\n"),
    (b"a" * 65_535 + b"\n" + b"b" * 65_535 + b"\n", 1, "b" * 65_535 + "\n"),
]


def test_tail_begins_with_the_last_lines(client: Client, cluster: LoggedCluster, job: int) -> None:
    for log, lines, shown in TAILS:
        cluster.logs[ref(job)] = log
        piece = client.get(f"/v1/jobs/{job}/logs", tail=lines).json
        assert piece["text"] == shown
        assert piece["next_offset"] == len(log)


def test_a_job_that_waits_has_no_log_yet_and_one_cancelled_there_never_will(
    client: Client, desk: Desk
) -> None:
    waiting = desk.job(name="two")
    piece = client.get(f"/v1/jobs/{waiting}/logs").json
    assert (piece["attempt"], piece["text"], piece["ended"]) == (0, "", False)
    client.post(f"/v1/jobs/{waiting}/cancel")
    assert client.get(f"/v1/jobs/{waiting}/logs", wait=20).json["ended"] is True


def test_a_log_has_not_ended_before_the_end_is_committed(
    client: Client, desk: Desk, cluster: LoggedCluster, job: int
) -> None:
    cluster.closed.add(ref(job))
    assert client.get(f"/v1/jobs/{job}/logs").json["ended"] is False
    finish(desk, cluster, job)
    assert client.get(f"/v1/jobs/{job}/logs").json["ended"] is True


def test_following_returns_with_what_was_written_meanwhile(
    client: Client, cluster: LoggedCluster, job: int
) -> None:
    size = len(TEXT.encode())
    timer = threading.Timer(0.3, cluster.logs.__setitem__, (ref(job), TEXT.encode() + b"\nnews\n"))
    timer.start()
    try:
        piece = client.get(f"/v1/jobs/{job}/logs", offset=size, wait=20).json
        assert piece["text"] == "\nnews\n"
    finally:
        timer.join(10)


def test_an_attempt_that_never_was_is_not_found(client: Client, job: int) -> None:
    assert client.get(f"/v1/jobs/{job}/logs", attempt=1).status == 200
    missing = client.get(f"/v1/jobs/{job}/logs", attempt=2)
    assert (missing.status, "has had 1" in str(missing.json["remedy"])) == (404, True)


def test_bytes_that_are_no_text_are_shown_as_such_and_nothing_is_lost(
    client: Client, cluster: LoggedCluster, job: int
) -> None:
    cluster.logs[ref(job)] = b"\xff\xfe\x80ok\x1b[31m\n"
    piece = client.get(f"/v1/jobs/{job}/logs").json
    assert piece["text"] == "\ufffd\ufffd\ufffdok\x1b[31m\n"
    assert piece["next_offset"] == 11
