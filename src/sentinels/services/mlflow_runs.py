"""One MLflow run for each attempt, whoever opens it, however often and at once.

MLflow makes a new run at every ``runs/create``, so a run is looked for by its job and attempt
first, and made where there is none. Those who find several agree on one by what MLflow writes only
once, a param: the run whose params were written first has won. Whoever would write them marks the
param of all other runs before, so that these can win no more; a run that is made later sees the
winner, because it is looked for after it was made. What a crash leaves, the next one finishes.

Comes in: run requests. Goes out: the run. Before: ``mlflow``. Next: ``mlflow_rest``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sentinels.core.errors import TrackerRefused, TrackerUnavailable
from sentinels.core.ports import RunRequest
from sentinels.services.mlflow_rest import Json, MlflowRest, at, rows

_PARAM_LIMIT = 6000
_TAG_LIMIT = 5000
_BATCH = 100
_ROUNDS = 20
_SUPERSEDED = "superseded by another run of the same attempt"


class Run(NamedTuple):
    """A run as MLflow has it."""

    start_time: int
    run_id: str
    experiment_id: str
    artifact_uri: str
    params: Mapping[str, str]


def open_run(rest: MlflowRest, experiment_id: str, request: RunRequest) -> Run:
    """Find or make the attempt's run, with all its tags and params; safe to repeat.

    Raises ``TrackerUnavailable``.
    """
    params = _params(request)
    for _ in range(_ROUNDS):
        runs = _runs_of(rest, experiment_id, request, params)
        if not runs:
            _make_run(rest, experiment_id, request)
        elif _supersede(rest, runs[1:], params) and _win(rest, runs[0], params):
            return runs[0]
    raise TrackerUnavailable(f"{_ROUNDS} times another run of {request.ref.name} was opened")


def is_active(rest: MlflowRest, run_id: str) -> bool:
    """Whether the run is there and nobody deleted it."""
    answer = rest.find("runs/get", {"run_id": run_id})
    return at(answer, "run", "info", "lifecycle_stage") == "active"


def _runs_of(
    rest: MlflowRest, experiment_id: str, request: RunRequest, params: Mapping[str, str]
) -> list[Run]:
    """The attempt's runs, the one that has won first, then by age; superseded ones deleted."""
    wanted = " AND ".join(f"tags.`{name}` = '{value}'" for name, value in _own_tags(request))
    query: Json = {"experiment_ids": [experiment_id], "filter": wanted, "max_results": 100}
    found = sorted(run_from(row) for row in rows(rest.ask("runs/search", query), "runs"))
    lot = _lot(params)
    for run in found:
        if run.params.get(lot) == _SUPERSEDED:
            _delete_run(rest, run.run_id)
    kept = [run for run in found if run.params.get(lot) != _SUPERSEDED]
    return sorted(kept, key=lambda run: lot not in run.params)


def _make_run(rest: MlflowRest, experiment_id: str, request: RunRequest) -> None:
    run: Json = {
        "experiment_id": experiment_id,
        "run_name": request.run_name,
        "start_time": millis(request.started_at),
        "tags": tag_list({**request.tags, **dict(_own_tags(request))}),
    }
    rest.ask("runs/create", run)


def _supersede(rest: MlflowRest, others: Sequence[Run], params: Mapping[str, str]) -> bool:
    """Mark and delete the others; False if one of them has won meanwhile."""
    lot = _lot(params)
    for run in [run for run in others if lot not in run.params]:
        if not _write(rest, run.run_id, {lot: _SUPERSEDED}):
            return False
        _delete_run(rest, run.run_id)
    return True


def _win(rest: MlflowRest, run: Run, params: Mapping[str, str]) -> bool:
    """Write what is missing of the params; False if the run was superseded meanwhile."""
    missing = {name: value for name, value in params.items() if name not in run.params}
    names = sorted(missing, key=lambda name: name != _lot(params))
    batches = [names[start : start + _BATCH] for start in range(0, len(names), _BATCH)]
    return all(_write(rest, run.run_id, {n: missing[n] for n in batch}) for batch in batches)


def _write(rest: MlflowRest, run_id: str, params: Mapping[str, str]) -> bool:
    listed = [{"key": name, "value": value} for name, value in params.items()]
    try:
        rest.ask("runs/log-batch", {"run_id": run_id, "params": listed})
    except TrackerRefused as refused:
        if _holds_other(rest, run_id, params):
            return False
        raise refused
    return True


def _holds_other(rest: MlflowRest, run_id: str, params: Mapping[str, str]) -> bool:
    """Whether a write was refused because somebody else's came first, or the run is gone."""
    answer = rest.find("runs/get", {"run_id": run_id})
    if answer is None or at(answer, "run", "info", "lifecycle_stage") != "active":
        return True
    return not params.keys().isdisjoint(run_from(answer["run"]).params)


def _delete_run(rest: MlflowRest, run_id: str) -> None:
    rest.ask("runs/delete", {"run_id": run_id})


def run_from(row: object) -> Run:
    """What MLflow says of a run."""
    return Run(
        start_time=int(str(at(row, "info", "start_time") or 0)),
        run_id=str(at(row, "info", "run_id")),
        experiment_id=str(at(row, "info", "experiment_id")),
        artifact_uri=str(at(row, "info", "artifact_uri") or ""),
        params={str(item["key"]): str(item["value"]) for item in rows(row, "data", "params")},
    )


def _own_tags(request: RunRequest) -> list[tuple[str, str]]:
    return [
        ("sentinels.job", str(request.ref.job_id)),
        ("sentinels.attempt", str(request.ref.attempt)),
    ]


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as MLflow takes them."""
    return [{"key": name, "value": value[:_TAG_LIMIT]} for name, value in tags.items()]


def _params(request: RunRequest) -> dict[str, str]:
    """As MLflow's own client would write them, so that a program may log them again."""
    given = {name: str(value)[:_PARAM_LIMIT] for name, value in request.params.items()}
    return given or {"sentinels.workload": request.ref.name}


def _lot(params: Mapping[str, str]) -> str:
    """The param whose first writer decides whether its run has won."""
    return min(params)


def millis(moment: datetime) -> int:
    """A moment as MLflow takes it."""
    return int(moment.timestamp() * 1000)
