"""What people are told of a shortage and of an idle node, and of their ends.

A line names no job, since everybody may see it; the message for on-call names jobs and people.
Comes in: ``shortage``'s values. Goes out: text and facts. Before: ``surveying``. Next: the outbox.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from sentinels.core.capacity import GPU, KINDS, Resources
from sentinels.core.ports import Json
from sentinels.core.quantity import format_duration
from sentinels.core.scene import Occupant
from sentinels.core.shortage import Advice, Help, Shortage

_FULL: Mapping[str, str] = {
    "gpu": "GPUs are full",
    "cpu": "CPUs are full",
    "memory": "memory is full",
    "slots": "the nodes take no more workloads of any size",
    "size": "no ready node is large enough",
    "nodes": "no node is ready to take jobs",
}
_OVER: Mapping[str, str] = {
    "gpu": "GPUs are no longer full",
    "cpu": "CPUs are no longer full",
    "memory": "memory is no longer full",
    "slots": "the nodes take workloads again",
    "size": "no job needs a larger node any more",
    "nodes": "nodes take jobs again",
}
FULL = "full"
IDLE = "idle"


def full_name(shortage: Shortage) -> str:
    """The name of the condition."""
    return f"{FULL}:{shortage.what}"


def idle_name(node: str) -> str:
    """The name of the condition."""
    return f"{IDLE}:{node}"


def full_line(shortage: Shortage, now: datetime) -> str:
    """What is full and what waits, without a job's name."""
    waits = "job waits" if shortage.jobs == 1 else "jobs wait"
    gpus = shortage.amount(GPU.amount) if shortage.what.startswith("gpu") else 0
    asked = f" for {gpus} {'GPU' if gpus == 1 else 'GPUs'}" if gpus else ""
    return (
        f"{_worded(_FULL, shortage.what)}: {shortage.jobs} {waits}{asked},"
        f" the oldest for {_length(now, shortage.oldest.enqueued_at)}"
    )


def full_text(shortage: Shortage, advice: Advice, *, since: datetime, now: datetime) -> str:
    """The message that something is full, and what would help."""
    lines = [
        f"■ {full_line(shortage, now)}",
        f"It has been so for {_length(now, since)}; the oldest is job {shortage.oldest.job_id}"
        f" (team {shortage.oldest.team}).",
        *_next_start(advice, now),
        *_helps(advice, now),
        "See: sentinels queue · sentinels nodes",
    ]
    return "\n".join(lines)


def full_facts(shortage: Shortage, advice: Advice | None = None) -> dict[str, Json]:
    """The same for programs."""
    facts: dict[str, Json] = {
        "what": shortage.what,
        "jobs": shortage.jobs,
        "gpus": shortage.amount(GPU.amount),
        "oldest_job": shortage.oldest.job_id,
        "oldest_enqueued_at": shortage.oldest.enqueued_at.astimezone(UTC).isoformat(),
    }
    if advice is not None and advice.node is not None:
        facts["node_like"], facts["node_starts"] = advice.node.like, advice.node.starts
    if advice is not None and advice.end is not None and advice.end.tenant is not None:
        facts["idle_job"] = advice.end.tenant.ref.job_id
        facts["idle_job_starts"] = advice.end.starts
    if advice is not None and advice.next_end is not None:
        facts["next_start_at"] = advice.next_end[1].astimezone(UTC).isoformat()
    return facts


def full_over_text(what: str, *, since: datetime, now: datetime) -> str:
    """The message that it is not full any more."""
    return f"✔ {_worded(_OVER, what)}, after {_length(now, since)}: nothing waits for that now"


def idle_line(node: str) -> str:
    """That a node has nothing to do."""
    return f"node {node} has nothing to do, and nothing waits"


def idle_text(node: str, *, since: datetime, now: datetime) -> str:
    """The message that a node may be taken away."""
    return (
        f"○ node {node} has had nothing to do for {_length(now, since)}, and nothing waits:"
        f" safe to remove (sentinels nodes retire {node})"
    )


def _worded(words: Mapping[str, str], what: str) -> str:
    kind, _, of_type = what.partition(":")
    return f"{of_type} {words[kind]}" if of_type else words[kind]


def _next_start(advice: Advice, now: datetime) -> Iterator[str]:
    if advice.next_end is None:
        yield "When the next can start is not known: what runs has no time limit and no history."
        return
    tenant, end = advice.next_end
    yield (
        f"The next start is expected in {_length(end, now)} ({_time(end)}),"
        f" when {_job(tenant)} ends."
    )


def _helps(advice: Advice, now: datetime) -> Iterator[str]:
    if advice.node is not None:
        yield f"One more node {_node(advice.node)} would start {_jobs(advice.node.starts)} now."
    if advice.end is not None and advice.end.tenant is not None:
        tenant, percent = advice.end.tenant, advice.end.gpu_percent or 0.0
        ran = _length(now, tenant.started_at or now)
        yield (
            f"Ending {_job(tenant)}, whose GPUs idle ({percent:.0f} %, it runs for {ran}),"
            f" would start {_jobs(advice.end.starts)}: sentinels cancel {tenant.ref.job_id}"
        )
    if advice.node is None and advice.end is None:
        yield "No single change would start one of them now."


def _node(change: Help) -> str:
    offered = change.node.allocatable if change.node else Resources()
    amounts = ", ".join(
        f"{kind.there(offered)} {kind.noun(offered)}"
        for kind in reversed(KINDS)
        if kind.amount(offered)
    )
    return f"like {change.like} ({amounts})" if change.like else f"with {amounts}"


def _job(tenant: Occupant) -> str:
    return f"job {tenant.ref.job_id} {tenant.name} ({tenant.user})"


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _length(late: datetime, early: datetime) -> str:
    """A length of time for people: to the minute, or the second where it is short."""
    seconds = max(0, int((late - early).total_seconds()))
    return format_duration(seconds if seconds < 60 else seconds // 60 * 60)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M} UTC"
