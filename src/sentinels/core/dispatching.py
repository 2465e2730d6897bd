"""One dispatch pass: settle what has ended, plan, claim, launch.

Load, work, apply: the cluster is asked before the admission's transaction, and workloads are
launched after its commit; nothing crosses the network inside it. Comes in: a tick or a poke. Goes
out: a ``PassReport``. Before: ``functions/dispatch``. Next: ``planning``, then ``launching``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sentinels.core.capacity import FreeNode, Node, Snapshot, free_nodes, kept_away
from sentinels.core.errors import ClusterUnavailable, SentinelsError
from sentinels.core.job import JobId, Reason
from sentinels.core.launching import Launcher
from sentinels.core.pacing import launch_budget
from sentinels.core.planning import Plan, plan
from sentinels.core.policy import CurrentPolicy, Policy
from sentinels.core.ports import Tracker
from sentinels.core.preempting import Clearance
from sentinels.core.queueing import (
    Admission,
    Claim,
    DispatchQueue,
    LiveAttempt,
    NodeWish,
    PassReport,
)
from sentinels.core.scene import Occupant, uses_of
from sentinels.core.settling import Settled, SettlePorts, leave_words, sweep
from sentinels.core.workload import Placement, WorkloadRef

_KEEP_SECONDS = 10.0
"""How old what is kept of the teams' use may become: a pass may come many times a second."""


@dataclass(frozen=True, slots=True)
class DispatchPorts:
    """What a pass stands on. ``stopwatch`` reads seconds from any fixed origin. ``paced``: launch
    no more than the cluster was seen to begin with; see ``pacing``.
    """

    queue: DispatchQueue
    settle: SettlePorts
    tracker: Tracker | None
    tracker_url: str
    stopwatch: Callable[[], float]
    policy: CurrentPolicy
    max_launches: int = 50
    paced: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """What an admission claimed, who is asked to leave, how many lanes are left waiting, and the
    nodes that take work.
    """

    claims: Sequence[Claim] = ()
    kept: tuple[str, ...] = ()
    waiting_lanes: int = 0
    nodes: Sequence[Node] = ()
    clearances: Sequence[Clearance] = ()


def run_pass(ports: DispatchPorts) -> PassReport:
    """Do one pass and leave its heartbeat. Raises ``Unavailable`` where it could not be done."""
    begin = ports.stopwatch()
    launcher = Launcher(ports.settle, ports.queue, ports.tracker, ports.tracker_url)
    try:
        settled = sweep(ports.settle, launcher.launch)
        admitted = _admit(ports, settled, begin)
        troubles = [
            *settled.troubles,
            *_ask_to_leave(ports, admitted),
            *_launch(ports, launcher, admitted),
        ]
    except SentinelsError as error:
        ports.queue.record_pass(_report(ports, begin, error=str(error)))
        raise
    if launcher.tracker_trouble:
        troubles.append(launcher.tracker_trouble)
    report = PassReport(
        settled=settled.moved,
        launched=launcher.launched,
        waiting_lanes=admitted.waiting_lanes,
        unstarted=settled.unstarted,
        milliseconds=_elapsed(ports, begin),
        error="; ".join(troubles) or None,
    )
    ports.queue.record_pass(report)
    return report


def _admit(ports: DispatchPorts, settled: Settled, begin: float) -> Admitted:
    view = _View(_nodes(ports), frozenset(settled.running), ports.policy())
    most = _budget(ports, settled.unstarted, begin)
    with ports.queue.admission() as admission:
        if admission is None:
            return Admitted()
        admission.release_deferred()
        planned, heads = _plan(ports, admission, view, most)
        claims = admission.claim(planned.grants, lease_seconds=ports.settle.limits.lease_seconds)
        admission.record_decisions(planned.decisions)
        admission.ask_to_leave(planned.clearances)
        ports.settle.failpoint("dispatch.before_claim_commit")
    ports.settle.failpoint("dispatch.after_claim_commit")
    ready = [node for node in view.snapshot.nodes if node.ready]
    return Admitted(claims, tuple(planned.kept), heads, ready, planned.clearances)


