"""The front door on what was: a job once more, and what was measured."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sentinels.clusters.local.images import LocalImageStore
from sentinels.core.workload import Image, ImageKind
from sentinels.db.people import ensure_user
from tests.conftest import TOKEN
from tests.integration.test_settling import finished
from tests.support.desk import Desk, ref
from tests.support.front import Client, FileTracker, LoggedCluster, make_door, serving
from tests.support.registries import unasked


@dataclass
class SlowTracker(FileTracker):
    """Takes its time; ``asked`` counts."""

    seconds: float = 0.0

    def metrics(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
        time.sleep(self.seconds)
        return super().metrics(run_ids)


@pytest.fixture
def tracker(desk: Desk) -> SlowTracker:
    made = SlowTracker()
    desk.tracker = made
    return made


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A directory of code."""
    folder = tmp_path / "train"
    folder.mkdir()
    (folder / "main.py").write_text("print('trained')\n")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> LocalImageStore:
    return LocalImageStore(tmp_path / "home", engine=lambda: None)


@pytest.fixture
def client(desk: Desk, tracker: SlowTracker, store: LocalImageStore) -> Iterator[Client]:
    desk.cluster = cluster = LoggedCluster()
    door = make_door(desk, cluster, tracker)
    with serving(replace(door, ports=replace(door.ports, images=store))) as port:
        yield Client(port, TOKEN)


def push(client: Client, code: Path, **config: object) -> list[int]:
    config = {"command": ["python", "main.py"], **config}
    answer = client.post("/v1/jobs", {"image": str(code), "config": config})
    assert answer.status == 201, answer.json
    return [int(job["id"]) for job in answer.json["jobs"]]


def rerun(client: Client, job: object, key: str | None = None, **changes: object) -> int:
    headers = {"Idempotency_Key": key} if key else {}
    answer = client.post(f"/v1/jobs/{job}/rerun", {"config": changes}, **headers)
    assert answer.status in (200, 201), answer.json
    [made] = answer.json["jobs"]
    return int(made["id"])


def test_a_rerun_has_the_jobs_config_with_the_changes(client: Client, code: Path) -> None:
    [job] = push(
        client,
        code,
        name="fit",
        experiment="digits",
        params={"C": 0.1, "solver": "lbfgs"},
        env={"A": "1", "B": "2"},
        resources={"cpu": 1, "memory": "2Gi"},
        time_limit="1h",
        labels={"ticket": "ML-12"},
    )
    changes = {"params": {"C": 5}, "env": {"B": "3"}, "resources": {"cpu": 2}, "name": "again"}
    made = client.get(f"/v1/jobs/{rerun(client, job, **changes)}").json
    old = client.get(f"/v1/jobs/{job}").json
    assert made["rerun_of"] == job
    assert old["rerun_of"] is None
    assert made["config"] == {
        **old["config"],
        "name": "again",
        "params": {"C": 5, "solver": "lbfgs"},
        "env": {"A": "1", "B": "3"},
        "resources": {"cpu": "2", "memory": "2Gi", "gpu": 0},
    }


def test_a_rerun_is_on_the_content_that_was_pushed_whatever_was_edited_since(
    client: Client, code: Path
) -> None:
    [job] = push(client, code)
    (code / "main.py").write_text("print('edited')\n")
    old = client.get(f"/v1/jobs/{job}").json
    made = client.get(f"/v1/jobs/{rerun(client, job)}").json
    assert made["digest"] == old["digest"]
    assert made["image"] == old["image"]
    shutil.rmtree(code)
    assert client.get(f"/v1/jobs/{rerun(client, job)}").json["digest"] == old["digest"]


def test_a_rerun_by_name_is_on_what_the_name_means_now(client: Client, code: Path) -> None:
    [job] = push(client, code)
    (code / "main.py").write_text("print('edited')\n")
    answer = client.post(f"/v1/jobs/{job}/rerun", {"by_tag": True})
    [made] = answer.json["jobs"]
    assert made["digest"] != client.get(f"/v1/jobs/{job}").json["digest"]


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_what_is_gone_or_was_changed_is_not_run_again(
    client: Client, desk: Desk, code: Path, harm: str
) -> None:
    [job] = push(client, code)
    [(image,)] = desk.ask("SELECT image->>'location' FROM jobs")
    if harm == "gone":
        shutil.rmtree(Path(str(image)))
    else:
        (Path(str(image)) / "main.py").write_text("print('harm')\n")
    answer = client.post(f"/v1/jobs/{job}/rerun", {})
    assert answer.status == 404
    assert f"what was pushed as {code} is gone (sha256:" in answer.json["detail"]
    assert "sentinels push" in answer.json["remedy"]
    assert desk.ask("SELECT count(*) FROM jobs") == [(1,)]


