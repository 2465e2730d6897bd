"""One dispatch pass: settle what has ended, plan, claim, launch.

Load, work, apply: the cluster is asked before the admission's transaction, and workloads are
launched after its commit; nothing crosses the network inside it. Comes in: a tick or a poke. Goes
out: a ``PassReport``. Before: ``functions/dispatch``. Next: ``planning``, then ``launching``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sentinels.core.capacity import Resources, Snapshot, add, free_nodes
from sentinels.core.errors import ClusterUnavailable, SentinelsError
from sentinels.core.launching import Launcher
from sentinels.core.planning import Plan, plan
from sentinels.core.policy import Policy
from sentinels.core.ports import Tracker
from sentinels.core.queueing import Admission, DispatchQueue, PassReport
from sentinels.core.settling import SettlePorts, sweep
from sentinels.core.workload import WorkloadRef


@dataclass(frozen=True, slots=True)
class DispatchPorts:
    """What a pass stands on. ``stopwatch`` reads seconds from any fixed origin."""

    queue: DispatchQueue
    settle: SettlePorts
    tracker: Tracker | None
    tracker_url: str
    stopwatch: Callable[[], float]
    policy: Policy
    max_launches: int = 50


@dataclass(frozen=True, slots=True)
class Admitted:
    """What an admission claimed, and how many lanes are left waiting."""

    claims: Sequence[WorkloadRef] = ()
    waiting_lanes: int = 0


def run_pass(ports: DispatchPorts) -> PassReport:
    """Do one pass and leave its heartbeat. Raises ``Unavailable`` where it could not be done."""
    begin = ports.stopwatch()
    launcher = Launcher(ports.settle, ports.queue, ports.tracker, ports.tracker_url)
    try:
        settled = sweep(ports.settle, launcher.launch)
        admitted = _admit(ports)
        troubles = [*settled.troubles, *_launch(ports, launcher, admitted.claims)]
    except SentinelsError as error:
        ports.queue.record_pass(_report(ports, begin, error=str(error)))
        raise
    if launcher.tracker_trouble:
        troubles.append(launcher.tracker_trouble)
    report = PassReport(
        settled=settled.moved,
        launched=launcher.launched,
        waiting_lanes=admitted.waiting_lanes,
        milliseconds=_elapsed(ports, begin),
        error="; ".join(troubles) or None,
    )
    ports.queue.record_pass(report)
    return report


def _admit(ports: DispatchPorts) -> Admitted:
    snapshot = ports.settle.cluster.snapshot()
    ports.queue.record_nodes(snapshot)
    with ports.queue.admission() as admission:
        if admission is None:
            return Admitted()
        admission.release_deferred()
        planned, heads = _plan(ports, admission, snapshot)
        claims = admission.claim(planned.grants, lease_seconds=ports.settle.limits.lease_seconds)
        admission.record_decisions(planned.decisions)
        ports.settle.failpoint("dispatch.before_claim_commit")
    ports.settle.failpoint("dispatch.after_claim_commit")
    return Admitted(claims, heads)


def _plan(ports: DispatchPorts, admission: Admission, snapshot: Snapshot) -> tuple[Plan, int]:
    heads = admission.lane_heads(depth=ports.max_launches)
    live = admission.live()
    in_use: dict[str, Resources] = defaultdict(Resources)
    for _, team, held in live:
        in_use[team] = add(in_use[team], held)
    planned = plan(
        heads=heads,
        nodes=free_nodes(snapshot, in_flight={ref.name: held for ref, _, held in live}),
        in_use=in_use,
        policy=ports.policy.with_weights(admission.team_weights()),
        now=ports.settle.clock(),
        max_launches=ports.max_launches,
    )
    return planned, len(heads)


def _launch(ports: DispatchPorts, launcher: Launcher, claims: Sequence[WorkloadRef]) -> list[str]:
    if not claims:
        return []
    troubles = []
    claimed = set(claims)
    for attempt in ports.queue.live_attempts([ref.job_id for ref in claims]):
        if attempt.ref not in claimed:
            continue
        try:
            launcher.launch(attempt)
        except ClusterUnavailable as trouble:
            troubles.append(f"{attempt.ref.name}: {trouble}")
    return troubles


def _report(ports: DispatchPorts, begin: float, *, error: str) -> PassReport:
    return PassReport(0, 0, 0, _elapsed(ports, begin), error)


def _elapsed(ports: DispatchPorts, begin: float) -> float:
    return (ports.stopwatch() - begin) * 1000
