"""What the planner would do if the whole were a little different.

Comes in: a scene. Goes out: how many waiting jobs would start with one node more, or without some
jobs. Before: ``surveying``. Next: ``planning``, ``shortage``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sentinels.core.capacity import FreeNode, add
from sentinels.core.planning import Decision, Plan, plan
from sentinels.core.quota import TeamUse
from sentinels.core.scene import Occupant, Scene

MOST_LAUNCHES = 1000
"""Jobs that a simulation starts at most."""


@dataclass(slots=True)
class Simulation:
    """What the planner does at this moment, and would do at others like it."""

    scene: Scene
    free: list[FreeNode] = field(init=False)
    uses: dict[str, TeamUse] = field(init=False)
    baseline: int = field(init=False)
    _plan: Plan = field(init=False)

    def __post_init__(self) -> None:
        self.free, self.uses = self.scene.free(), self.scene.uses()
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

    def starts_without(self, occupants: Sequence[Occupant]) -> int:
        """How many more jobs would start without these."""
        freed: dict[str, list[Occupant]] = defaultdict(list)
        for each in occupants:
            if each.node is not None:
                freed[each.node].append(each)
        nodes = [_less_used(node, freed.get(node.name, ())) for node in self.free]
        return _count(self._planned(nodes)) - self.baseline

    def _planned(self, nodes: Sequence[FreeNode]) -> Plan:
        return plan(
            heads=self.scene.lanes,
            nodes=nodes,
            uses=self.uses,
            policy=self.scene.policy,
            now=self.scene.now,
            max_launches=MOST_LAUNCHES,
        )


def _count(planned: Plan) -> int:
    return sum(grant.count for grant in planned.grants)


def _less_used(node: FreeNode, freed: Sequence[Occupant]) -> FreeNode:
    free = node.free
    for each in freed:
        free = replace(add(free, each.held), gpu_type=node.free.gpu_type)
    slots = None if node.slots is None else node.slots + len(freed)
    gone = {(each.ref.job_id, each.ref.attempt) for each in freed}
    left = (each for each in node.tenants if (each.job_id, each.attempt) not in gone)
    return replace(node, free=free, slots=slots, tenants=tuple(left))
