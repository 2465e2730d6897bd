"""The Tracker port against a real MLflow server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import httpx
import pytest

from sentinels.clusters.outputs import send_outputs
from sentinels.core.errors import InvalidRequest, NotFound, TrackerRefused, TrackerUnavailable
from sentinels.core.job import JobId, JobState
from sentinels.core.ports import RunRequest, TrackerRun
from sentinels.core.submission import ParamValue
from sentinels.core.workload import WorkloadRef
from sentinels.services.mlflow import MlflowTracker

STARTED = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
ENDED = datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC)
_numbers = count(1)


class RawMlflow:
    """MLflow without the adapter: what a person, or a process that then died, did to it."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/api/2.0/mlflow/", timeout=10, trust_env=False)

    def post(self, call: str, **body: object) -> dict[str, dict[str, dict[str, str]]]:
        answer = self._http.post(call, json=body)
        answer.raise_for_status()
        found: dict[str, dict[str, dict[str, str]]] = answer.json()
        return found

    def run(self, run_id: str) -> Run:
        answer = self._http.get("runs/get", params={"run_id": run_id})
        answer.raise_for_status()
        return Run(answer.json()["run"])

    def make_run(self, experiment_id: str, request: RunRequest, *, start_time: int = 1) -> str:
        """A run as it is left by a process that dies before it writes the params."""
        own = {"sentinels.job": request.ref.job_id, "sentinels.attempt": request.ref.attempt}
        tags = [{"key": name, "value": str(value)} for name, value in own.items()]
        made = self.post(
            "runs/create", experiment_id=experiment_id, start_time=start_time, tags=tags
        )
        return made["run"]["info"]["run_id"]

    def active_runs(self, experiment_id: str) -> list[str]:
        answer = self._http.post("runs/search", json={"experiment_ids": [experiment_id]})
        answer.raise_for_status()
        return [run["info"]["run_id"] for run in answer.json().get("runs", [])]

    def close(self) -> None:
        self._http.close()


class Run:
    """A run as MLflow's API shows it."""

    def __init__(self, raw: dict[str, dict[str, list[dict[str, str]]]]) -> None:
        self.info: Mapping[str, object] = raw["info"]
        data = raw["data"]
        self.params = {item["key"]: item["value"] for item in data.get("params", [])}
        self.tags = {item["key"]: item["value"] for item in data.get("tags", [])}
        self.metrics = {item["key"]: item["value"] for item in data.get("metrics", [])}


@pytest.fixture
def tracker(mlflow_url: str) -> Iterator[MlflowTracker]:
    with closing(MlflowTracker(mlflow_url, page_url="https://mlflow.example/")) as tracker:
        yield tracker


@pytest.fixture
def raw(mlflow_url: str) -> Iterator[RawMlflow]:
    raw = RawMlflow(mlflow_url)
    yield raw
    raw.close()


def request_for(
    attempt: int = 1,
    *,
    job: int | None = None,
    experiment: str | None = None,
    params: Mapping[str, ParamValue] | None = None,
) -> RunRequest:
    """A request of a job of its own in an experiment of its own, unless they are named."""
    number = next(_numbers)
    job_id = JobId(number if job is None else job)
    return RunRequest(
        ref=WorkloadRef(job_id, attempt),
        experiment=experiment or f"experiment {number}/ü",
        run_name=f"digits-{job_id}",
        params={"C": 0.1, "solver": "lbfgs"} if params is None else params,
        tags={"sentinels.user": "ann", "mlflow.user": "ann", "label.ticket": "ML-12"},
        started_at=STARTED,
    )


def test_a_run_records_the_attempt_from_its_start(
    tracker: MlflowTracker, raw: RawMlflow, mlflow_url: str
) -> None:
    request = request_for(2, job=900)
    opened = tracker.open_run(request)
    run = raw.run(opened.run_id)
    assert run.params == {"C": "0.1", "solver": "lbfgs"}
    own = {"sentinels.job": "900", "sentinels.attempt": "2"}
    tags = {**request.tags, **own, "mlflow.runName": "digits-900"}
    assert tags.items() <= run.tags.items()
    assert (run.info["status"], run.info["start_time"]) == ("RUNNING", 1795435200000)
    place = f"{opened.experiment_id}/{opened.run_id}"
    page = f"experiments/{opened.experiment_id}/runs/{opened.run_id}"
    assert opened.page_url == f"https://mlflow.example/#/{page}"
    proxy = "api/2.0/mlflow-artifacts/artifacts"
    assert opened.outputs_url == f"{mlflow_url}/{proxy}/{place}/artifacts"