def test_one_job_of_a_sweep_is_run_again_alone_and_a_job_may_become_a_sweep(
    client: Client, code: Path
) -> None:
    jobs = push(client, code, sweep={"C": [1, 2, 3]})
    made = client.get(f"/v1/jobs/{rerun(client, jobs[1])}").json
    assert (made["params"], made["sweep"], made["rerun_of"]) == ({"C": 2}, None, jobs[1])
    answer = client.post(f"/v1/jobs/{made['id']}/rerun", {"config": {"sweep": {"C": [7, 8]}}})
    assert [job["params"] for job in answer.json["jobs"]] == [{"C": 7}, {"C": 8}]
    assert {job["rerun_of"] for job in answer.json["jobs"]} == {made["id"]}


def test_what_a_job_was_to_start_after_is_left_out_unless_it_is_named(
    client: Client, code: Path
) -> None:
    [first] = push(client, code)
    [job] = push(client, code, after=[first])
    assert "after" not in client.get(f"/v1/jobs/{rerun(client, job)}").json["config"]
    named = client.get(f"/v1/jobs/{rerun(client, job, after=[first])}").json
    assert named["config"]["after"] == [first]


def test_the_same_key_brings_the_same_rerun_and_no_other(client: Client, code: Path) -> None:
    [job, other] = push(client, code) + push(client, code, name="other")
    made = rerun(client, job, "k", params={"C": 1})
    assert rerun(client, job, "k", params={"C": 1}) == made
    for path, changes in ((job, {"C": 2}), (other, {"C": 1})):
        body = {"config": {"params": changes}}
        answer = client.post(f"/v1/jobs/{path}/rerun", body, Idempotency_Key="k")
        assert answer.status == 409


def test_a_rerun_is_checked_like_a_push(client: Client, code: Path, desk: Desk) -> None:
    [job] = push(client, code)
    changes = {"resources": {"cpu": "lots"}, "priority": "super", "colour": "red"}
    answer = client.post(f"/v1/jobs/{job}/rerun", {"config": changes})
    assert answer.status == 422
    assert {fault["field"] for fault in answer.json["faults"]} == {"resources.cpu", "colour"}
    answer = client.post(f"/v1/jobs/{job}/rerun", {"config": {"priority": "super", "after": [99]}})
    assert {fault["field"] for fault in answer.json["faults"]} == {"priority", "after"}
    assert desk.ask("SELECT count(*) FROM jobs") == [(1,)]


@pytest.mark.parametrize(
    "body", [[], {"config": []}, {"config": {}, "image": "x"}, {"by_tag": "yes"}, "x"]
)
def test_a_body_that_is_no_rerun_is_refused(client: Client, code: Path, body: object) -> None:
    [job] = push(client, code)
    assert client.post(f"/v1/jobs/{job}/rerun", body).status in (400, 422)


def test_a_rerun_can_be_looked_at_before(client: Client, desk: Desk, code: Path) -> None:
    [job] = push(client, code)
    body = json.dumps({"config": {"params": {"C": 3}}}).encode()
    answer = client.ask("POST", f"/v1/jobs/{job}/rerun?dry_run=true", body)
    assert (answer.status, len(answer.json["workloads"])) == (200, 1)
    assert desk.ask("SELECT count(*) FROM jobs") == [(1,)]


def test_a_job_of_another_team_is_not_run_again(
    client: Client, database_url: str, code: Path
) -> None:
    [job] = push(client, code)
    ensure_user(database_url, team="others", user="eve", token="eve-token")
    stranger = Client(client.port, "eve-token")
    assert stranger.post(f"/v1/jobs/{job}/rerun", {}).status == 404
    assert stranger.get("/v1/metrics", job=job).json == {"metrics": {}, "error": None}


