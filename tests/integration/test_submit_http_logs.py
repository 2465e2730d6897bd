"""Logs over real HTTP: pieces put together are the whole, and following ends when the job has."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from sentinels.clock import utc_now
from sentinels.core.log_position import START, Offset, decode, encode, since
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


def read(client: Client, job: int, **query: object) -> str:
    """A whole log, read in pieces from where the query says."""
    text, ended, asked = "", False, dict(query)
    while not ended:
        piece = client.get(f"/v1/jobs/{job}/logs", **asked).json
        text, ended = text + piece["text"], piece["ended"]
        assert piece["text"] or ended
        asked = {"limit": query.get("limit", 1024), "cursor": piece["cursor"]}
    return text


def test_pieces_of_any_size_put_together_are_the_whole(
    client: Client, desk: Desk, cluster: LoggedCluster, job: int
) -> None:
    finish(desk, cluster, job)
    for limit in (16, 17, 18, 19, 64, 1024):
        assert read(client, job, limit=limit) == TEXT


def test_half_a_character_waits_for_its_other_half(
    client: Client, desk: Desk, cluster: LoggedCluster, job: int
) -> None:
    whole = "a🙂".encode()
    cluster.logs[ref(job)] = whole[:-1]
    piece = client.get(f"/v1/jobs/{job}/logs").json
    assert (piece["text"], piece["source"]) == ("a", "cluster")
    cluster.logs[ref(job)] = whole
    assert client.get(f"/v1/jobs/{job}/logs", cursor=piece["cursor"]).json["text"] == "🙂"
    cluster.logs[ref(job)] = whole[:-1]
    finish(desk, cluster, job)
    piece = client.get(f"/v1/jobs/{job}/logs").json
    assert (piece["text"], piece["ended"]) == ("a\ufffd", True)
    assert decode(piece["cursor"]) == Offset(4)


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
        assert decode(piece["cursor"]) == Offset(len(log))


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
    cursor = client.get(f"/v1/jobs/{job}/logs").json["cursor"]
    timer = threading.Timer(0.3, cluster.logs.__setitem__, (ref(job), TEXT.encode() + b"\nnews\n"))
    timer.start()
    try:
        piece = client.get(f"/v1/jobs/{job}/logs", cursor=cursor, wait=20).json
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
    assert decode(piece["cursor"]) == Offset(11)


def test_tail_of_nothing_waits_for_what_comes(
    client: Client, cluster: LoggedCluster, job: int
) -> None:
    timer = threading.Timer(0.3, cluster.logs.__setitem__, (ref(job), TEXT.encode() + b"\nnews\n"))
    timer.start()
    try:
        assert client.get(f"/v1/jobs/{job}/logs", tail=0, wait=20).json["text"] == "\nnews\n"
    finally:
        timer.join(10)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"cursor": "bm9uZQ"}, "none of ours"),
        ({"cursor": "YoCAgICAgICAgICAgICAgIAB"}, "none of ours"),
        ({"cursor": encode(since(5))}, "not there any more"),
        ({"since": "yesterday"}, "no time with a zone"),
        ({"since": "2026-11-28T12:00:00"}, "no time with a zone"),
        ({"tail": 1, "since": "2026-11-28T12:00:00Z"}, "two beginnings"),
        ({"tail": 1, "cursor": encode(START)}, "two beginnings"),
        ({"timestamps": "yes"}, "none of true, false"),
    ],
)
def test_a_beginning_that_is_none_is_told(
    client: Client, job: int, query: dict[str, object], said: str
) -> None:
    answer = client.get(f"/v1/jobs/{job}/logs", **query)
    assert (answer.status, said in answer.json["detail"]) == (400, True), answer.json