@pytest.mark.parametrize("params", [{"C": 0.1}, {}])
def test_opening_again_gives_the_same_run_also_to_another_process(
    tracker: MlflowTracker, raw: RawMlflow, mlflow_url: str, params: Mapping[str, ParamValue]
) -> None:
    request = request_for(params=params)
    opened = tracker.open_run(request)
    assert tracker.open_run(request) == opened
    with closing(MlflowTracker(mlflow_url, page_url="https://mlflow.example")) as other:
        assert other.open_run(request) == opened
    assert raw.active_runs(opened.experiment_id) == [opened.run_id]


def test_each_attempt_and_each_job_has_a_run_of_its_own(tracker: MlflowTracker) -> None:
    first = request_for(1)
    others = [
        request_for(2, job=first.ref.job_id, experiment=first.experiment),
        request_for(1, experiment=first.experiment),
    ]
    runs = {tracker.open_run(request).run_id for request in [first, *others]}
    assert len(runs) == 3


def test_all_who_open_an_attempt_at_once_get_the_same_run(mlflow_url: str, raw: RawMlflow) -> None:
    people = 6
    requests = [request_for(experiment="a race"), request_for(experiment="a race", params={})]
    start = threading.Barrier(people)

    def open_all(_: int) -> list[TrackerRun]:
        with closing(MlflowTracker(mlflow_url, timeout=30)) as tracker:
            start.wait(timeout=30)
            return [tracker.open_run(request) for request in requests]

    with ThreadPoolExecutor(people) as pool:
        answers = list(pool.map(open_all, range(people)))
    assert len({run.run_id for runs in answers for run in runs}) == len(requests)
    assert all(runs == answers[0] for runs in answers)
    # Those who lost the race may still have been tidying when the last one was answered.
    with closing(MlflowTracker(mlflow_url)) as tracker:
        assert [tracker.open_run(request) for request in requests] == answers[0]
    kept = sorted(raw.active_runs(answers[0][0].experiment_id))
    assert kept == sorted(run.run_id for run in answers[0])
    assert raw.run(answers[0][0].run_id).params == {"C": "0.1", "solver": "lbfgs"}


OPENS = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from sentinels.core.job import JobId
from sentinels.core.ports import RunRequest
from sentinels.core.workload import WorkloadRef
from sentinels.services.mlflow import MlflowTracker

url, experiment, job = sys.argv[1:]
moment = datetime(2026, 11, 23, tzinfo=UTC)
request = RunRequest(WorkloadRef(JobId(int(job)), 1), experiment, "race", {"C": 0.1}, {}, moment)
tracker = MlflowTracker(url, timeout=30)
gate = threading.Barrier(4)

def open_run(_):
    gate.wait(30)
    return tracker.open_run(request).run_id

with ThreadPoolExecutor(4) as pool:
    print(*pool.map(open_run, range(4)))
