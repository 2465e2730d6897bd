"""Find out what became of live attempts, and move their jobs accordingly.

Shared by dispatch (a sweep over everything, each pass) and notify (one job, when an event hints at
it). Load, look, hear what is said of the ends, decide, apply: the decision (``verdict``,
``ending``) is pure; every change is one guarded transaction, and a stale one is dropped. An end is
written with its dossier, and only then may its workload go. Before: ``observation``. Next:
``notifying``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sentinels.core.audience import NoticeRules
from sentinels.core.dossier import NOTHING_SAID, Cause, Dossier, Testimony, bounded
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.filing import line_filings
from sentinels.core.job import MOVES, JobId, JobState, Move, Outcome, Reason
from sentinels.core.metering import usage_filings
from sentinels.core.notice import LOGS, TRACKER, end_notices
from sentinels.core.noticing import noticed_end, noticed_start
from sentinels.core.observation import Absent, Finished, Observation, Pending, Running
from sentinels.core.policy import CurrentPolicy, Policy
from sentinels.core.ports import Clock, Cluster, Failpoint
from sentinels.core.queueing import (
    Beginning,
    Delivery,
    Ending,
    LiveAttempt,
    Requeue,
    SettlingQueue,
)
from sentinels.core.retrying import PastAttempt, RetryLimits, retry_decision
from sentinels.core.tallying import NoTally, Tally
from sentinels.core.text import storable
from sentinels.core.workload import WorkloadRef

Drive = Callable[[LiveAttempt], None]
"""Launches an attempt whose launch nobody finished."""


@dataclass(frozen=True, slots=True)
class SettlingLimits:
    """How long to wait before drawing conclusions, and how often to forgive.

    ``lease_seconds``: a launch that nobody finished is driven again after this long.
    ``infrastructure_tries``: retries free of charge; none grows beyond ``greatest_memory``.
    ``tracked``: ends are told to a tracker.
    ``ships_logs``: the cluster itself brings the log store what was printed. ``log_store``: there
    is one, from which a dossier is completed. ``measured_late_seconds``: how long after an end the
    last of what it used is known; None: nothing measures. ``rules`` are the administrator's for
    notices.
    """

    lease_seconds: float = 30.0
    infrastructure_tries: int = 5
    greatest_memory: int | None = None
    tracked: bool = True
    ships_logs: bool = False
    log_store: bool = False
    measured_late_seconds: float | None = None
    rules: NoticeRules = field(default_factory=NoticeRules)


@dataclass(frozen=True, slots=True)
class SettlePorts:
    """What settling stands on. ``actor`` is written into the events; ``tally`` counts.
    ``policy`` bounds what a retry grows to.
    """

    queue: SettlingQueue
    cluster: Cluster
    clock: Clock
    failpoint: Failpoint
    actor: str
    limits: SettlingLimits = SettlingLimits()
    tally: Tally = field(default_factory=NoTally)
    policy: CurrentPolicy = Policy


@dataclass(slots=True)
class Settled:
    """What a round of settling did: how many jobs moved, how many workloads the cluster was seen
    not to have begun with, the names of those that run, and what could not be done now.
    """

    moved: int = 0
    unstarted: int = 0
    running: set[str] = field(default_factory=set)
    troubles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do now."""


@dataclass(frozen=True, slots=True)
class Start:
    """It runs."""

    running: Running


@dataclass(frozen=True, slots=True)
class Stop:
    """It must end, for this reason, and is still there."""

    why: Reason
    message: str = ""


@dataclass(frozen=True, slots=True)
class DriveAgain:
    """Nobody finished its launch for ``idle_seconds`` past its lease or launch."""

    idle_seconds: float


@dataclass(frozen=True, slots=True)
class End:
    """Nothing of it runs any more; ``said`` is what its cluster testifies of that."""

    seen: Finished
    said: Testimony = NOTHING_SAID


Verdict = Wait | Start | Stop | DriveAgain | End


def sweep(ports: SettlePorts, drive: Drive) -> Settled:
    """Settle everything, in both directions: rows without a workload, workloads without a row."""
    held = ports.cluster.held()
    attempts = ports.queue.live_attempts()
    settled = _settle(ports, attempts, drive)
    unreleased = ports.queue.unreleased()
    _release(ports, unreleased, settled)
    strays = held - {attempt.ref for attempt in attempts} - set(unreleased)
    if strays:
        # What somebody else ended and released since the first look is held no more.
        _stop_strays(ports, strays & ports.cluster.held(), settled)
    for broken in ports.queue.broken_dependencies():
        if ports.queue.cancel_broken(broken, ports.limits.rules):
            settled.moved += 1
            ports.tally.ended(JobState.CANCELLED, Reason.DEPENDENCY_FAILED)
    return settled


