"""Logs of a cluster that forgets them: kept with the run in a real MLflow, read on there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sentinels.clock import utc_now
from sentinels.core.job import Reason
from sentinels.core.log_lines import format_time
from sentinels.core.log_store import LogLine
from sentinels.core.notifying import deliver_due
from sentinels.core.observation import Finished
from sentinels.core.recording import LOG_PATH
from sentinels.functions.submit.door import FrontDoor
from sentinels.functions.submit.kept_logs import KeptLogs
from sentinels.services.mlflow import MlflowTracker
from tests.conftest import TOKEN
from tests.support.desk import Desk, ref
from tests.support.front import Client, FileTracker, LineCluster, make_door, serving
from tests.support.mlflow_server import serving_mlflow

TEXT = "zero\nα → β 漢字 🙂\n\n" * 40 + "a last line"
BEGUN_NS = 1_795_871_045_000_000_007


def as_lines(text: str) -> list[LogLine]:
    """A line a millisecond."""
    parts = text.splitlines(keepends=True)
    return [
        LogLine(BEGUN_NS + number * 10**6, part.removesuffix("\n"), part.endswith("\n"))
        for number, part in enumerate(parts)
    ]


@pytest.fixture(scope="module")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_mlflow(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture
def cluster(desk: Desk) -> LineCluster:
    """A cluster that keeps no log for good."""
    made = LineCluster()
    desk.cluster = made
    return made


@pytest.fixture
def tracker(desk: Desk, mlflow_url: str) -> Iterator[MlflowTracker]:
    made = MlflowTracker(mlflow_url)
    desk.tracker = made
    yield made
    made.close()


@pytest.fixture
def door(desk: Desk, cluster: LineCluster, tracker: MlflowTracker) -> FrontDoor:
    return make_door(desk, cluster, tracker)


@pytest.fixture
def client(door: FrontDoor) -> Iterator[Client]:
    with serving(door) as port:
        yield Client(port, TOKEN)


def ended(desk: Desk, cluster: LineCluster, text: str = TEXT) -> int:
    """A job that has run, printed and ended; the cluster still has its log."""
    job = desk.job(name="one", experiment=f"kept-{utc_now().timestamp()}")
    desk.tick()
    cluster.logs[ref(job)] = as_lines(text)
    now = utc_now()
    cluster.closed.add(ref(job))
    cluster.seen[ref(job)] = Finished("uid", None, 0, now, now)
    desk.tick()
    return job


def forget(cluster: LineCluster, job: int) -> None:
    """The cluster lets go of a workload."""
    del cluster.logs[ref(job)]


def read(client: Client, job: int, **query: object) -> str:
    """A whole log, read in pieces from where the query says."""
    text, ended_, asked = "", False, dict(query)
    while not ended_:
        piece = client.get(f"/v1/jobs/{job}/logs", **asked).json
        text, ended_ = text + piece["text"], piece["ended"]
        assert piece["text"] or ended_
        asked = {"limit": query.get("limit", 1024), "cursor": piece["cursor"]}
        asked |= {"timestamps": query["timestamps"]} if "timestamps" in query else {}
    return text


def test_the_log_is_kept_with_the_run_and_read_from_there_when_the_pod_is_gone(
    client: Client, desk: Desk, cluster: LineCluster, tracker: MlflowTracker
) -> None:
    job = ended(desk, cluster)
    before = read(client, job)
    begun = client.get(f"/v1/jobs/{job}/logs", limit=100).json
    deliver_due(desk.notify())
    forget(cluster, job)
    assert read(client, job) == before == TEXT
    for limit in (16, 17, 1024):
        assert read(client, job, limit=limit) == TEXT
    assert begun["text"] + read(client, job, cursor=begun["cursor"]) == TEXT
    assert read(client, job, tail=2) == "\n".join(TEXT.split("\n")[-2:])
    assert read(client, job, since=format_time(BEGUN_NS + 118 * 10**6)).startswith("α")
    piece = client.get(f"/v1/jobs/{job}/logs").json
    assert (piece["source"], piece["unavailable"]) == ("tracker", None)


def test_the_copy_is_text_with_times(
    client: Client, desk: Desk, cluster: LineCluster, tracker: MlflowTracker
) -> None:
    job = ended(desk, cluster, "first\nsecond")
    deliver_due(desk.notify())
    timed = f"{format_time(BEGUN_NS)} first\n{format_time(BEGUN_NS + 10**6)} second"
    assert client.get(f"/v1/jobs/{job}/artifacts/{LOG_PATH}").body == timed.encode()
    forget(cluster, job)
    assert read(client, job, timestamps="true") == timed
    assert read(client, job) == "first\nsecond"
    listed = client.get(f"/v1/jobs/{job}/artifacts").json["artifacts"]
    assert listed == [{"path": LOG_PATH, "size_bytes": len(timed)}]


def test_while_the_cluster_has_the_log_it_is_read_there(
    client: Client, desk: Desk, cluster: LineCluster
) -> None:
    job = ended(desk, cluster, "first\n")
    deliver_due(desk.notify())
    cluster.logs[ref(job)] = as_lines("first\nand more\n")
    assert read(client, job) == "first\nand more\n"


def test_a_log_that_was_not_kept_yet_is_an_ended_empty_one(
    client: Client, desk: Desk, cluster: LineCluster
) -> None:
    job = ended(desk, cluster)
    forget(cluster, job)
    assert read(client, job) == read(client, job, tail=3) == ""


def test_nothing_is_kept_of_a_job_that_printed_nothing(
    client: Client, desk: Desk, cluster: LineCluster, tracker: MlflowTracker
) -> None:
    job = ended(desk, cluster, "")
    deliver_due(desk.notify())
    assert client.get(f"/v1/jobs/{job}/artifacts").json["artifacts"] == []
    assert read(client, job) == ""


def test_each_attempt_has_its_own_kept_log(
    client: Client, desk: Desk, cluster: LineCluster
) -> None:
    job = desk.job(name="one", experiment="kept-attempts", retry={"exit": {"3": 1}, "backoff": 1})
    for attempt, code in ((1, 3), (2, 0)):
        desk.change("UPDATE deferred SET not_before = now()")
        desk.tick()
        cluster.logs[ref(job, attempt)] = as_lines(f"attempt {attempt}\n")
        cluster.closed.add(ref(job, attempt))
        reason, now = Reason.EXITED_NONZERO if code else None, utc_now()
        cluster.seen[ref(job, attempt)] = Finished("uid", reason, code, now, now)
        desk.tick()
    deliver_due(desk.notify())
    cluster.logs.clear()
    for number in (1, 2):
        found = client.get(f"/v1/jobs/{job}/logs", attempt=number).json
        assert (found["text"], found["attempt"]) == (f"attempt {number}\n", number)


def test_a_cluster_that_keeps_logs_has_none_kept_elsewhere(
    client: Client, desk: Desk, cluster: LineCluster
) -> None:
    cluster.keeps_logs = True
    job = ended(desk, cluster)
    deliver_due(desk.notify())
    assert client.get(f"/v1/jobs/{job}/artifacts").json["artifacts"] == []


def test_a_tracker_that_is_away_is_said_beside_what_there_is(
    desk: Desk, cluster: LineCluster
) -> None:
    desk.tracker = tracker = FileTracker()
    job = ended(desk, cluster)
    forget(cluster, job)
    tracker.down = True
    with serving(make_door(desk, cluster, tracker)) as port:
        answer = Client(port, TOKEN).get(f"/v1/jobs/{job}/logs").json
    assert (answer["text"], answer["ended"], answer["source"]) == ("", True, None)
    assert "MLflow does not answer" in answer["unavailable"]


def test_copies_are_remembered_up_to_a_bound_the_newest_whatever_its_size() -> None:
    tracker = FileTracker({LOG_PATH: b"x" * 60})
    logs = KeptLogs(tracker, room=100)
    for run in ("a", "b"):
        assert logs.find(run) is not None
    tracker.down = True
    kept = logs.find("b")
    assert kept is not None
    assert len(kept.data) == 60
    tracker.down = False
    tracker.files = {}
    assert logs.find("a") is None