def _nodes(ports: DispatchPorts) -> Snapshot:
    """The nodes as they are and as operators want them: what is retired takes nothing new."""
    snapshot = ports.settle.cluster.snapshot()
    wishes = ports.queue.record_nodes(snapshot)
    for node in snapshot.nodes:
        wish = wishes.get(node.name)
        if wish is NodeWish.CLOSE and node.ready:
            ports.settle.cluster.cordon(node.name, closed=True)
        elif wish is NodeWish.OPEN:
            ports.settle.cluster.cordon(node.name, closed=False)
            ports.queue.forget_wish(node.name)
    return Snapshot([_as_wished(node, wishes.get(node.name)) for node in snapshot.nodes])


def _as_wished(node: Node, wish: NodeWish | None) -> Node:
    return replace(node, ready=False) if wish is NodeWish.CLOSE else node


def _budget(ports: DispatchPorts, unstarted: int, begin: float) -> int:
    if not ports.paced:
        return ports.max_launches
    return launch_budget(
        ports.queue.recent_passes(),
        unstarted=unstarted,
        most=ports.max_launches,
        seconds_ago=ports.stopwatch() - begin,
    )


@dataclass(frozen=True, slots=True)
class _View:
    """The nodes, the names of the workloads that were seen running before that, and the policy in
    force.
    """

    snapshot: Snapshot
    running: frozenset[str]
    policy: Policy

    def free(self, live: Sequence[Occupant]) -> list[FreeNode]:
        """What is free. What was placed before and is on no node any more has ended."""
        in_flight = {each.ref.name: each.held for each in live if each.ref.name not in self.running}
        tenants = {each.ref.name: each.tenant for each in live}
        return free_nodes(self.snapshot, in_flight=in_flight, tenants=tenants)


def _plan(ports: DispatchPorts, admission: Admission, view: _View, most: int) -> tuple[Plan, int]:
    heads = admission.lane_heads(depth=ports.max_launches)
    live = admission.live()
    policy = view.policy.with_weights(admission.team_weights())
    past = admission.past_uses()
    uses = uses_of(live, view.snapshot.nodes, past, policy.half_life_seconds)
    if any(team not in past or past[team].seconds_ago >= _KEEP_SECONDS for team in uses):
        admission.keep_uses(uses)
    planned = plan(
        heads=heads,
        nodes=view.free(live),
        uses=uses,
        policy=policy,
        now=ports.settle.clock(),
        max_launches=most,
    )
    return planned, len(heads)


def _ask_to_leave(ports: DispatchPorts, admitted: Admitted) -> list[str]:
    """Stop those who make place; whom this does not reach now, the next sweep asks again."""
    troubles = []
    for clearance in admitted.clearances:
        for tenant in clearance.asked:
            ref = WorkloadRef(JobId(tenant.job_id), tenant.attempt)
            try:
                message = leave_words(clearance.job_id)
                ports.settle.cluster.stop(ref, why=Reason.PREEMPTED, message=message)
            except ClusterUnavailable as trouble:
                troubles.append(f"{ref.name}: {trouble}")
    return troubles


def _launch(ports: DispatchPorts, launcher: Launcher, admitted: Admitted) -> list[str]:
    if not admitted.claims:
        return []
    rooms = {claim.ref: claim.node for claim in admitted.claims}
    live = ports.queue.live_attempts([claim.ref.job_id for claim in admitted.claims])
    claimed = [attempt for attempt in live if attempt.ref in rooms]
    places = {each.ref: _placement(each, rooms[each.ref], admitted) for each in claimed}
    return list(map(str, launcher.launch_all(claimed, places)))


def _placement(attempt: LiveAttempt, room: str | None, admitted: Admitted) -> Placement:
    wholes = ((node.name, node.allocatable) for node in admitted.nodes)
    avoids = kept_away(attempt.avoids, attempt.resources, wholes)
    return Placement(room, admitted.kept, tuple(sorted(avoids)))


def _report(ports: DispatchPorts, begin: float, *, error: str) -> PassReport:
    return PassReport(
        settled=0, launched=0, waiting_lanes=0, milliseconds=_elapsed(ports, begin), error=error
    )


def _elapsed(ports: DispatchPorts, begin: float) -> float:
    return (ports.stopwatch() - begin) * 1000