def settle_jobs(ports: SettlePorts, job_ids: Sequence[int]) -> Settled:
    """Settle the live attempts of these jobs; unfinished launches are left to dispatch."""
    return _settle(ports, ports.queue.live_attempts(job_ids), drive=None)


def verdict(attempt: LiveAttempt, seen: Observation, *, ports: SettlePorts) -> Verdict:
    """What an observation means for an attempt."""
    match seen:
        case Finished():
            return End(seen)
        case Running():
            if attempt.state is JobState.DISPATCHED and not attempt.cancel_requested:
                return Start(seen)
            return _stop(attempt, seen) or Wait()
        case Pending():
            return _pending(attempt, seen, ports.limits)
        case Absent():
            return _absent(attempt, ports)


def leave_words(job_id: JobId) -> str:
    """What is said to an attempt whose place a more urgent job needs."""
    return f"its place was needed by job {job_id}, which is more urgent"


def _stop(attempt: LiveAttempt, seen: Pending | Running) -> Stop | None:
    if attempt.cancel_requested:
        return Stop(Reason.CANCELLED)
    if attempt.leaves_for is not None:
        return Stop(Reason.PREEMPTED, leave_words(attempt.leaves_for))
    if seen.stop_for:
        return Stop(seen.stop_for.reason, seen.stop_for.message)
    return None


def _pending(attempt: LiveAttempt, seen: Pending, limits: SettlingLimits) -> Verdict:
    if attempt.lease_expired:
        return DriveAgain(idle_seconds=0)
    if attempt.launched and attempt.seconds_since_launch > limits.lease_seconds:
        return DriveAgain(idle_seconds=limits.lease_seconds)
    return _stop(attempt, seen) or Wait()


def _absent(attempt: LiveAttempt, ports: SettlePorts) -> Verdict:
    if not attempt.launched and not attempt.lease_expired:
        return Wait()
    if not attempt.launched and not attempt.cancel_requested:
        return DriveAgain(idle_seconds=0)
    reason = Reason.CANCELLED if attempt.cancel_requested else Reason.WORKLOAD_LOST
    return End(Finished("", reason, None, None, ports.clock(), outputs_complete=True))


def _settle(ports: SettlePorts, attempts: Sequence[LiveAttempt], drive: Drive | None) -> Settled:
    settled = Settled()
    observations = ports.cluster.observe([attempt.ref for attempt in attempts])
    ports.failpoint("settle.after_observe")
    for ref, seen in observations.items():
        settled.unstarted += isinstance(seen, Pending) and not seen.accepted
        if isinstance(seen, Running):
            settled.running.add(ref.name)
    verdicts = [
        (attempt, verdict(attempt, observations.get(attempt.ref, Absent()), ports=ports))
        for attempt in attempts
    ]
    over: list[WorkloadRef] = []
    for attempt, found in _heard(ports, verdicts):
        try:
            moved = _apply(ports, attempt, found, drive)
        except ClusterUnavailable as trouble:
            settled.troubles.append(f"{attempt.ref.name}: {trouble}")
        else:
            settled.moved += moved
            over += [attempt.ref] if moved and isinstance(found, End) else []
    _release(ports, over, settled)
    return settled


def _heard(
    ports: SettlePorts, verdicts: Sequence[tuple[LiveAttempt, Verdict]]
) -> list[tuple[LiveAttempt, Verdict]]:
    """The same, with what the cluster testifies of the ends: asked once, for all of them."""
    ended = {attempt.ref: found.seen for attempt, found in verdicts if isinstance(found, End)}
    said = ports.cluster.testimony(ended) if ended else {}
    return [
        (attempt, replace(found, said=said.get(attempt.ref, NOTHING_SAID)))
        if isinstance(found, End)
        else (attempt, found)
        for attempt, found in verdicts
    ]


def _apply(ports: SettlePorts, attempt: LiveAttempt, found: Verdict, drive: Drive | None) -> bool:
    match found:
        case Wait():
            return False
        case Start(running):
            return ports.queue.start(_beginning(ports, attempt, running))
        case Stop(why, message):
            ports.cluster.stop(attempt.ref, why=why, message=message)
            return False
        case DriveAgain(idle_seconds):
            if drive and ports.queue.take_over(attempt.ref, idle_seconds=idle_seconds):
                drive(attempt)
            return False
        case End(seen, said):
            return end(ports, attempt, seen, said)


def end(
    ports: SettlePorts, attempt: LiveAttempt, seen: Finished, said: Testimony = NOTHING_SAID
) -> bool:
    """Write an attempt's end; False if it was stale. The cluster is told to forget the workload
    after that: at the end of the round, or by the next sweep.
    """
    past = ports.queue.past_attempts(attempt.ref)
    limits = _within_policy(ports, attempt.team)
    found = ending(attempt, seen, said, past, limits, actor=ports.actor)
    moved = ports.queue.end(found)
    ports.failpoint("settle.after_move")
    if moved:
        ports.tally.ended(MOVES[found.move].target, found.reason)
    return moved


