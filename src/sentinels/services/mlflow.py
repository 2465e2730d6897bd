"""MLflow: ``core.ports.Tracker``.

MLflow answers unknown statuses with a silent 200, so the echo is checked. A run that somebody
deleted is left alone. Comes in: run requests, ends. Goes out: runs, metrics, artifacts. Before:
``core/launching``, ``core/notifying``. Next: ``mlflow_runs``, ``mlflow_rest``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from urllib.parse import quote, urlsplit

import httpx

from sentinels.core.errors import InvalidRequest, NotFound, TrackerRefused, TrackerUnavailable
from sentinels.core.job import JobState
from sentinels.core.ports import Artifact, RunPages, RunRequest, TrackerRun
from sentinels.services.mlflow_rest import Json, MlflowRest, at, rows
from sentinels.services.mlflow_runs import (
    Run,
    is_active,
    millis,
    open_run,
    run_from,
    tag_list,
)

_PROXY = "/api/2.0/mlflow-artifacts/artifacts"
_ENTRY_LIMIT = 10_000
_SEARCHED = 100
_PAGE = re.compile(r"/#/experiments/(\w+)/runs/(\w+)$", re.ASCII)
_ARTIFACT_BYTES = 512 * 1024**2

_STATUSES: Mapping[JobState, str] = {
    JobState.SUCCEEDED: "FINISHED",
    JobState.FAILED: "FAILED",
    JobState.CANCELLED: "KILLED",
    JobState.QUEUED: "KILLED",  # the attempt was cut short; the job goes on in another run
}


class MlflowTracker:
    """One MLflow server; keeps its connections, may be used by several threads."""

    def __init__(self, url: str, *, page_url: str = "", timeout: float = 5.0) -> None:
        """``page_url`` is the server as a browser reaches it; ``timeout`` is in seconds a call.

        Raises ``InvalidRequest`` for a text that is no address.
        """
        self._rest = MlflowRest(url, timeout=timeout)
        self._url = url.rstrip("/")
        self._page_url = (page_url or self._rest.shown).rstrip("/")
        self._experiments: dict[str, str] = {}

    def close(self) -> None:
        """Give the connections back."""
        self._rest.close()

    def answers(self) -> bool:
        """Whether the server takes calls; its ``/health`` says yes even where it takes none."""
        try:
            self._rest.ask("experiments/search", {"max_results": 1})
        except TrackerUnavailable:
            return False
        return True

    def deleted(self, experiment: str) -> bool | None:
        """See ``Experiments.deleted``."""
        answer = self._rest.find("experiments/get-by-name", {"experiment_name": experiment})
        if answer is None:
            return None
        return at(answer, "experiment", "lifecycle_stage") == "deleted"

    def open_run(self, request: RunRequest) -> TrackerRun:
        """See ``Tracker.open_run``."""
        try:
            run = self._open(request)
        except TrackerRefused:
            # Somebody deleted the experiment since its id was learnt: learn it again, once.
            self._experiments.pop(request.experiment, None)
            run = self._open(request)
        return TrackerRun(
            run_id=run.run_id,
            experiment_id=run.experiment_id,
            page_url=f"{self._page_url}/#/experiments/{run.experiment_id}/runs/{run.run_id}",
            outputs_url=self._outputs_url(run),
        )

    def close_run(
        self, run_id: str, *, state: JobState, ended_at: datetime, tags: Mapping[str, str]
    ) -> None:
        """See ``Tracker.close_run``; a run that somebody deleted counts as closed."""
        status = _STATUSES[state]
        changes: Json = {"run_id": run_id, "status": status, "end_time": millis(ended_at)}
        try:
            answer = self._rest.ask("runs/update", changes)
            if tags:
                self._rest.ask("runs/log-batch", {"run_id": run_id, "tags": tag_list(tags)})
        except TrackerRefused:
            if is_active(self._rest, run_id):
                raise
            return
        echoed = at(answer, "run_info", "status")
        if echoed != status:
            raise TrackerRefused(f"MLflow made {echoed} of the status {status}")

    def metrics(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
        """See ``Tracker.metrics``."""
        found: dict[str, Mapping[str, float]] = {}
        left = list(dict.fromkeys(run_ids))
        while left:
            # One run tells the experiment that most of the others are in too.
            first = self._rest.find("runs/get", {"run_id": left[0]})
            found |= _metrics_of([first["run"]] if first else [])
            experiment_id = str(at(first, "run", "info", "experiment_id") or "")
            left = left[1:]
            if experiment_id and left:
                found |= self._metrics_in(experiment_id, left)
            left = [run_id for run_id in left if run_id not in found]
        return found

    def pages(self, page_url: str) -> RunPages:
        """See ``Tracker.pages``; the server may be known to browsers by another name since."""
        known = _PAGE.search(page_url)
        if known is None:
            return RunPages(page_url, None)
        experiment = f"{self._page_url}/#/experiments/{known[1]}"
        return RunPages(f"{experiment}/runs/{known[2]}", experiment)

    def artifacts(self, run_id: str) -> Sequence[Artifact]:
        """See ``Tracker.artifacts``; of more than 10,000 files and folders, the first."""
        found: list[Artifact] = []
        folders, left = [""], _ENTRY_LIMIT
        while folders and left > 0:
            for path, size in self._list_folder(run_id, folders.pop(), limit=left):
                left -= 1
                if size is None:
                    folders.append(path)
                else:
                    found.append(Artifact(path, size))
        return sorted(found, key=lambda artifact: artifact.path)

    def read_artifact(self, run_id: str, path: str) -> bytes:
        """See ``Tracker.read_artifact``. Raises ``InvalidRequest`` for more than 512 MiB."""
        run = None if _leaves(path) else self._rest.find("runs/get", {"run_id": run_id})
        size = self._size(run_id, path) if run else None
        if run is None or size is None:
            raise NotFound(f"there is no artifact {path!r}")
        if size > _ARTIFACT_BYTES:
            raise InvalidRequest(
                f"{path} has {size} bytes; {_ARTIFACT_BYTES} are handed through",
                remedy="take it from MLflow's page",
            )
        answer = self._rest.send("GET", f"{self._outputs_url(run_from(run['run']))}/{quote(path)}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound(f"there is no artifact {path!r}")
        self._rest.check(answer)
        return answer.content

    def write_artifact(self, run: TrackerRun, path: str, content: bytes) -> None:
        """See ``Tracker.write_artifact``; through the same proxy as a workload's own outputs."""
        where = f"{run.outputs_url.rstrip('/')}/{quote(path)}"
        self._rest.check(self._rest.send("PUT", where, content=content))

    def _metrics_in(
        self, experiment_id: str, run_ids: Sequence[str]
    ) -> dict[str, Mapping[str, float]]:
        found: dict[str, Mapping[str, float]] = {}
        for start in range(0, len(run_ids), _SEARCHED):
            listed = ", ".join(f"'{run_id}'" for run_id in run_ids[start : start + _SEARCHED])
            query: Json = {
                "experiment_ids": [experiment_id],
                "filter": f"attributes.run_id IN ({listed})",
                "run_view_type": "ALL",
                "max_results": _SEARCHED,
            }
            found |= _metrics_of(rows(self._rest.ask("runs/search", query), "runs"))
        return found

    def _open(self, request: RunRequest) -> Run:
        return open_run(self._rest, self._experiment_id(request.experiment), request)

    def _experiment_id(self, name: str) -> str:
        if name not in self._experiments:
            self._experiments[name] = self._find_experiment(name) or self._make_experiment(name)
        return self._experiments[name]

    def _find_experiment(self, name: str) -> str | None:
        answer = self._rest.find("experiments/get-by-name", {"experiment_name": name})
        if answer is None:
            return None
        experiment_id = str(at(answer, "experiment", "experiment_id"))
        if at(answer, "experiment", "lifecycle_stage") == "deleted":
            self._rest.ask("experiments/restore", {"experiment_id": experiment_id})
        return experiment_id

    def _make_experiment(self, name: str) -> str:
        try:
            answer = self._rest.ask("experiments/create", {"name": name})
        except TrackerRefused:
            if found := self._find_experiment(name):
                return found
            raise
        return str(answer["experiment_id"])

    def _outputs_url(self, run: Run) -> str:
        location = urlsplit(run.artifact_uri)
        if location.scheme in ("http", "https"):
            return run.artifact_uri
        if location.scheme != "mlflow-artifacts":
            raise TrackerRefused(
                f"the experiment keeps its files at {location.scheme or 'file'}:, not at MLflow",
                remedy="start MLflow with --serve-artifacts and choose a new experiment",
            )
        return f"{self._url}{_PROXY}{location.path}"

    def _size(self, run_id: str, path: str) -> int | None:
        folder, _, _ = path.rpartition("/")
        listed = self._list_folder(run_id, folder, limit=_ENTRY_LIMIT)
        return next((size for name, size in listed if name == path), None)

    def _list_folder(
        self, run_id: str, folder: str, *, limit: int
    ) -> Iterator[tuple[str, int | None]]:
        """Path and size of the first entries; a folder's size is None."""
        query = {"run_id": run_id, "path": folder} if folder else {"run_id": run_id}
        while limit > 0:
            answer = self._rest.find("artifacts/list", query)
            for item in rows(answer, "files")[:limit]:
                limit -= 1
                size = None if item.get("is_dir") else int(str(item.get("file_size") or 0))
                yield str(item["path"]), size
            token = str(at(answer, "next_page_token") or "")
            if not token:
                return
            query = {**query, "page_token": token}


def _metrics_of(runs: Sequence[object]) -> dict[str, Mapping[str, float]]:
    return {
        str(at(run, "info", "run_id")): {
            str(item["key"]): float(str(item["value"])) for item in rows(run, "data", "metrics")
        }
        for run in runs
    }


def _leaves(path: str) -> bool:
    return path.startswith("/") or ".." in path.split("/")
