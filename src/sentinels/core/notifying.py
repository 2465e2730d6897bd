"""Bring the outbox's deliveries to the messenger and the tracker, and settle a job on a hint.

Comes in: the identity of a workload that may have ended, or a tick. Goes out: moved jobs, sent
notices, closed tracker runs. A part that is down is not asked again in the same round; what was
missed stays due. Before: ``functions/notify``. Next: ``services/slack``, ``services/mlflow``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sentinels.core.errors import (
    ClusterUnavailable,
    MessageRefused,
    MessengerUnavailable,
    NotFound,
    TrackerRefused,
    TrackerUnavailable,
    Unavailable,
)
from sentinels.core.job import JobState
from sentinels.core.launching import build_workload, run_request
from sentinels.core.notice import MESSENGER
from sentinels.core.ports import Events, Messenger, Tracker, TrackerRun
from sentinels.core.queueing import DueDelivery, EndedAttempt, Outbox
from sentinels.core.settling import SettlePorts, settle_jobs
from sentinels.core.workload import WorkloadRef

BATCH = 20
MAX_BATCHES = 25
LEASE_SECONDS = 120.0
LOG_PATH = "sentinels/log.txt"
"""Where the tracker's run keeps what its attempt printed, if the cluster does not."""
LOG_LIMIT = 64 * 2**20
"""Bytes of a log that are kept; what follows is not."""
MAX_TRIES = 200
"""With the longest wait of ten minutes between tries, more than a day."""


@dataclass(frozen=True, slots=True)
class NotifyPorts:
    """What notify stands on; a messenger or tracker that is not configured is None."""

    settle: SettlePorts
    outbox: Outbox
    events: Events
    messenger: Messenger | None
    tracker: Tracker | None
    tracker_url: str


@dataclass(slots=True)
class _Round:
    """One round of deliveries: which channels do not answer, and for how long to leave them."""

    delivered: int = 0
    silent: dict[str, Unavailable] = field(default_factory=dict)


def workload_changed(ports: NotifyPorts, ref: WorkloadRef) -> None:
    """Something happened to this workload: look, move its job, tell who is to be told."""
    settled = settle_jobs(ports.settle, [ref.job_id])
    if settled.moved:
        ports.events.queue_changed()
    deliver_due(ports)


def deliver_due(ports: NotifyPorts) -> int:
    """Deliver what is due, up to a bound; how many deliveries arrived."""
    round_ = _Round()
    for _ in range(MAX_BATCHES):
        due = ports.outbox.take_due(batch=BATCH, lease_seconds=LEASE_SECONDS)
        for delivery in due:
            _deliver(ports, delivery, round_)
        if len(due) < BATCH:
            break
    return round_.delivered


def _deliver(ports: NotifyPorts, due: DueDelivery, round_: _Round) -> None:
    channel = due.delivery.channel
    try:
        if channel in round_.silent:
            raise round_.silent[channel]
        arrived = _send(ports, due) if channel == MESSENGER else _record(ports, due.delivery.ref)
    except MessageRefused as refused:
        ports.outbox.failed(due.id, str(refused))
    except (ClusterUnavailable, TrackerRefused) as trouble:
        _postpone(ports, due, trouble)
    except (MessengerUnavailable, TrackerUnavailable) as trouble:
        round_.silent[channel] = trouble
        _postpone(ports, due, trouble)
    else:
        if arrived:
            ports.outbox.delivered(due.id)
            ports.settle.failpoint("notify.after_delivered")
            round_.delivered += 1
        else:
            ports.outbox.kept(due.id)


def _send(ports: NotifyPorts, due: DueDelivery) -> bool:
    if ports.messenger is None:
        return False
    ports.messenger.send(channel=due.delivery.recipient, text=due.delivery.body)
    ports.settle.failpoint("notify.after_send")
    return True


def _postpone(ports: NotifyPorts, due: DueDelivery, trouble: Unavailable) -> None:
    if due.tries >= MAX_TRIES:
        ports.outbox.failed(due.id, str(trouble))
        return
    wait = trouble.retry_after or min(2.0 ** min(due.tries, 10), 600.0)
    ports.outbox.postpone(due.id, after_seconds=wait, error=str(trouble))


def _record(ports: NotifyPorts, ref: WorkloadRef) -> bool:
    ended = ports.outbox.ended_attempt(ref)
    if ports.tracker is None or ended is None:
        return False
    run = ended.attempt.run or _late_run(ports, ports.tracker, ended)
    ports.tracker.close_run(
        run.run_id, state=ended.state, ended_at=ended.finished_at, tags=_end_tags(ended)
    )
    if not ports.settle.cluster.keeps_logs:
        _keep_log(ports, ports.tracker, ref, run)
    if not ended.outputs_complete:
        _collect(ports, ended, run)
    return True


def _keep_log(ports: NotifyPorts, tracker: Tracker, ref: WorkloadRef, run: TrackerRun) -> None:
    kept = bytearray()
    while len(kept) < LOG_LIMIT:
        chunk = ports.settle.cluster.read_log(ref, offset=len(kept), limit=LOG_LIMIT - len(kept))
        kept += chunk.data
        if not chunk.data or chunk.ended:
            break
    if kept:
        tracker.write_artifact(run, LOG_PATH, bytes(kept))


def _late_run(ports: NotifyPorts, tracker: Tracker, ended: EndedAttempt) -> TrackerRun:
    run = tracker.open_run(run_request(ended.attempt, ended.started_at or ended.finished_at))
    ports.outbox.record_run(ended.attempt.ref, run)
    return run


def _collect(ports: NotifyPorts, ended: EndedAttempt, run: TrackerRun) -> None:
    workload = build_workload(ended.attempt, run, ports.tracker_url)
    try:
        arrived = ports.settle.cluster.collect_outputs(workload)
    except NotFound:
        return
    if not arrived:
        raise ClusterUnavailable(f"not all outputs of {workload.ref.name} reached the tracker yet")
    ports.outbox.record_outputs(ended.attempt.ref)


def _end_tags(ended: EndedAttempt) -> dict[str, str]:
    requeued = ended.state is JobState.QUEUED
    tags = {
        "sentinels.outcome": "requeued" if requeued else ended.state.value,
        "sentinels.reason": ended.reason.value if ended.reason else "",
        "sentinels.exit_code": "" if ended.exit_code is None else str(ended.exit_code),
    }
    return {name: value for name, value in tags.items() if value}