def _within_policy(ports: SettlePorts, team: str) -> SettlingLimits:
    """No job grows beyond what the policy lets any have, nor beyond what its team may hold."""
    policy = ports.policy()
    bounds = (policy.greatest_memory, policy.quota_of(team).memory_bytes)
    greatest = min((bound for bound in bounds if bound is not None), default=None)
    return replace(ports.limits, greatest_memory=greatest)


def ending(
    attempt: LiveAttempt,
    seen: Finished,
    said: Testimony,
    past: Sequence[PastAttempt],
    limits: SettlingLimits,
    *,
    actor: str,
) -> Ending:
    """What an end makes of the job: done, failed, cancelled, or queued once more."""
    if seen.reason is not None and attempt.cancel_requested:
        seen = replace(seen, reason=Reason.CANCELLED)
    move, requeue, addition = _after(attempt, seen, said, past, limits)
    detail = storable(_detail(attempt, seen) + addition)
    dossier = _dossier(seen, detail, said)
    told = end_notices(attempt, move, seen, dossier)
    deliveries, summary = noticed_end(attempt, move, seen.reason, told, limits.rules)
    if limits.tracked:
        deliveries.append(Delivery(attempt.ref, "record", TRACKER))
    if limits.ships_logs:
        deliveries.append(Delivery(attempt.ref, "ship", LOGS))
    if limits.log_store:
        deliveries += line_filings(attempt.ref, seen, dossier)
    deliveries += usage_filings(attempt.ref, seen, limits.measured_late_seconds)
    return Ending(
        ref=attempt.ref,
        move=move,
        reason=seen.reason,
        actor=attempt.cancel_actor or actor if move is Move.CANCEL else actor,
        detail=detail,
        seen=seen,
        dossier=dossier,
        requeue=requeue,
        deliveries=deliveries,
        sweep_id=attempt.sweep_id,
        if_swept=summary,
    )


def _dossier(seen: Finished, detail: str, said: Testimony) -> Dossier:
    cause = Cause(seen.reason, detail) if seen.reason is not None else None
    facts = {**seen.evidence, **said.facts}
    return Dossier(cause, seen.exit_code, bounded(replace(said, facts=facts)))


def _after(
    attempt: LiveAttempt,
    seen: Finished,
    said: Testimony,
    past: Sequence[PastAttempt],
    limits: SettlingLimits,
) -> tuple[Move, Requeue | None, str]:
    if seen.reason is None:
        return Move.SUCCEED, None, ""
    if seen.reason.outcome is Outcome.CANCEL:
        return Move.CANCEL, None, ""
    again = retry_decision(
        attempt.submission.retry,
        PastAttempt(seen.reason, seen.exit_code, said.lines.texts, seen.node),
        attempt.resources,
        earlier=past,
        limits=RetryLimits(limits.infrastructure_tries, limits.greatest_memory),
    )
    if again is None:
        return Move.FAIL, None, ""
    requeue = Requeue(again.after_seconds, again.resources, again.avoids)
    return Move.REQUEUE, requeue, f"; {again.why}"


def _detail(attempt: LiveAttempt, seen: Finished) -> str:
    if seen.reason is Reason.CANCELLED:
        return f"cancelled by {attempt.cancel_actor}" if attempt.cancel_actor else ""
    if seen.message or seen.reason is None:
        return seen.message
    code = f" (exit code {seen.exit_code})" if seen.exit_code is not None else ""
    return f"{seen.reason.sentence}{code}"


def _beginning(ports: SettlePorts, attempt: LiveAttempt, running: Running) -> Beginning:
    return Beginning(
        ref=attempt.ref,
        actor=ports.actor,
        started_at=running.started_at,
        node=running.node,
        deliveries=noticed_start(attempt, running.started_at, ports.limits.rules),
    )


def _release(ports: SettlePorts, refs: Sequence[WorkloadRef], settled: Settled) -> None:
    """Release what is over, all at once; one that cannot be released now holds up nothing else."""
    if not refs:
        return
    for released in ports.cluster.release_all(refs):
        if released.error is not None:
            settled.troubles.append(f"{released.ref.name}: {released.error}")
            continue
        ports.failpoint("settle.after_release")
        ports.queue.mark_released(released.ref)


def _stop_strays(ports: SettlePorts, strays: frozenset[WorkloadRef], settled: Settled) -> None:
    for ref, seen in ports.cluster.observe(sorted(strays, key=lambda ref: ref.name)).items():
        if isinstance(seen, Absent | Finished):
            ports.cluster.set_aside(ref)
        else:
            ports.cluster.stop(ref, why=Reason.EVICTED, message="no live attempt explains it")
            settled.troubles.append(f"{ref.name} ran without a live attempt and is being stopped")