"""


def test_two_processes_of_four_threads_open_one_run(
    mlflow_url: str, raw: RawMlflow, tracker: MlflowTracker
) -> None:
    request = request_for(params={"C": 0.1})
    words = [sys.executable, "-c", OPENS, mlflow_url, request.experiment, str(request.ref.job_id)]
    racers = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        told = [racer.communicate(timeout=60)[0].split() for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
    opened = tracker.open_run(request)
    assert told == [[opened.run_id] * 4] * 2
    assert raw.active_runs(opened.experiment_id) == [opened.run_id]


def test_a_run_that_a_crash_left_without_params_is_finished_by_the_next(
    tracker: MlflowTracker, raw: RawMlflow
) -> None:
    request = request_for()
    experiment_id = raw.post("experiments/create", name=request.experiment)["experiment_id"]
    left = raw.make_run(str(experiment_id), request)
    assert tracker.open_run(request).run_id == left
    assert raw.run(left).params == {"C": "0.1", "solver": "lbfgs"}


def test_of_several_unfinished_runs_the_oldest_is_kept_and_the_others_deleted(
    tracker: MlflowTracker, raw: RawMlflow
) -> None:
    request = request_for()
    experiment_id = str(raw.post("experiments/create", name=request.experiment)["experiment_id"])
    younger, oldest = (raw.make_run(experiment_id, request, start_time=at) for at in (2, 1))
    assert tracker.open_run(request).run_id == oldest
    assert tracker.open_run(request).run_id == oldest
    assert raw.active_runs(experiment_id) == [oldest]
    assert raw.run(younger).info["lifecycle_stage"] == "deleted"


def test_a_run_that_was_handed_out_is_never_replaced_by_one_that_claims_to_be_older(
    tracker: MlflowTracker, raw: RawMlflow
) -> None:
    request = request_for()
    opened = tracker.open_run(request)
    raw.make_run(opened.experiment_id, request, start_time=1)
    assert tracker.open_run(request) == opened
    assert raw.active_runs(opened.experiment_id) == [opened.run_id]


def test_a_superseded_run_that_was_not_deleted_yet_is_not_handed_out(
    tracker: MlflowTracker, raw: RawMlflow
) -> None:
    request = request_for(params={"C": 0.1})
    experiment_id = str(raw.post("experiments/create", name=request.experiment)["experiment_id"])
    mark = {"key": "C", "value": "superseded by another run of the same attempt"}
    left = raw.make_run(experiment_id, request)
    raw.post("runs/log-batch", run_id=left, params=[mark])
    opened = tracker.open_run(request)
    assert opened.run_id != left
    assert raw.active_runs(experiment_id) == [opened.run_id]


def test_params_beyond_mlflows_bounds_are_cut_and_sent_in_parts(
    tracker: MlflowTracker, raw: RawMlflow
) -> None:
    params: dict[str, ParamValue] = {f"p{n}": n for n in range(150)}
    params |= {"long": "ü" * 7000, "none": None, "empty": "", "flag": True}
    run = raw.run(tracker.open_run(request_for(params=params)).run_id)
    assert len(run.params) == 154
    assert run.params["long"] == "ü" * 6000
    assert (run.params["none"], run.params["empty"], run.params["flag"]) == ("None", "", "True")


def test_a_crash_between_two_parts_of_the_params_is_repaired(
    tracker: MlflowTracker, raw: RawMlflow
) -> None:
    request = request_for(params={f"p{n:03}": n for n in range(150)})
    experiment_id = str(raw.post("experiments/create", name=request.experiment)["experiment_id"])
    left = raw.make_run(experiment_id, request)
    first = [{"key": f"p{n:03}", "value": str(n)} for n in range(100)]
    raw.post("runs/log-batch", run_id=left, params=first)
    assert tracker.open_run(request).run_id == left
    assert len(raw.run(left).params) == 150


PROGRAM = """
import os, mlflow
with mlflow.start_run():
    mlflow.log_params({"C": 0.1, "shuffle": True, "depth": None, "own": 1})
    for epoch in range(3):
        mlflow.log_metric("loss", 1 / (epoch + 1), step=epoch)
    mlflow.log_text("a model", "model/weights.txt")
