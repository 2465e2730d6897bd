"""A push that only says what it would do, and secrets where there are some and where there are not:
the command line against the real submit, over a real PostgreSQL and the local cluster.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinels.clusters.local.cluster import LocalCluster
from sentinels.clusters.local.images import LocalImageStore
from sentinels.clusters.local.launch import preview
from sentinels.core.ports import Lack
from tests.conftest import TOKEN
from tests.integration.test_cli import Terminal
from tests.support.desk import Desk, nothing
from tests.support.front import Client, LoggedCluster, make_door, serving
from tests.support.scripted import node

TRACKER = "http://mlflow.test:5000"


class AllSecrets:
    """Misses nothing."""

    def missing(self, team: str, secrets: Mapping[str, str]) -> Mapping[str, Lack]:
        return {}


@contextmanager
def terminal_at(desk: Desk, folder: Path, *, keeps_secrets: bool) -> Iterator[Terminal]:
    """A terminal at a door with real images and the real local cluster."""
    door = make_door(desk, LoggedCluster(), None)
    ports = replace(
        door.ports,
        images=LocalImageStore(folder / "home"),
        secrets=AllSecrets() if keeps_secrets else None,
        tracker_url=TRACKER,
    )
    cluster = LocalCluster(folder / "home", notify_url="", data_store="", failpoint=nothing)
    (folder / "train").mkdir()
    (folder / "train" / "main.py").write_text("print('trained')")
    with serving(replace(door, ports=ports, cluster=cluster)) as port:
        yield Terminal(f"http://127.0.0.1:{port}", folder)


@pytest.fixture
def terminal(desk: Desk, tmp_path: Path) -> Iterator[Terminal]:
    with terminal_at(desk, tmp_path, keeps_secrets=False) as made:
        yield made


@pytest.fixture
def keeping(desk: Desk, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal at a server whose cluster keeps secrets."""
    with terminal_at(desk, tmp_path, keeps_secrets=True) as made:
        yield made


def stored(desk: Desk) -> list[tuple[object, ...]]:
    """Everything that a push leaves behind."""
    return [
        *desk.ask("SELECT id FROM jobs"),
        *desk.ask("SELECT job_id FROM queue"),
        *desk.ask("SELECT id FROM job_events"),
    ]


def test_a_dry_run_prints_what_each_job_of_a_sweep_would_launch_and_stores_nothing(
    terminal: Terminal, desk: Desk
) -> None:
    words = ("push", "train", "--sweep", "C=0.1,1", "--cpu", "0.5", "--env", "A=b: c")
    said, complaint = terminal.type(*words, "--time-limit", "1h", "--dry-run")
    workloads = list(yaml.safe_load_all(said))
    assert [workload["env"]["SENTINELS_PARAM_C"] for workload in workloads] == ["0.1", "1"]
    assert {workload["name"] for workload in workloads} == {"sentinels-0-1"}
    first = workloads[0]
    assert (first["cpu_millis"], first["time_limit"], first["env"]["A"]) == (500, 3600, "b: c")
    assert first["env"]["MLFLOW_TRACKING_URI"] == TRACKER
    assert complaint == "nothing was pushed\n"
    assert stored(desk) == []
    assert desk.pokes.count == 0


def test_a_dry_run_shows_what_a_launch_gives_the_cluster_but_for_the_ids(
    terminal: Terminal, desk: Desk
) -> None:
    words = ["push", "-p", "C=0.1", "--label", "ticket=ML-12", "--memory", "2Gi", "train"]
    said, _ = terminal.type(*words, "--dry-run", "-o", "json")
    [previewed] = json.loads(said)
    terminal.type(*words)
    desk.cluster.nodes = (node(),)
    desk.tick()
    [launched] = map(preview, desk.cluster.launches)
    assert _without_ids(previewed) == _without_ids(dict(launched))


def _without_ids(workload: dict[str, Any]) -> dict[str, Any]:
    """A workload without what only a push or a tracker knows."""
    env = {
        name: value
        for name, value in workload["env"].items()
        if name != "SENTINELS_JOB_ID" and not name.startswith("MLFLOW_")
    }
    return {**workload, "env": env, "name": workload["name"].rpartition("-")[2]}


def test_a_dry_run_tells_every_fault_that_a_push_would(terminal: Terminal, desk: Desk) -> None:
    desk.tick()
    words = ("push", "train", "--cpu", "999", "--priority", "best", "--after", "7")
    dry = terminal.type(*words, "--dry-run", code=2)
    assert dry == terminal.type(*words, code=2)
    assert [word for word in ("cpu", "best", "no job 7") if word not in dry[1]] == []


def test_nothing_can_be_waited_for_after_a_dry_run(terminal: Terminal) -> None:
    _, complaint = terminal.type("push", "train", "--dry-run", "--wait", code=2)
    assert "--dry-run launches nothing" in complaint


def test_secrets_are_refused_at_push_where_nothing_keeps_them(
    terminal: Terminal, desk: Desk
) -> None:
    for more in ([], ["--dry-run"]):
        _, complaint = terminal.type(
            "push", "train", "--secret", "HF_TOKEN=hf/token", *more, code=2
        )
        assert "secrets: there are no secrets on this machine" in complaint
        assert "give the variable with env" in complaint
    assert stored(desk) == []


def test_secrets_reach_the_cluster_by_name_and_are_shown_by_name(
    keeping: Terminal, desk: Desk
) -> None:
    (keeping.folder / "c.yaml").write_text("secrets: {HF_TOKEN: hf/token, WANDB: wandb/key}")
    keeping.type("push", "train", "-c", "c.yaml", "--secret", "HF_TOKEN=other/token")
    client = Client(int(keeping.url.rpartition(":")[2]), TOKEN)
    config = client.get("/v1/jobs/1").json["config"]
    assert config["secrets"] == {"HF_TOKEN": "other/token", "WANDB": "wandb/key"}
    desk.cluster.nodes = (node(),)
    desk.tick()
    [launched] = desk.cluster.launches
    assert launched.secrets == {"HF_TOKEN": "other/token", "WANDB": "wandb/key"}
    assert "HF_TOKEN" not in launched.env


def test_a_faulty_secret_is_told_by_its_flag_with_the_others(keeping: Terminal) -> None:
    words = ("--secret", "HF_TOKEN=hf_abc", "--secret", "A=a/b", "--env", "A=1", "--cpu", "none")
    _, complaint = keeping.type("push", "train", *words, code=2)
    faults = [line.strip().partition(": ")[0] for line in complaint.splitlines()]
    assert {"--secret HF_TOKEN", "--secret A", "--cpu"} <= set(faults)
    assert "hf_abc" not in complaint