TAGGED = Image(ImageKind.CONTAINER, "r.example:5000/team/fit:1", None, "r.example:5000/team/fit:1")
DIGEST = "sha256:" + "ab" * 32


def test_a_container_that_was_named_by_its_tag_is_run_again_by_what_a_node_said(
    desk: Desk, tracker: SlowTracker
) -> None:
    desk.cluster = cluster = LoggedCluster()
    door = make_door(desk, cluster, tracker)
    store = unasked()
    with serving(replace(door, ports=replace(door.ports, images=store))) as port:
        client = Client(port, TOKEN)
        body = {"image": TAGGED.reference, "config": {}}
        [job] = client.post("/v1/jobs", body).json["jobs"]
        path = f"/v1/jobs/{job['id']}/rerun"
        refused = client.post(path, {})
        assert refused.status == 409
        assert "nothing tells what exactly r.example:5000/team/fit:1 was" in refused.json["detail"]
        assert refused.json["remedy"] == "take what the tag means now: --by-tag"
        assert client.post(path, {"by_tag": True}).status == 201

        desk.tick()
        seen = finished()
        evidence = {"image_id": f"r.example:5000/team/fit@{DIGEST}"}
        cluster.seen[ref(job["id"])] = replace(seen, evidence=evidence)
        desk.tick()
        [made] = client.post(path, {}).json["jobs"]
        assert (made["image"], made["digest"]) == (TAGGED.reference, DIGEST)
        stored = desk.ask("SELECT image->>'location' FROM jobs WHERE id = :id", id=made["id"])
        assert stored == [(f"r.example:5000/team/fit@{DIGEST}",)]
        [again] = client.post(f"/v1/jobs/{made['id']}/rerun", {}).json["jobs"]
        assert again["digest"] == DIGEST


def test_metrics_are_the_newest_attempts_of_the_teams_own_jobs(
    client: Client, desk: Desk, tracker: SlowTracker, code: Path
) -> None:
    job, other = push(client, code, sweep={"C": [1, 2]})
    desk.tick()
    run = f"run-{ref(job).name}"
    tracker.measured = {run: {"accuracy": 0.9, "loss": float("nan"), "lr": float("inf")}}
    answer = client.get("/v1/metrics", job=[job, other, 99]).json
    assert answer == {
        "metrics": {str(job): {"accuracy": 0.9, "loss": None, "lr": None}},
        "error": None,
    }


def test_a_tracker_that_is_away_or_slow_keeps_nobody_waiting(
    client: Client, desk: Desk, tracker: SlowTracker, code: Path
) -> None:
    [job] = push(client, code)
    desk.tick()
    tracker.down = True
    assert client.get("/v1/metrics", job=job).json == {
        "metrics": {},
        "error": "MLflow does not answer",
    }
    tracker.down, tracker.seconds = False, 4.0
    began = time.monotonic()
    answer = client.get("/v1/metrics", job=job).json
    assert time.monotonic() - began < 2
    assert answer == {"metrics": {}, "error": "MLflow does not answer in time"}


def test_without_a_tracker_nothing_is_measured(desk: Desk) -> None:
    with serving(make_door(desk, LoggedCluster(), None)) as port:
        answer = Client(port, TOKEN).get("/v1/metrics", job=1).json
    assert answer["error"] == "MLflow is not configured: nothing is measured"


def test_which_jobs_are_measured_is_named_by_ids(client: Client) -> None:
    assert client.get("/v1/metrics", job="fit").status == 400
    assert client.get("/v1/metrics", job=list(range(201))).status == 400
    assert client.get("/v1/metrics").json == {"metrics": {}, "error": None}


def test_links_lead_to_the_run_and_to_its_experiment(
    client: Client, desk: Desk, code: Path
) -> None:
    [job] = push(client, code)
    nowhere = {"mlflow": None, "experiment": None, "logs": None}
    assert client.get(f"/v1/jobs/{job}").json["links"] == nowhere
    desk.tick()
    found = client.get(f"/v1/jobs/{job}").json
    page = f"http://mlflow/run-{ref(job).name}"
    assert found["links"] == {"mlflow": page, "experiment": page, "logs": None}
    assert found["attempts"][0]["mlflow_url"] == page
