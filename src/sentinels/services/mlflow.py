"""MLflow over its REST API: ``core.ports.Tracker``.

Creating a run is not idempotent in MLflow, so a run is looked for by its job and attempt first, and
of two that were made at once the older one wins. Its answers to unknown statuses are a silent 200,
so the echo is checked. Comes in: run requests, ends. Goes out: runs, metrics, artifacts. Before:
``core/launching``, ``core/notifying``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

import httpx

from sentinels.core.errors import NotFound, TrackerUnavailable
from sentinels.core.job import JobState
from sentinels.core.ports import Artifact, RunRequest, TrackerRun
from sentinels.core.submission import ParamValue

_API = "/api/2.0/mlflow"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
_VALUE_LIMIT = 6000
_TAG_LIMIT = 5000
_PARAM_BATCH = 100
_ARTIFACT_LIMIT = 10_000
_REMEDY = "jobs go on without it; what is missed is caught up when it answers"

_STATUSES: Mapping[JobState, str] = {
    JobState.SUCCEEDED: "FINISHED",
    JobState.FAILED: "FAILED",
    JobState.CANCELLED: "KILLED",
    JobState.QUEUED: "KILLED",  # the attempt was cut short; the job goes on in another run
}

_Json = dict[str, object]


class MlflowTracker:
    """One MLflow server; keeps its connections."""

    def __init__(self, url: str, *, page_url: str = "", timeout: float = 5.0) -> None:
        """``page_url`` is the server as a browser reaches it; ``timeout`` is in seconds a call."""
        self._url = url.rstrip("/")
        self._page_url = (page_url or url).rstrip("/")
        self._http = httpx.Client(
            base_url=self._url, timeout=httpx.Timeout(timeout, connect=min(2.0, timeout))
        )
        self._experiments: dict[str, str] = {}

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def open_run(self, request: RunRequest) -> TrackerRun:
        """See ``Tracker.open_run``."""
        experiment_id = self._experiment_id(request.experiment)
        run_id = self._find_run(experiment_id, request) or self._make_run(experiment_id, request)
        return TrackerRun(
            run_id=run_id,
            experiment_id=experiment_id,
            page_url=f"{self._page_url}/#/experiments/{experiment_id}/runs/{run_id}",
            outputs_url=f"{self._url}{_ARTIFACTS}/{experiment_id}/{run_id}/artifacts",
        )

    def close_run(
        self, run_id: str, *, state: JobState, ended_at: datetime, tags: Mapping[str, str]
    ) -> None:
        """See ``Tracker.close_run``; a run that somebody deleted counts as closed."""
        status = _STATUSES[state]
        changes = {"run_id": run_id, "status": status, "end_time": _millis(ended_at)}
        answer = self._ask("POST", f"{_API}/runs/update", json=changes, missing_is_none=True)
        if answer is None:
            return
        echoed = _at(answer, "run_info", "status")
        if echoed != status:
            raise TrackerUnavailable(f"MLflow answered {echoed} to the status {status}")
        self._ask("POST", f"{_API}/runs/log-batch", json={"run_id": run_id, "tags": _tags(tags)})

    def metrics(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
        """See ``Tracker.metrics``."""
        found = {}
        for run_id in run_ids:
            answer = self._ask(
                "GET", f"{_API}/runs/get", params={"run_id": run_id}, missing_is_none=True
            )
            if answer is not None:
                listed = _list(_at(answer, "run", "data", "metrics"))
                found[run_id] = {str(item["key"]): float(str(item["value"])) for item in listed}
        return found

    def artifacts(self, run_id: str) -> Sequence[Artifact]:
        """See ``Tracker.artifacts``; at most 10,000 files are listed."""
        found: list[Artifact] = []
        folders = [""]
        while folders and len(found) < _ARTIFACT_LIMIT:
            for path, size in self._list_folder(run_id, folders.pop()):
                if size is None:
                    folders.append(path)
                else:
                    found.append(Artifact(path, size))
        return sorted(found, key=lambda artifact: artifact.path)

    def read_artifact(self, run_id: str, path: str) -> bytes:
        """See ``Tracker.read_artifact``."""
        if path.startswith("/") or ".." in path.split("/"):
            raise NotFound(f"there is no artifact {path}")
        run = self._ask("GET", f"{_API}/runs/get", params={"run_id": run_id}, missing_is_none=True)
        experiment_id = _at(run or {}, "run", "info", "experiment_id")
        target = f"{_ARTIFACTS}/{experiment_id}/{run_id}/artifacts/{quote(path)}"
        answer = self._send("GET", target)
        if answer.status_code == httpx.codes.NOT_FOUND or run is None:
            raise NotFound(f"there is no artifact {path}")
        self._check(answer)
        return answer.content

    def answers(self) -> bool:
        """Whether the server is up."""
        try:
            return self._http.get("/health").is_success
        except httpx.HTTPError:
            return False

    def _experiment_id(self, name: str) -> str:
        if name not in self._experiments:
            self._experiments[name] = self._find_experiment(name) or self._make_experiment(name)
        return self._experiments[name]

    def _find_experiment(self, name: str) -> str | None:
        answer = self._ask(
            "GET",
            f"{_API}/experiments/get-by-name",
            params={"experiment_name": name},
            missing_is_none=True,
        )
        if answer is None:
            return None
        experiment_id = str(_at(answer, "experiment", "experiment_id"))
        if _at(answer, "experiment", "lifecycle_stage") == "deleted":
            self._ask("POST", f"{_API}/experiments/restore", json={"experiment_id": experiment_id})
        return experiment_id

    def _make_experiment(self, name: str) -> str:
        answer = self._send("POST", f"{_API}/experiments/create", json={"name": name})
        if answer.status_code == httpx.codes.BAD_REQUEST and "ALREADY_EXISTS" in answer.text:
            return self._find_experiment(name) or ""
        self._check(answer)
        return str(answer.json()["experiment_id"])

    def _find_run(self, experiment_id: str, request: RunRequest) -> str | None:
        runs = self._runs_of(experiment_id, request)
        return str(_at(runs[0], "info", "run_id")) if runs else None

    def _runs_of(self, experiment_id: str, request: RunRequest) -> list[_Json]:
        wanted = (
            f"tags.`sentinels.job` = '{request.ref.job_id}'"
            f" AND tags.`sentinels.attempt` = '{request.ref.attempt}'"
        )
        query = {"experiment_ids": [experiment_id], "filter": wanted, "max_results": 10}
        try:
            answer = self._ask("POST", f"{_API}/runs/search", json=query)
        except TrackerUnavailable:
            # The experiment may have been deleted for good behind our back.
            self._experiments.clear()
            raise
        runs = _list(_at(answer or {}, "runs"))
        return sorted(runs, key=lambda run: (_at(run, "info", "start_time"), _run_id(run)))

    def _make_run(self, experiment_id: str, request: RunRequest) -> str:
        ours = {
            "sentinels.job": str(request.ref.job_id),
            "sentinels.attempt": str(request.ref.attempt),
        }
        answer = self._ask(
            "POST",
            f"{_API}/runs/create",
            json={
                "experiment_id": experiment_id,
                "run_name": request.run_name,
                "start_time": _millis(request.started_at),
                "tags": _tags({**request.tags, **ours}),
            },
        )
        made = str(_at(answer or {}, "run", "info", "run_id"))
        oldest = self._find_run(experiment_id, request) or made
        if oldest != made:
            self._ask("POST", f"{_API}/runs/delete", json={"run_id": made})
            return oldest
        for batch in _batches(request.params):
            self._ask("POST", f"{_API}/runs/log-batch", json={"run_id": made, "params": batch})
        return made

    def _list_folder(self, run_id: str, folder: str) -> Iterator[tuple[str, int | None]]:
        token = ""
        while True:
            query = {"run_id": run_id, "path": folder, "page_token": token}
            answer = self._ask(
                "GET",
                f"{_API}/artifacts/list",
                params={name: value for name, value in query.items() if value},
                missing_is_none=True,
            )
            for item in _list(_at(answer or {}, "files")):
                size = None if item.get("is_dir") else int(str(item.get("file_size") or 0))
                yield str(item["path"]), size
            token = str(_at(answer or {}, "next_page_token") or "")
            if not token:
                return

    def _ask(
        self,
        method: str,
        path: str,
        *,
        json: _Json | None = None,
        params: Mapping[str, str] | None = None,
        missing_is_none: bool = False,
    ) -> _Json | None:
        answer = self._send(method, path, json=json, params=params)
        if missing_is_none and answer.status_code == httpx.codes.NOT_FOUND:
            return None
        self._check(answer)
        found: _Json = answer.json()
        return found

    def _send(
        self,
        method: str,
        path: str,
        *,
        json: _Json | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return self._http.request(method, path, json=json, params=params)
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise TrackerUnavailable(
                f"MLflow at {self._url} does not answer: {why}", remedy=_REMEDY
            ) from error

    def _check(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            said = answer.text[:300]
            raise TrackerUnavailable(
                f"MLflow at {self._url} answered {answer.status_code}: {said}", remedy=_REMEDY
            )


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": name, "value": value[:_TAG_LIMIT]} for name, value in tags.items()]


def _batches(params: Mapping[str, ParamValue]) -> Iterator[list[dict[str, str]]]:
    listed = [{"key": name, "value": _text(value)} for name, value in params.items()]
    for start in range(0, len(listed), _PARAM_BATCH):
        yield listed[start : start + _PARAM_BATCH]


def _text(value: ParamValue) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:_VALUE_LIMIT]


def _at(answer: _Json, *path: str) -> object:
    found: object = answer
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _list(value: object) -> list[_Json]:
    return value if isinstance(value, list) else []


def _run_id(run: _Json) -> str:
    return str(_at(run, "info", "run_id"))
