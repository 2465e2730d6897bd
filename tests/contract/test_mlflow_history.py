"""Past runs in a real MLflow: many metrics at once, pages for a browser, what people do to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from sentinels.services.mlflow import MlflowTracker
from tests.contract.test_mlflow_tracker import RawMlflow, request_for

PAGES = "https://mlflow.example"


@pytest.fixture
def past(mlflow_url: str) -> Iterator[MlflowTracker]:
    with closing(MlflowTracker(mlflow_url, page_url=PAGES)) as tracker:
        yield tracker


@pytest.fixture
def person(mlflow_url: str) -> Iterator[RawMlflow]:
    raw = RawMlflow(mlflow_url)
    yield raw
    raw.close()


def measured(past: MlflowTracker, person: RawMlflow, experiment: str, value: float) -> str:
    """A run with one metric."""
    run_id = past.open_run(request_for(experiment=experiment)).run_id
    metric = {"key": "accuracy", "value": value, "timestamp": 1, "step": 0}
    person.post("runs/log-batch", run_id=run_id, metrics=[metric])
    return run_id


def test_the_metrics_of_many_runs_take_few_questions(
    past: MlflowTracker, person: RawMlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = {measured(past, person, "many", at / 200): at / 200 for at in range(120)}
    others = {measured(past, person, "other", at): float(at) for at in range(2, 4)}
    missing = "f" * 32
    asked: list[str] = []
    send = httpx.Client.request

    def counted(client: httpx.Client, method: str, path: str, **words: object) -> httpx.Response:
        asked.append(path)
        return send(client, method, path, **words)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(httpx.Client, "request", counted)
    found = past.metrics([*runs, missing, *others])
    assert found == {run: {"accuracy": value} for run, value in {**runs, **others}.items()}
    assert len(asked) <= 8


def test_what_people_rename_delete_or_restore_breaks_nothing(
    past: MlflowTracker, person: RawMlflow
) -> None:
    first, second = (measured(past, person, "people's", value) for value in (0.1, 0.2))
    opened = past.open_run(request_for(experiment="people's"))
    person.post("experiments/update", experiment_id=opened.experiment_id, new_name="ours now")
    person.post("runs/delete", run_id=first)
    both = {first: {"accuracy": 0.1}, second: {"accuracy": 0.2}}
    assert past.metrics([first, second]) == both
    person.post("experiments/delete", experiment_id=opened.experiment_id)
    assert past.metrics([second, first]) == both
    person.post("experiments/restore", experiment_id=opened.experiment_id)
    assert past.metrics([first, second]) == both


def test_pages_are_where_a_browser_finds_the_server_now(
    past: MlflowTracker, mlflow_url: str
) -> None:
    opened = past.open_run(request_for())
    page = f"#/experiments/{opened.experiment_id}/runs/{opened.run_id}"
    assert opened.page_url == f"{PAGES}/{page}"
    with closing(MlflowTracker(mlflow_url, page_url="https://tracking.example/ml/")) as moved:
        found = moved.pages(opened.page_url)
    assert found.run == f"https://tracking.example/ml/{page}"
    assert found.experiment == f"https://tracking.example/ml/#/experiments/{opened.experiment_id}"


def test_a_page_that_is_none_of_ours_stays_as_it_is(past: MlflowTracker) -> None:
    found = past.pages("https://elsewhere.example/a-page")
    assert (found.run, found.experiment) == ("https://elsewhere.example/a-page", None)


def test_the_server_serves_the_web_app_that_has_these_routes(mlflow_url: str) -> None:
    """Chromium opens them in tests/services; here it is shown that there is such an app."""
    page = httpx.get(f"{mlflow_url}/", timeout=10, trust_env=False)
    assert page.headers["content-type"].startswith("text/html")
    [script] = re.findall(r'src="([^"]*main[^"]*\.js)"', page.text)
    code = httpx.get(f"{mlflow_url}/{script.lstrip('/')}", timeout=30, trust_env=False).text
    assert "/experiments/:experimentId/runs/:runUuid" in code
