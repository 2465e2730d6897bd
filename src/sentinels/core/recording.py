"""Tell the tracker how an attempt ended, and bring it what it lacks: the log, the outputs.

The log is kept as text with times, so that whoever reads on in it finds the place. Comes in: a
delivery to the tracker. Goes out: a closed run. What was missed stays due. Before: ``delivering``.
Next: ``log_reading``, the ``Tracker`` port, ``services/mlflow``.
"""

from __future__ import annotations

from dataclasses import dataclass

from sentinels.core.errors import ClusterUnavailable, NotFound
from sentinels.core.job import JobState
from sentinels.core.launching import build_workload, run_request
from sentinels.core.log_lines import with_times
from sentinels.core.log_position import START, Position
from sentinels.core.log_reading import LogReader, Printed
from sentinels.core.ports import Cluster, Tracker, TrackerRun
from sentinels.core.queueing import DueDelivery, EndedAttempt, Outbox

LOG_PATH = "sentinels/log.txt"
"""Where the tracker's run keeps what its attempt printed, if the cluster does not."""
LOG_LIMIT = 64 * 2**20
"""Bytes of a log that are kept; what follows is not."""
_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class Recorder:
    """Closes runs. ``tracker_url`` is where the workloads reach the tracker; ``logs`` reads what is
    to be kept.
    """

    outbox: Outbox
    cluster: Cluster
    tracker: Tracker | None
    tracker_url: str
    logs: LogReader

    def deliver(self, due: DueDelivery) -> bool:
        """A ``delivering.Courier``. Raises ``TrackerUnavailable`` and ``ClusterUnavailable``."""
        ref = due.delivery.ref
        ended = self.outbox.ended_attempt(ref)
        if self.tracker is None or ended is None:
            return False
        run = ended.attempt.run or self._late_run(self.tracker, ended)
        self.tracker.close_run(
            run.run_id, state=ended.state, ended_at=ended.finished_at, tags=_end_tags(ended)
        )
        if not ended.outputs_complete:
            self._collect(ended, run)
        if not self.cluster.keeps_logs:
            self._keep_log(self.tracker, ended, run)
        return True

    def _keep_log(self, tracker: Tracker, ended: EndedAttempt, run: TrackerRun) -> None:
        began = ended.started_at is not None
        printed = Printed(
            ended.attempt.ref, live=False, finished_at=ended.finished_at if began else None
        )
        kept, is_over = bytearray(), False
        place: Position = START
        while len(kept) < LOG_LIMIT and not is_over:
            piece = self.logs.read(printed, place, limit=_PIECE)
            kept += with_times(piece.text, piece.marks).encode()
            place, is_over = piece.position, piece.ended
            if piece.source is None and (piece.unavailable or not is_over):
                raise ClusterUnavailable(
                    piece.unavailable or f"the log of {printed.ref.name} has not all arrived yet"
                )
        if kept:
            tracker.write_artifact(run, LOG_PATH, bytes(kept[:LOG_LIMIT]))

    def _late_run(self, tracker: Tracker, ended: EndedAttempt) -> TrackerRun:
        run = tracker.open_run(run_request(ended.attempt, ended.started_at or ended.finished_at))
        self.outbox.record_run(ended.attempt.ref, run)
        return run

    def _collect(self, ended: EndedAttempt, run: TrackerRun) -> None:
        workload = build_workload(ended.attempt, run, self.tracker_url)
        try:
            arrived = self.cluster.collect_outputs(workload)
        except NotFound:
            return
        if not arrived:
            raise ClusterUnavailable(
                f"not all outputs of {workload.ref.name} reached the tracker yet"
            )
        self.outbox.record_outputs(ended.attempt.ref)


def _end_tags(ended: EndedAttempt) -> dict[str, str]:
    requeued = ended.state is JobState.QUEUED
    tags = {
        "sentinels.outcome": "requeued" if requeued else ended.state.value,
        "sentinels.reason": ended.reason.value if ended.reason else "",
        "sentinels.exit_code": "" if ended.exit_code is None else str(ended.exit_code),
    }
    return {name: value for name, value in tags.items() if value}
