"""Turn a claimed attempt into a workload and launch it.

The claim is committed before this begins: whatever fails here is repaired by the attempt's lease.
Comes in: a live attempt. Goes out: a launched workload with its uid recorded. Before:
``dispatching``. Next: ``clusters/local/launch``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sentinels.core.errors import (
    ClusterUnavailable,
    LaunchRejected,
    TrackerRefused,
    TrackerUnavailable,
)
from sentinels.core.job import Reason
from sentinels.core.observation import Finished
from sentinels.core.param_reading import param_variable
from sentinels.core.ports import RunRequest, Tracker, TrackerRun
from sentinels.core.queueing import DispatchQueue, LiveAttempt
from sentinels.core.settling import SettlePorts, end
from sentinels.core.submission import ParamValue
from sentinels.core.workload import Placement, Workload, WorkloadRef


@dataclass(slots=True)
class Launcher:
    """Launches attempts during one pass; once the tracker fails, the rest go without a run.

    ``tracker_url`` is where the workloads reach the tracker.
    """

    settle: SettlePorts
    queue: DispatchQueue
    tracker: Tracker | None
    tracker_url: str
    tracker_trouble: str | None = None
    launched: int = 0

    def launch(self, attempt: LiveAttempt) -> None:
        """Launch or adopt one attempt's workload. Raises ``ClusterUnavailable``."""
        for trouble in self.launch_all([attempt], {}):
            raise trouble

    def launch_all(
        self, attempts: Sequence[LiveAttempt], placements: Mapping[WorkloadRef, Placement]
    ) -> list[ClusterUnavailable]:
        """Launch or adopt each attempt's workload; what could not be done now."""
        runs = {attempt.ref: self._run(attempt) for attempt in attempts}
        by_ref = {attempt.ref: attempt for attempt in attempts}
        workloads = [
            build_workload(
                attempt,
                runs[attempt.ref],
                self.tracker_url,
                placement=placements.get(attempt.ref) or _elsewhere(attempt),
            )
            for attempt in attempts
        ]
        troubles = []
        for launched in self.settle.cluster.launch_all(workloads):
            self.settle.failpoint("dispatch.after_launch")
            if launched.uid is not None:
                self._record(by_ref[launched.ref], launched.uid, runs[launched.ref])
            elif isinstance(launched.error, LaunchRejected):
                end(self.settle, by_ref[launched.ref], self._rejected(launched.error))
            elif launched.error is not None:
                troubles.append(launched.error)
        return troubles

    def _record(self, attempt: LiveAttempt, uid: str, run: TrackerRun | None) -> None:
        recorded = self.queue.record_launch(attempt.ref, uid=uid, run=run)
        self.launched += 1
        if recorded and attempt.ref.attempt == 1 and not attempt.launched:
            waited = (self.settle.clock() - attempt.submitted_at).total_seconds()
            self.settle.tally.launched(attempt.submission.priority or "", waited)
        self.settle.failpoint("dispatch.after_launch_recorded")

    def _run(self, attempt: LiveAttempt) -> TrackerRun | None:
        run = attempt.run or self._open_run(attempt)
        self.settle.failpoint("dispatch.after_run_opened")
        return run

    def _open_run(self, attempt: LiveAttempt) -> TrackerRun | None:
        if self.tracker is None or self.tracker_trouble:
            return None
        try:
            return self.tracker.open_run(run_request(attempt, self.settle.clock()))
        except TrackerRefused:
            # Its own trouble, not the tracker's: the others' runs are opened, this end tries again.
            return None
        except TrackerUnavailable as trouble:
            self.tracker_trouble = str(trouble)
            return None

    def _rejected(self, rejected: LaunchRejected) -> Finished:
        now = self.settle.clock()
        return Finished("", Reason.REJECTED, None, None, now, message=str(rejected))


_ANYWHERE = Placement()
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""MLflow's own client would try for minutes while its server is away; a job may say otherwise."""


def _elsewhere(attempt: LiveAttempt) -> Placement:
    """Where a launch that is driven again may go: nobody knows where there is room by now."""
    return Placement(avoids=tuple(sorted(attempt.avoids)))


def run_request(attempt: LiveAttempt, started_at: datetime) -> RunRequest:
    """What the tracker records of an attempt from its start."""
    submission = attempt.submission
    tags = {
        "sentinels.job": str(attempt.ref.job_id),
        "sentinels.attempt": str(attempt.ref.attempt),
        "sentinels.user": attempt.user,
        "sentinels.team": attempt.team,
        "sentinels.image": attempt.image.reference,
        "sentinels.digest": attempt.image.digest or "",
        "sentinels.sweep": str(attempt.sweep_id or ""),
        "mlflow.user": attempt.user,
        "mlflow.source.name": attempt.image.reference,
        "mlflow.source.git.commit": attempt.image.git_commit or "",
        "sentinels.git_dirty": "true" if attempt.image.git_dirty else "",
        **{f"label.{name}": value for name, value in submission.labels.items()},
    }
    return RunRequest(
        ref=attempt.ref,
        experiment=submission.experiment,
        run_name=f"{submission.name}-{attempt.ref.job_id}",
        params=submission.params,
        tags={name: value for name, value in tags.items() if value},
        started_at=started_at,
    )


def build_workload(
    attempt: LiveAttempt,
    run: TrackerRun | None,
    tracker_url: str,
    *,
    placement: Placement = _ANYWHERE,
) -> Workload:
    """The attempt as a value that any cluster can launch."""
    submission = attempt.submission
    return Workload(
        ref=attempt.ref,
        image=attempt.image,
        command=submission.command,
        args=submission.args,
        env={**_own_env(attempt), **_tracker_env(attempt, run, tracker_url), **submission.env},
        resources=attempt.resources,
        data=submission.data,
        time_limit=submission.time_limit,
        outputs_url=run.outputs_url if run else None,
        labels=submission.labels,
        secrets=submission.secrets,
        team=attempt.team,
        user=attempt.user,
        experiment=submission.experiment,
        placement=placement,
    )


def _own_env(attempt: LiveAttempt) -> dict[str, str]:
    params = attempt.submission.params
    return {
        "SENTINELS_JOB_ID": str(attempt.ref.job_id),
        "SENTINELS_ATTEMPT": str(attempt.ref.attempt),
        "SENTINELS_PARAMS": json.dumps(dict(params), ensure_ascii=False),
        **{param_variable(name): _param_text(value) for name, value in params.items()},
    }


def _tracker_env(
    attempt: LiveAttempt, run: TrackerRun | None, tracker_url: str
) -> Mapping[str, str]:
    if not tracker_url:
        return {}
    env = {
        "MLFLOW_TRACKING_URI": tracker_url,
        "MLFLOW_EXPERIMENT_NAME": attempt.submission.experiment,
    }
    return {**env, **_PATIENCE, "MLFLOW_RUN_ID": run.run_id} if run else {**env, **_PATIENCE}


def _param_text(value: ParamValue) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)
