"""The digits sweep on a real node: from a push to metrics, artifacts and the log after the pod."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.node.conftest import DIGITS_IMAGE
from tests.support.town import Town

pytestmark = [pytest.mark.node, pytest.mark.timeout(420)]
CONFIG = Path(__file__).parents[2] / "examples" / "digits" / "config.yaml"


def test_the_digits_sweep_runs_in_real_containers_and_leaves_everything(town: Town) -> None:
    ids = town.sweep(DIGITS_IMAGE, "-c", str(CONFIG), "--cpu", "0.5")
    assert len(ids) == 6
    for job_id in ids:
        job = town.await_end(job_id, seconds=240)
        assert job["state"] == "succeeded", job["message"]
        assert job["attempts"][0]["outputs"] == "complete"
    artifacts = town.sentinels("artifacts", str(ids[0]))
    for name in ("confusion.csv", "metrics.json", "model.joblib"):
        assert name in artifacts
    best = max(_accuracy(town, job_id) for job_id in ids)
    assert best > 0.95


def test_the_log_is_there_when_the_pod_is_gone(town: Town) -> None:
    script = "i=0; while [ $i -lt 2000 ]; do echo line $i ä; i=$((i+1)); done"
    job = town.await_end(
        town.push(DIGITS_IMAGE, "--cpu", "0.1", "--memory", "96Mi", "--", "sh", "-c", script)
    )
    live = town.sentinels("logs", str(job["id"]))
    assert live == "".join(f"line {number} ä\n" for number in range(2000))
    town.await_job(job["id"], lambda _: "log.txt" in town.sentinels("artifacts", str(job["id"])))
    town.kubectl("delete", "job", town.workload(job["id"]))
    town.await_job(job["id"], lambda _: not _pods(town, job["id"]))
    assert town.sentinels("logs", str(job["id"])) == live
    assert town.sentinels("logs", str(job["id"]), "--tail", "2") == "line 1998 ä\nline 1999 ä\n"


def test_a_failed_job_keeps_what_it_had_written(town: Town) -> None:
    script = 'echo 1 > "$SENTINELS_OUTPUT/partial.csv"; exit 1'
    job = town.await_end(
        town.push(DIGITS_IMAGE, "--cpu", "0.1", "--memory", "96Mi", "--", "sh", "-c", script)
    )
    assert job["attempts"][0]["outputs"] == "complete"
    assert "partial.csv" in town.sentinels("artifacts", str(job["id"]))


def _accuracy(town: Town, job_id: int) -> float:
    folder = town.machine.home.parent / f"results-{job_id}"
    town.sentinels("artifacts", str(job_id), "--download", str(folder))
    found = json.loads(next(folder.rglob("metrics.json")).read_text())
    return float(found["accuracy"])


def _pods(town: Town, job_id: int) -> str:
    return town.kubectl("get", "pod", "-l", f"sentinels.dev/job={job_id}", "-o", "name").strip()
