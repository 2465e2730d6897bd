"""What became of a workload, from its folder and its runner's lock.

The order of looking matters: a runner takes the lock before it says "started", and writes the exit
record before it lets go. Comes in: a folder. Goes out: an ``Observation``. Next: ``core/settling``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sentinels.clusters.local.container import engine_of
from sentinels.clusters.local.engine import container_name
from sentinels.clusters.local.folders import Record, WorkloadFolder, read_record
from sentinels.clusters.local.processes import end_all, marked
from sentinels.core.job import Reason
from sentinels.core.observation import Absent, Finished, Observation, Pending, Running, Usage

_REASONS: Mapping[str, Reason] = {
    "exited_nonzero": Reason.EXITED_NONZERO,
    "out_of_memory": Reason.OUT_OF_MEMORY,
    "deadline_exceeded": Reason.DEADLINE_EXCEEDED,
    "killed": Reason.KILLED,
    "cancelled": Reason.CANCELLED,
    "evicted": Reason.EVICTED,
    "image_unavailable": Reason.IMAGE_UNAVAILABLE,
    "workload_lost": Reason.WORKLOAD_LOST,
}
"""A runner's words for ends, in ours."""


def observe(folder: WorkloadFolder, *, node: str, now: datetime) -> Observation:
    """Look at one workload; what a dead runner left behind is ended first."""
    spec = read_record(folder.spec)
    if spec is None:
        return Absent()
    uid = str(spec["uid"])
    started = read_record(folder.started)
    lives = folder.runner_lives()
    ended = read_record(folder.exit)
    if lives:
        return Running(uid, _moment(started, "at"), node) if started else Pending(uid)
    if ended is not None:
        return _finished(folder, uid, ended, node)
    if started is None:
        return Pending(uid, "its runner has not begun")
    if not _nothing_left(spec, folder.name):
        return Running(uid, _moment(started, "at"), node)
    return Finished(
        uid=uid,
        reason=Reason.WORKLOAD_LOST,
        exit_code=None,
        started_at=_moment(started, "at"),
        finished_at=now,
        message="its runner was killed before the program had ended",
        node=node,
        outputs_complete=_sent(folder),
    )


def _finished(folder: WorkloadFolder, uid: str, ended: Record, node: str) -> Finished:
    reason, code = ended["reason"], ended["exit_code"]
    return Finished(
        uid=uid,
        reason=_REASONS[str(reason)] if reason else None,
        exit_code=int(str(code)) if code is not None else None,
        started_at=_moment(ended, "started_at"),
        finished_at=_moment(ended, "finished_at"),
        message=str(ended["message"] or ""),
        node=node,
        usage=usage_of(ended),
        outputs_complete=_sent(folder),
    )


def usage_of(ended: Record) -> Usage:
    """What a runner measured, from its exit record."""
    return Usage(
        peak_memory_bytes=_whole(ended, "peak_memory_bytes"),
        cpu_seconds=_real(ended, "cpu_seconds"),
        peak_gpu_memory_bytes=_whole(ended, "peak_gpu_memory_bytes"),
        mean_gpu_percent=_real(ended, "mean_gpu_percent"),
        peak_cpu_cores=_real(ended, "peak_cpu_cores"),
    )


def _sent(folder: WorkloadFolder) -> bool:
    outputs = read_record(folder.outputs)
    return bool(outputs and outputs["complete"])


def _nothing_left(spec: Record, name: str) -> bool:
    uid = str(spec["uid"])
    if not end_all(lambda: marked(uid), seconds=5):
        return False
    if spec["kind"] == "container" and spec["engine"]:
        # Only now: the engine's client, which is gone, can start it no more.
        return engine_of(spec).remove(container_name(name, uid))
    return True


def _moment(record: Record, key: str) -> datetime:
    return datetime.fromisoformat(str(record[key]))


def _whole(record: Record, key: str) -> int | None:
    value = record.get(key)
    return None if value is None else int(str(value))


def _real(record: Record, key: str) -> float | None:
    value = record.get(key)
    return None if value is None else float(str(value))
