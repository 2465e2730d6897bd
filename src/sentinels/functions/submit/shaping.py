"""Values of the core as the JSON that people's programs read.

Comes in: what ``core.reading`` found. Goes out: plain JSON as ``schemas`` describes it: times in
ISO 8601 and UTC, bytes as integers in fields that end in ``_bytes``, resources in the config file's
words. Before: the handlers. Next: ``schemas``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sentinels.core.capacity import Resources
from sentinels.core.foreseeing import Range
from sentinels.core.job import LIVE_STATES, TERMINAL_STATES, JobState
from sentinels.core.observation import Usage
from sentinels.core.ports import Json, RunPages
from sentinels.core.quantity import format_cpu, format_memory
from sentinels.core.reading import (
    AttemptView,
    EventView,
    JobView,
    NodeJob,
    NodeView,
    NoticeView,
)


def job_json(job: JobView, queue: Json, links: Json) -> dict[str, Json]:
    """A job; ``queue`` is its place while it waits, else None."""
    return {
        "id": job.id,
        "name": job.name,
        "experiment": job.experiment,
        "user": job.user,
        "team": job.team,
        "image": job.image.reference,
        "digest": job.image.digest,
        "git_commit": job.image.git_commit,
        "state": job.state.value,
        "reason": job.reason.value if job.reason else None,
        "reason_class": job.reason.reason_class.value if job.reason else None,
        "message": message_of(job),
        "priority": job.priority,
        "attempt": job.attempt,
        "resources": request_json(job.resources),
        "params": job.config.get("params") or {},
        "labels": job.config.get("labels") or {},
        "sweep": job.sweep_id,
        "rerun_of": job.rerun_of,
        "submitted_at": time_json(job.submitted_at),
        "started_at": time_json(job.started_at),
        "finished_at": time_json(job.finished_at),
        "cancel_requested_at": time_json(job.cancel_requested_at),
        "exit_code": job.last_exit_code,
        "queue": queue,
        "links": links,
        "event": job.last_event,
    }


def request_json(resources: Resources) -> dict[str, Json]:
    """A request, in the config file's words."""
    return {
        "cpu": format_cpu(resources.cpu_millis),
        "memory": format_memory(resources.memory_bytes),
        "gpu": resources.gpus,
        "gpu_type": resources.gpu_type,
    }


def attempt_json(attempt: AttemptView, pages: RunPages | None) -> dict[str, Json]:
    """One attempt of a job; ``pages`` are the tracker's."""
    return {
        "attempt": attempt.attempt,
        "state": _attempt_state(attempt),
        "reason": attempt.reason.value if attempt.reason else None,
        "exit_code": attempt.exit_code,
        "node": attempt.node,
        "message": attempt.message or (attempt.reason.sentence if attempt.reason else None),
        "launched_at": time_json(attempt.launched_at),
        "started_at": time_json(attempt.started_at),
        "finished_at": time_json(attempt.finished_at),
        "outputs": _outputs(attempt),
        "resources": request_json(attempt.resources),
        "different": attempt.different,
        "usage": usage_json(attempt.usage),
        "mlflow_run_id": attempt.mlflow_run_id,
        "mlflow_url": pages.run if pages else None,
    }


def usage_json(usage: Usage) -> dict[str, Json]:
    """What an attempt used at most and in all."""
    return {
        "peak_memory_bytes": usage.peak_memory_bytes,
        "cpu_seconds": usage.cpu_seconds,
        "peak_gpu_memory_bytes": usage.peak_gpu_memory_bytes,
        "mean_gpu_percent": usage.mean_gpu_percent,
        "peak_cpu_cores": usage.peak_cpu_cores,
    }


def event_json(view: EventView) -> dict[str, Json]:
    """One move of a job."""
    event = view.event
    return {
        "id": view.id,
        "at": time_json(event.at),
        "attempt": event.attempt,
        "from": event.from_state.value if event.from_state else None,
        "to": event.to_state.value,
        "reason": event.reason.value if event.reason else None,
        "actor": event.actor,
        "detail": event.detail,
    }


def node_json(view: NodeView) -> dict[str, Json]:
    """A node: what it offers, what our workloads hold of that and what others do, whether and why
    it takes no new work.
    """
    offered = view.node.allocatable
    return {
        "name": view.node.name,
        "ready": view.takes_work,
        "state": _node_state(view),
        "detail": _node_detail(view),
        **_amounts(offered),
        "gpu_type": offered.gpu_type,
        "used": _amounts(view.used),
        "others": _amounts(view.node.foreign),
        "slots": view.node.slots,
        "jobs": list(view.jobs),
    }


def node_job_json(job: NodeJob) -> dict[str, Json]:
    """A live attempt, and when its time limit ends it at the latest."""
    return {
        "job": job.ref.job_id,
        "attempt": job.ref.attempt,
        "user": job.user,
        "team": job.team,
        "started_at": time_json(job.started_at),
        "ends_by": time_json(job.ends_by),
    }


def notice_json(notice: NoticeView) -> dict[str, Json]:
    """A message to a person; ``channel`` None is the administrator's default one."""
    return {
        "id": notice.id,
        "job": notice.job_id,
        "attempt": notice.attempt,
        "kind": notice.kind,
        "channel": notice.recipient,
        "text": notice.text,
        "state": notice.state,
        "tries": notice.tries,
        "error": notice.error,
        "created_at": time_json(notice.created_at),
        "delivered_at": time_json(notice.delivered_at),
    }


def range_json(found: Range | None) -> dict[str, Json] | None:
    """When a job is expected to start; ``late`` None: nobody knows when at the latest."""
    if found is None:
        return None
    return {"early": time_json(found.early), "late": time_json(found.late)}


def time_json(moment: datetime | None) -> str | None:
    """A moment in UTC."""
    return moment.astimezone(UTC).isoformat() if moment else None


def message_of(job: JobView) -> str | None:
    """What is to be said of the state that a job is in."""
    if job.state in LIVE_STATES:
        asked = f"cancel asked for by {job.cancel_actor}; its workload is ending"
        return asked if job.cancel_requested_at else None
    if job.last_detail:
        return job.last_detail
    if job.state in TERMINAL_STATES and job.reason:
        return job.reason.sentence
    return None


def _node_state(view: NodeView) -> str:
    if view.is_retiring:
        return "retiring"
    if view.node.ready:
        return "ready"
    return "cordoned" if "cordoned" in view.node.detail else "not ready"


def _node_detail(view: NodeView) -> str:
    if view.is_retiring:
        return "retired by an operator: it takes no new work"
    return "" if view.node.ready else view.node.detail


def _attempt_state(attempt: AttemptView) -> str:
    if not attempt.live:
        return "finished"
    if attempt.started_at is not None:
        return JobState.RUNNING.value
    return "launching" if attempt.launched_at is None else "pending"


_OUTPUTS: Mapping[bool | None, str] = {True: "complete", False: "incomplete", None: "none"}


def _outputs(attempt: AttemptView) -> str:
    if attempt.mlflow_run_id is None and attempt.outputs_complete is not False:
        return "none"
    return "pending" if attempt.live else _OUTPUTS[attempt.outputs_complete]


def _amounts(resources: Resources) -> dict[str, Json]:
    return {
        "cpu": format_cpu(resources.cpu_millis),
        "memory": format_memory(resources.memory_bytes),
        "gpus": resources.gpus,
    }
