"""Logs of a cluster that forgets them: kept with the run in a real MLflow, read as before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sentinels.clock import utc_now
from sentinels.core.job import Reason
from sentinels.core.notifying import deliver_due
from sentinels.core.observation import Finished
from sentinels.core.recording import LOG_PATH
from sentinels.functions.submit.door import FrontDoor
from sentinels.functions.submit.kept_logs import KeptLogs
from sentinels.services.mlflow import MlflowTracker
from tests.conftest import TOKEN
from tests.support.desk import Desk, ref
from tests.support.front import Client, FileTracker, LoggedCluster, make_door, serving
from tests.support.mlflow_server import serving_mlflow

TEXT = "zero\nα → β 漢字 🙂\n" * 40 + "a last line"


@pytest.fixture(scope="module")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_mlflow(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture
def cluster(desk: Desk) -> LoggedCluster:
    """A cluster that keeps no log for good."""
    made = LoggedCluster(keeps_logs=False)
    desk.cluster = made
    return made


@pytest.fixture
def tracker(desk: Desk, mlflow_url: str) -> Iterator[MlflowTracker]:
    made = MlflowTracker(mlflow_url)
    desk.tracker = made
    yield made
    made.close()


@pytest.fixture
def door(desk: Desk, cluster: LoggedCluster, tracker: MlflowTracker) -> FrontDoor:
    return make_door(desk, cluster, tracker)


@pytest.fixture
def client(door: FrontDoor) -> Iterator[Client]:
    with serving(door) as port:
        yield Client(port, TOKEN)


def ended(desk: Desk, cluster: LoggedCluster, text: str = TEXT) -> int:
    """A job that has run, printed and ended; the cluster still has its log."""
    job = desk.job(name="one", experiment=f"kept-{utc_now().timestamp()}")
    desk.tick()
    cluster.logs[ref(job)] = text.encode()
    now = utc_now()
    cluster.closed.add(ref(job))
    cluster.seen[ref(job)] = Finished("uid", None, 0, now, now)
    desk.tick()
    return job


def forget(cluster: LoggedCluster, job: int) -> None:
    """The cluster lets go of a workload."""
    del cluster.logs[ref(job)]


def read(client: Client, job: int, **query: object) -> tuple[str, int, bool]:
    """A whole log, read in pieces from where the query says; where it ended."""
    text, ended_ = "", False
    while not ended_:
        piece = client.get(f"/v1/jobs/{job}/logs", **query).json
        text, ended_ = text + piece["text"], piece["ended"]
        assert piece["text"] or ended_
        offset = piece["next_offset"]
        query = {**query, "offset": offset}
        query.pop("tail", None)
    return text, offset, ended_


def test_the_log_is_kept_with_the_run_and_read_from_there_when_the_pod_is_gone(
    client: Client, desk: Desk, cluster: LoggedCluster, tracker: MlflowTracker
) -> None:
    job = ended(desk, cluster)
    before = read(client, job)
    deliver_due(desk.notify())
    forget(cluster, job)
    assert read(client, job) == before == (TEXT, len(TEXT.encode()), True)
    for limit in (16, 17, 1024):
        assert read(client, job, limit=limit) == before
    assert read(client, job, offset=5) == (TEXT[5:], before[1], True)
    assert read(client, job, offset=before[1]) == ("", before[1], True)
    assert read(client, job, tail=2)[0] == "\n".join(TEXT.split("\n")[-2:])
    listed = client.get(f"/v1/jobs/{job}/artifacts").json["artifacts"]
    assert listed == [{"path": LOG_PATH, "size_bytes": before[1]}]


def test_while_the_cluster_has_the_log_it_is_read_there(
    client: Client, desk: Desk, cluster: LoggedCluster
) -> None:
    job = ended(desk, cluster, "first\n")
    deliver_due(desk.notify())
    cluster.logs[ref(job)] = b"first\nand more\n"
    assert read(client, job)[0] == "first\nand more\n"


def test_a_log_that_was_not_kept_yet_is_an_ended_empty_one(
    client: Client, desk: Desk, cluster: LoggedCluster
) -> None:
    job = ended(desk, cluster)
    forget(cluster, job)
    assert read(client, job) == ("", 0, True)
    assert read(client, job, tail=3) == ("", 0, True)


def test_nothing_is_kept_of_a_job_that_printed_nothing(
    client: Client, desk: Desk, cluster: LoggedCluster, tracker: MlflowTracker
) -> None:
    job = ended(desk, cluster, "")
    deliver_due(desk.notify())
    assert client.get(f"/v1/jobs/{job}/artifacts").json["artifacts"] == []
    assert read(client, job) == ("", 0, True)


def test_each_attempt_has_its_own_kept_log(
    client: Client, desk: Desk, cluster: LoggedCluster
) -> None:
    job = desk.job(name="one", experiment="kept-attempts", retry={"exit": {"3": 1}, "backoff": 1})
    for attempt, code in ((1, 3), (2, 0)):
        desk.change("UPDATE deferred SET not_before = now()")
        desk.tick()
        cluster.logs[ref(job, attempt)] = f"attempt {attempt}\n".encode()
        cluster.closed.add(ref(job, attempt))
        reason, now = Reason.EXITED_NONZERO if code else None, utc_now()
        cluster.seen[ref(job, attempt)] = Finished("uid", reason, code, now, now)
        desk.tick()
    deliver_due(desk.notify())
    cluster.logs.clear()
    assert [read(client, job, attempt=number)[0] for number in (1, 2)] == [
        "attempt 1\n",
        "attempt 2\n",
    ]


def test_a_cluster_that_keeps_logs_has_none_kept_elsewhere(
    client: Client, desk: Desk, cluster: LoggedCluster
) -> None:
    cluster.keeps_logs = True
    job = ended(desk, cluster)
    deliver_due(desk.notify())
    assert client.get(f"/v1/jobs/{job}/artifacts").json["artifacts"] == []


def test_a_tracker_that_is_away_is_said_rather_than_an_empty_log(
    desk: Desk, cluster: LoggedCluster
) -> None:
    desk.tracker = tracker = FileTracker()
    job = ended(desk, cluster)
    forget(cluster, job)
    tracker.down = True
    with serving(make_door(desk, cluster, tracker)) as port:
        answer = Client(port, TOKEN).get(f"/v1/jobs/{job}/logs")
    assert answer.status == 503
    assert "MLflow does not answer" in answer.json["detail"]


def test_copies_are_remembered_up_to_a_bound_the_newest_whatever_its_size() -> None:
    tracker, logs = FileTracker({LOG_PATH: b"x" * 60}), KeptLogs(room=100)
    for run in ("a", "b"):
        assert logs.find(tracker, run) is not None
    tracker.down = True
    kept = logs.find(tracker, "b")
    assert kept is not None
    assert kept.size() == 60
    tracker.down = False
    tracker.files = {}
    assert logs.find(tracker, "a") is None
