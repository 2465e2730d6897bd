"""The links that people are given, opened in a browser: a real MLflow, a real Chromium."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sentinels.core.job import JobState
from sentinels.services.mlflow import MlflowTracker
from tests.contract.test_mlflow_tracker import ENDED, RawMlflow, request_for
from tests.support.mlflow_server import serving_mlflow

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_mlflow(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture
def tracker(mlflow: str) -> Iterator[MlflowTracker]:
    with closing(MlflowTracker(mlflow)) as tracker:
        yield tracker


def shown(url: str, folder: Path) -> str:
    """What a browser shows at an address, once the page has settled."""
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000"]
    return subprocess.run(
        [str(CHROMIUM), *words, f"--user-data-dir={folder}", "--dump-dom", url],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout


def test_a_runs_link_shows_the_run_and_its_metrics(
    tracker: MlflowTracker, mlflow: str, tmp_path: Path
) -> None:
    request = request_for()
    opened = tracker.open_run(request)
    raw = RawMlflow(mlflow)
    metric = {"key": "sharpness", "value": 0.75, "timestamp": 1, "step": 0}
    raw.post("runs/log-batch", run_id=opened.run_id, metrics=[metric])
    raw.close()
    page = shown(tracker.pages(opened.page_url).run, tmp_path)
    assert request.run_name in page
    assert "sharpness" in page


def test_the_link_of_a_run_that_was_opened_late_and_renamed_since_shows_it(
    tracker: MlflowTracker, mlflow: str, tmp_path: Path
) -> None:
    """As after MLflow was away while the job ran; then somebody renames the experiment."""
    request = request_for()
    opened = tracker.open_run(request)
    tracker.close_run(opened.run_id, state=JobState.SUCCEEDED, ended_at=ENDED, tags={})
    raw = RawMlflow(mlflow)
    raw.post("experiments/update", experiment_id=opened.experiment_id, new_name="renamed since")
    raw.close()
    page = shown(tracker.pages(opened.page_url).run, tmp_path)
    assert request.run_name in page


def test_an_experiments_link_shows_the_experiment(tracker: MlflowTracker, tmp_path: Path) -> None:
    request = request_for()
    opened = tracker.open_run(request)
    experiment = tracker.pages(opened.page_url).experiment
    assert experiment is not None
    page = shown(experiment, tmp_path)
    assert request.experiment in page
    assert "Page Not Found" not in page