"""


def test_the_programs_own_mlflow_calls_land_in_the_attempts_run(
    tracker: MlflowTracker, raw: RawMlflow, mlflow_url: str, tmp_path: Path
) -> None:
    request = request_for(params={"C": 0.1, "shuffle": True, "depth": None})
    opened = tracker.open_run(request)
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "MLFLOW_TRACKING_URI": mlflow_url,
            "MLFLOW_EXPERIMENT_NAME": request.experiment,
            "MLFLOW_RUN_ID": opened.run_id,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        cwd=tmp_path,
        check=True,
        timeout=90,
    )
    assert raw.active_runs(opened.experiment_id) == [opened.run_id]
    assert raw.run(opened.run_id).params["own"] == "1"
    assert tracker.metrics([opened.run_id]) == {opened.run_id: {"loss": pytest.approx(1 / 3)}}
    assert [file.path for file in tracker.artifacts(opened.run_id)] == ["model/weights.txt"]
    assert tracker.read_artifact(opened.run_id, "model/weights.txt") == b"a model"
    tracker.close_run(opened.run_id, state=JobState.FAILED, ended_at=ENDED, tags={})
    assert raw.run(opened.run_id).info["status"] == "FAILED"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (JobState.SUCCEEDED, "FINISHED"),
        (JobState.FAILED, "FAILED"),
        (JobState.CANCELLED, "KILLED"),
        (JobState.QUEUED, "KILLED"),
    ],
)
def test_a_closed_run_tells_how_and_when_the_attempt_ended_and_may_be_closed_again(
    tracker: MlflowTracker, raw: RawMlflow, state: JobState, status: str
) -> None:
    opened = tracker.open_run(request_for())
    for _ in range(2):
        tracker.close_run(
            opened.run_id, state=state, ended_at=ENDED, tags={"sentinels.outcome": state.value}
        )
    run = raw.run(opened.run_id)
    assert (run.info["status"], run.info["end_time"]) == (status, 1795435201000)
    assert run.tags["sentinels.outcome"] == state.value


def test_closing_a_run_that_somebody_deleted_is_done_and_leaves_it_deleted(
    tracker: MlflowTracker, raw: RawMlflow
) -> None:
    opened = tracker.open_run(request_for())
    raw.post("runs/delete", run_id=opened.run_id)
    for run_id in (opened.run_id, "0" * 32):
        tracker.close_run(run_id, state=JobState.FAILED, ended_at=ENDED, tags={"a": "b"})
    assert raw.run(opened.run_id).info["lifecycle_stage"] == "deleted"


def test_what_mlflow_does_not_take_is_told_in_its_own_words(tracker: MlflowTracker) -> None:
    opened = tracker.open_run(request_for())
    with pytest.raises(TrackerRefused, match=r"MLflow at .* answered 400: .*tags"):
        tracker.close_run(
            opened.run_id, state=JobState.FAILED, ended_at=ENDED, tags={"../": "no name"}
        )


def test_a_deleted_experiment_is_restored_also_if_it_was_known_before(
    tracker: MlflowTracker, raw: RawMlflow, mlflow_url: str
) -> None:
    first = request_for()
    opened = tracker.open_run(first)
    with closing(MlflowTracker(mlflow_url)) as newcomer:
        for asked in (tracker, newcomer):
            raw.post("experiments/delete", experiment_id=opened.experiment_id)
            again = asked.open_run(request_for(experiment=first.experiment))
            assert again.experiment_id == opened.experiment_id
            assert again.run_id in raw.active_runs(opened.experiment_id)


def test_an_experiment_is_new_there_or_deleted_and_looking_changes_nothing(
    tracker: MlflowTracker, raw: RawMlflow
) -> None:
    request = request_for(experiment="quote ' and < and / in it")
    assert tracker.deleted(request.experiment) is None
    assert tracker.deleted(request.experiment) is None
    opened = tracker.open_run(request)
    assert tracker.deleted(request.experiment) is False
    raw.post("experiments/delete", experiment_id=opened.experiment_id)
    assert tracker.deleted(request.experiment) is True
    assert tracker.deleted(request.experiment) is True


def test_an_experiment_that_keeps_its_files_elsewhere_is_refused_with_the_way_out(
    tracker: MlflowTracker, raw: RawMlflow
) -> None:
    request = request_for()
    raw.post("experiments/create", name=request.experiment, artifact_location="s3://bucket/x")
    with pytest.raises(TrackerRefused, match="s3:") as caught:
        tracker.open_run(request)
    assert "--serve-artifacts" in str(caught.value.remedy)


def test_what_the_runner_sends_is_listed_and_read(tracker: MlflowTracker, tmp_path: Path) -> None:
    files = {
        "model.bin": bytes(range(256)) * 1000,
        "plots/über uns & 1.txt": b"x",
        "plots/a/b/c.json": b"{}",
        "empty": b"",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    opened = tracker.open_run(request_for())
    assert send_outputs(tmp_path, opened.outputs_url) == (len(files), None)
    listed = tracker.artifacts(opened.run_id)
    assert {file.path: file.size for file in listed} == {
        name: len(content) for name, content in files.items()
    }
    assert [file.path for file in listed] == sorted(files)
    assert {name: tracker.read_artifact(opened.run_id, name) for name in files} == files


def test_an_artifact_that_is_not_there_is_not_found(tracker: MlflowTracker) -> None:
    mine, other = (tracker.open_run(request_for()) for _ in range(2))
    for opened, name in ((mine, "folder/file"), (other, "secret")):
        httpx.put(f"{opened.outputs_url}/{name}", content=b"x", trust_env=False).raise_for_status()
    up = f"../../../{other.experiment_id}/{other.run_id}/artifacts/secret"
    for path in ("absent", "folder", "folder/absent", up, f"folder/{up}", "/etc/passwd", "", "."):
        with pytest.raises(NotFound):
            tracker.read_artifact(mine.run_id, path)
    for path in ("secret", "%2e%2e/secret"):
        with pytest.raises(NotFound):
            tracker.read_artifact("0" * 32, path)


def test_the_latest_value_of_each_metric_is_given_for_the_runs_that_exist(
    tracker: MlflowTracker, raw: RawMlflow
) -> None:
    first, second = (tracker.open_run(request_for()).run_id for _ in range(2))
    metrics = [
        {"key": "loss", "value": value, "timestamp": 1, "step": step}
        for step, value in enumerate((0.9, 0.5))
    ] + [{"key": "lr", "value": "Infinity", "timestamp": 1, "step": 0}]
    raw.post("runs/log-batch", run_id=first, metrics=metrics)
    found = tracker.metrics([first, second, "0" * 32])
    assert found == {first: {"loss": 0.5, "lr": pytest.approx(1.7976931348623157e308)}, second: {}}


def test_a_server_that_is_up_answers(tracker: MlflowTracker) -> None:
    assert tracker.answers()


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """The address of something that gives each request the same bytes; None: it keeps silent."""
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        while not over.is_set():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                if answer is None:
                    over.wait(30)
                else:
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{address[1]}"
        finally:
            over.set()
            socket.create_connection(address).close()
            thread.join(timeout=5)


def http(status: str, body: str, *headers: str) -> bytes:
    """One HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", body]).encode()


