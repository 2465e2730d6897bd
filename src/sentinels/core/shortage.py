"""What is full, what waits behind it, and which one change would help most; and which node idles.

The same planner that admits jobs is asked. Comes in: a simulation of the whole. Goes out: values.
Before: ``simulating``. Next: ``shortage_words``, ``surveying``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinels.core.capacity import FreeNode, Node, Resources, fits, subtract
from sentinels.core.explaining import DecisionCode
from sentinels.core.planning import Decision, LaneHead
from sentinels.core.scene import Occupant, Scene
from sentinels.core.simulating import Simulation
from sentinels.core.workload import WorkloadRef

MOST_ENDS = 30
"""Ends that are looked at to find the next start."""
IDLE_PERCENT = 5.0
IDLE_MINUTES = 30
"""A job whose GPUs did less than this for so long is idle."""
MOST_SIZES = 8
"""Sizes of nodes that are tried."""
_NEW = "one more"


@dataclass(frozen=True, slots=True)
class Stuck:
    """A lane whose jobs cannot start now: so many of them."""

    head: LaneHead
    jobs: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """What is full, as in ``gpu:a100``, ``cpu``, ``memory``, ``slots``, ``size`` or ``nodes``, and
    the lanes that wait for it, the one that has waited longest first.
    """

    what: str
    lanes: Sequence[Stuck]

    @property
    def jobs(self) -> int:
        """How many jobs wait for it."""
        return sum(lane.jobs for lane in self.lanes)

    @property
    def oldest(self) -> LaneHead:
        """The job that has waited longest."""
        return self.lanes[0].head

    def amount(self, of: Callable[[Resources], int]) -> int:
        """How much of something they ask for in all."""
        return sum(of(lane.head.resources) * lane.jobs for lane in self.lanes)


@dataclass(frozen=True, slots=True)
class Help:
    """One change, and how many waiting jobs it would start now: a node more, or a job less."""

    starts: int
    node: FreeNode | None = None
    like: str | None = None
    tenant: Occupant | None = None
    gpu_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """The best node to add, the best job to end, and the end that the next start waits for; each
    None where there is none.
    """

    node: Help | None = None
    end: Help | None = None
    next_end: tuple[Occupant, datetime] | None = None


def shortages(simulation: Simulation) -> list[Shortage]:
    """Everything that is full, with the lanes that wait for it."""
    heads = {head.lane_id: head for head in simulation.scene.lanes}
    found: dict[str, list[Stuck]] = defaultdict(list)
    for decision in simulation.decisions:
        head = heads[decision.lane_id]
        what = _what(decision, heads, simulation.decisions)
        if what is not None:
            found[what].append(Stuck(head, head.waiting - simulation.granted(head.lane_id)))
    return [
        Shortage(what, sorted(lanes, key=lambda lane: (lane.head.enqueued_at, lane.head.job_id)))
        for what, lanes in sorted(found.items())
    ]


def advise(
    simulation: Simulation, shortage: Shortage, gpu_percent: Mapping[WorkloadRef, float]
) -> Advice:
    """Which one change would start most jobs now, and what the next start waits for otherwise."""
    return Advice(
        node=_best(_more_nodes(simulation, shortage)),
        end=_best(_fewer_jobs(simulation, gpu_percent)),
        next_end=_next_end(simulation),
    )


def idle_nodes(scene: Scene) -> list[str]:
    """Nodes without anything to do while nothing waits; one of the ready ones is never named."""
    ready = [node for node in scene.nodes if node.ready]
    if any(head.waiting for head in scene.lanes) or any(t.node is None for t in scene.occupants):
        return []
    busy = {tenant.node for tenant in scene.occupants}
    idle = [node for node in ready if node.name not in busy]
    if len(idle) == len(ready):
        smallest = min(ready, key=lambda node: (_size(node.allocatable), node.name), default=None)
        idle = [node for node in idle if node is not smallest]
    return sorted(node.name for node in idle)


_WHAT: Mapping[DecisionCode, str] = {
    DecisionCode.NO_CPU: "cpu",
    DecisionCode.NO_MEMORY: "memory",
    DecisionCode.NO_SLOT: "slots",
    DecisionCode.IMPOSSIBLE: "size",
    DecisionCode.NO_NODES: "nodes",
}


def _what(
    decision: Decision, heads: Mapping[int, LaneHead], decisions: Sequence[Decision]
) -> str | None:
    """What a lane waits for; None where it waits for nothing but the next pass."""
    if decision.code in (DecisionCode.NO_GPU, DecisionCode.NO_GPU_TYPE):
        gpu_type = heads[decision.lane_id].resources.gpu_type
        return f"gpu:{gpu_type}" if gpu_type else "gpu"
    if decision.code is DecisionCode.RESERVED:
        kept_for = decision.facts.get("kept_for")
        ahead = (other for other in decisions if heads[other.lane_id].job_id == kept_for)
        return next((_what(other, heads, ()) for other in ahead), None)
    return _WHAT.get(decision.code)


def _more_nodes(simulation: Simulation, shortage: Shortage) -> Iterator[Help]:
    """One more node of each size there is; where none is large enough, one that just is."""
    nodes = _sizes(simulation.scene.nodes)
    request = shortage.oldest.resources
    if not any(fits(request, room) for _, _, room in nodes):
        nodes = [*nodes, (None, request, request)]
    for like, allocatable, room in nodes:
        node = FreeNode(_NEW, room, room, allocatable)
        yield Help(simulation.starts_with(node), node=node, like=like)


def _sizes(nodes: Sequence[Node]) -> Sequence[tuple[str | None, Resources, Resources]]:
    """A node of each size, to the core and the GiB: the one that others use least of."""
    found: dict[tuple[int, int, int, str | None], Node] = {}
    for node in nodes:
        offered = node.allocatable
        size = (
            offered.cpu_millis // 1000,
            offered.memory_bytes // 2**30,
            offered.gpus,
            offered.gpu_type,
        )
        best = found.get(size)
        if best is None or _size(_room(node)) > _size(_room(best)):
            found[size] = node
    return [(node.name, node.allocatable, _room(node)) for node in found.values()][:MOST_SIZES]


def _fewer_jobs(simulation: Simulation, gpu_percent: Mapping[WorkloadRef, float]) -> Iterator[Help]:
    since = simulation.scene.now - timedelta(minutes=IDLE_MINUTES)
    for tenant in simulation.scene.occupants:
        percent = gpu_percent.get(tenant.ref, IDLE_PERCENT)
        long_enough = tenant.started_at is not None and tenant.started_at <= since
        if tenant.held.gpus and percent < IDLE_PERCENT and long_enough:
            starts = simulation.starts_without([tenant])
            yield Help(starts, tenant=tenant, gpu_percent=percent)


def _best(changes: Iterator[Help]) -> Help | None:
    """The one that starts most; among equals the smallest node, the job that has run longest."""
    best: Help | None = None
    for change in changes:
        if change.starts > 0 and (best is None or _rank(change) > _rank(best)):
            best = change
    return best


def _rank(change: Help) -> tuple[int, float]:
    if change.node is not None:
        return change.starts, -_size(change.node.allocatable)
    started = change.tenant.started_at if change.tenant else None
    return change.starts, -started.timestamp() if started else 0.0


def _next_end(simulation: Simulation) -> tuple[Occupant, datetime] | None:
    """The first end after which a waiting job can start, as far as ends can be told."""
    now = simulation.scene.now
    ends = [(tenant, tenant.expected_end(now)) for tenant in simulation.scene.occupants]
    known = [(tenant, end) for tenant, end in ends if end is not None and tenant.node is not None]
    known.sort(key=lambda pair: (pair[1], pair[0].ref.job_id))
    for count, (tenant, end) in enumerate(known[:MOST_ENDS], start=1):
        if simulation.starts_without([each for each, _ in known[:count]]) > 0:
            return tenant, end
    return None


def _room(node: Node) -> Resources:
    return subtract(node.allocatable, node.foreign)


def _size(amount: Resources) -> float:
    """For comparing nodes: a GPU counts as much as sixteen cores, a core as four GiB."""
    return amount.gpus * 16 + amount.cpu_millis / 1000 + amount.memory_bytes / 2**32
