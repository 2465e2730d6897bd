"""What the planner would do if the whole were a little different.

Comes in: lanes, nodes and what is on them at one moment. Goes out: how many waiting jobs would
start with one node more, or without some jobs. Before: ``surveying``. Next: ``planning``,
``shortage``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sentinels.core.capacity import FreeNode, Node, Resources, Snapshot, add, free_nodes
from sentinels.core.planning import Decision, LaneHead, Plan, plan
from sentinels.core.policy import Policy
from sentinels.core.quota import TeamUse
from sentinels.core.workload import WorkloadRef

MOST_LAUNCHES = 1000
"""Jobs that a simulation starts at most."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A live attempt. ``node`` is None until it was seen on one; ``time_limit`` and ``usual`` (how
    long such jobs took before) are in seconds, None where there is none.
    """

    ref: WorkloadRef
    name: str
    user: str
    team: str
    resources: Resources
    node: str | None = None
    started_at: datetime | None = None
    time_limit: float | None = None
    usual: float | None = None

    def expected_end(self, now: datetime) -> datetime | None:
        """When it should be over: as long as such jobs took, at its time limit at the latest."""
        if self.started_at is None:
            return None
        lengths = sorted(each for each in (self.usual, self.time_limit) if each is not None)
        ends = (self.started_at + timedelta(seconds=length) for length in lengths)
        return next((end for end in ends if end > now), None)


@dataclass(frozen=True, slots=True)
class Scene:
    """The whole at one moment. ``nodes`` need no workloads: the tenants say where they are."""

    heads: Sequence[LaneHead]
    nodes: Sequence[Node]
    tenants: Sequence[Tenant]
    policy: Policy
    now: datetime

    def with_usual(self, seconds: Mapping[WorkloadRef, float]) -> Scene:
        """The same with how long such jobs took before, where that is known."""
        tenants = [replace(each, usual=seconds.get(each.ref)) for each in self.tenants]
        return replace(self, tenants=tenants)


@dataclass(slots=True)
class Simulation:
    """What the planner does at this moment, and would do at others like it."""

    scene: Scene
    free: list[FreeNode] = field(init=False)
    baseline: int = field(init=False)
    _plan: Plan = field(init=False)

    def __post_init__(self) -> None:
        self.free = _free(self.scene)
        self._plan = self._planned(self.free)
        self.baseline = _count(self._plan)

    @property
    def decisions(self) -> Sequence[Decision]:
        """Why the lanes that are left waiting are."""
        return self._plan.decisions

    def granted(self, lane_id: int) -> int:
        """How many jobs of a lane would start now."""
        return sum(grant.count for grant in self._plan.grants if grant.lane_id == lane_id)

    def starts_with(self, node: FreeNode) -> int:
        """How many more jobs would start with one more node."""
        return _count(self._planned([*self.free, node])) - self.baseline

    def starts_without(self, tenants: Sequence[Tenant]) -> int:
        """How many more jobs would start without these."""
        freed: dict[str, list[Resources]] = defaultdict(list)
        for tenant in tenants:
            if tenant.node is not None:
                freed[tenant.node].append(tenant.resources)
        nodes = [_less_used(node, freed.get(node.name, ())) for node in self.free]
        return _count(self._planned(nodes)) - self.baseline

    def _planned(self, nodes: Sequence[FreeNode]) -> Plan:
        return plan(
            heads=self.scene.heads,
            nodes=nodes,
            uses=_uses(self.scene),
            policy=self.scene.policy,
            now=self.scene.now,
            max_launches=MOST_LAUNCHES,
        )


def _uses(scene: Scene) -> dict[str, TeamUse]:
    types = {node.name: node.allocatable.gpu_type for node in scene.nodes}
    uses: dict[str, TeamUse] = defaultdict(TeamUse)
    for tenant in scene.tenants:
        gpu_type = types.get(tenant.node or "", tenant.resources.gpu_type)
        uses[tenant.team] = uses[tenant.team].more(tenant.resources, gpu_type)
    return uses


def _free(scene: Scene) -> list[FreeNode]:
    held: dict[str | None, dict[str, Resources]] = defaultdict(dict)
    for tenant in scene.tenants:
        held[tenant.node][tenant.ref.name] = tenant.resources
    nodes = [replace(node, workloads=held.get(node.name, {})) for node in scene.nodes]
    live = {tenant.ref.name: tenant.resources for tenant in scene.tenants}
    return free_nodes(Snapshot(nodes), in_flight=live)


def _count(planned: Plan) -> int:
    return sum(grant.count for grant in planned.grants)


def _less_used(node: FreeNode, freed: Sequence[Resources]) -> FreeNode:
    free = node.free
    for resources in freed:
        free = replace(add(free, resources), gpu_type=node.free.gpu_type)
    slots = None if node.slots is None else node.slots + len(freed)
    return replace(node, free=free, slots=slots)