def test_a_server_that_is_down_or_silent_is_told_within_the_timeout() -> None:
    with socket.socket() as nobody, answering(None) as silent:
        nobody.bind(("127.0.0.1", 0))
        for url in (f"http://127.0.0.1:{nobody.getsockname()[1]}", silent):
            start = time.monotonic()
            with (
                closing(MlflowTracker(url, timeout=0.5)) as tracker,
                pytest.raises(TrackerUnavailable, match=f"MLflow at {url} does not answer") as no,
            ):
                tracker.open_run(request_for())
            assert time.monotonic() - start < 2
            assert "jobs go on" in str(no.value.remedy)


@pytest.mark.parametrize(
    ("answer", "told", "remedy", "wait"),
    [
        (http("500 Oops", "<html>"), "answered 500: <html>", "jobs go on", None),
        (http("429 Slow", "", "Retry-After: 9"), "answered 429", "jobs go on", 9.0),
        (http("403 No", "Invalid Host header"), "Invalid Host header", "--allowed-hosts", None),
        (http("401 Who", "no"), "answered 401: no", "password", None),
        (http("404 What", "no such page"), "answered 404", "SENTINELS_TRACKER_URL", None),
        (http("200 OK", "<html>a page"), "is not MLflow", "SENTINELS_TRACKER_URL", None),
        (http("503 Busy", '{"error_code": "X", "message": "locked"}'), "locked", "jobs go", None),
        (b"nonsense\r\n\r\n", "does not answer", "jobs go on", None),
    ],
)
def test_every_other_answer_is_a_tracker_that_is_unavailable_and_says_why(
    answer: bytes, told: str, remedy: str, wait: float | None
) -> None:
    with answering(answer) as url, closing(MlflowTracker(url)) as tracker:
        for call in (
            lambda: tracker.open_run(request_for()),
            lambda: tracker.close_run("1", state=JobState.FAILED, ended_at=ENDED, tags={}),
            lambda: tracker.metrics(["1"]),
            lambda: tracker.artifacts("1"),
            lambda: tracker.read_artifact("1", "a"),
        ):
            with pytest.raises(TrackerUnavailable) as caught:
                call()
            assert not isinstance(caught.value, TrackerRefused)
            assert told in str(caught.value)
            assert remedy in str(caught.value.remedy)
            assert caught.value.retry_after == wait
        assert not tracker.answers()


def test_no_password_of_the_address_is_told() -> None:
    with answering(http("500 Oops", "no")) as url:
        secret = url.replace("//", "//ann:a-secret@")
        with (
            closing(MlflowTracker(secret)) as tracker,
            pytest.raises(TrackerUnavailable, match=f"MLflow at {url} answered") as caught,
        ):
            tracker.open_run(request_for())
        assert "a-secret" not in str(caught.value)


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(InvalidRequest, match="MLflow's address"):
        MlflowTracker("http://mlflow:port")
