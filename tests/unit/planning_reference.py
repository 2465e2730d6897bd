"""The planner's rules as a slow, obvious simulation, written from the design and not from the code.

One job at a time: list every lane that still has something to say, look at the first one in the
order of the design, start over. Shares are exact fractions. It shares no function
with ``sentinels.core.planning`` or ``sentinels.core.capacity``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import floor, inf

from sentinels.core.capacity import FreeNode, Resources
from sentinels.core.planning import LaneHead
from sentinels.core.policy import Policy


@dataclass
class Box:
    """A node: three numbers and a type."""

    name: str
    gpu_type: str | None
    free: list[int]
    room: list[int]
    kept: bool = False


@dataclass
class Outcome:
    """How many jobs of which lane, and which node is kept for which lane."""

    granted: dict[int, int] = field(default_factory=dict)
    kept: dict[int, str] = field(default_factory=dict)


@dataclass
class Lane:
    """A lane in the simulation."""

    head: LaneHead
    left: int
    refused: bool = False


def numbers(resources: Resources) -> list[int]:
    return [resources.cpu_millis, resources.memory_bytes, resources.gpus]


def has_room(request: Resources, space: list[int], gpu_type: str | None) -> bool:
    if request.gpu_type is not None and request.gpu_type != gpu_type:
        return False
    return all(asked <= there for asked, there in zip(numbers(request), space, strict=True))


def points(head: LaneHead, policy: Policy, now: datetime) -> int:
    waited = max(0.0, (now - head.enqueued_at).total_seconds())
    raised = 10 * floor(waited / policy.ageing_seconds)
    return head.priority + min(raised, policy.ageing_limit)


def share(held: list[int], whole: list[int], weight: Fraction) -> Fraction:
    parts = [Fraction(used, total) for used, total in zip(held, whole, strict=True) if total]
    return max(parts, default=Fraction(0)) / weight


def covered(request: Resources, box: Box) -> Fraction | float:
    pairs = zip(numbers(request), box.free, strict=True)
    return min((Fraction(there, asked) for asked, there in pairs if asked), default=inf)


def simulate(
    heads: Sequence[LaneHead],
    nodes: Sequence[FreeNode],
    in_use: Mapping[str, Resources],
    policy: Policy,
    now: datetime,
    max_launches: int,
) -> Outcome:
    """Run the pass by the book."""
    boxes = [
        Box(node.name, node.allocatable.gpu_type, numbers(node.free), numbers(node.room))
        for node in nodes
    ]
    whole = [sum(numbers(node.allocatable)[kind] for node in nodes) for kind in range(3)]
    held = {team: numbers(amount) for team, amount in in_use.items()}
    lanes = [Lane(head, head.waiting) for head in heads]
    outcome = Outcome()

    def place_in_order(lane: Lane) -> tuple[int, Fraction, datetime, int]:
        team = lane.head.team
        weight = Fraction(policy.team_weights.get(team, 1))
        return (
            -points(lane.head, policy, now),
            share(held.get(team, [0, 0, 0]), whole, weight),
            lane.head.enqueued_at,
            lane.head.job_id,
        )

    while sum(outcome.granted.values()) < max_launches:
        asking = [lane for lane in lanes if lane.left > 0 and not lane.refused]
        if not asking:
            break
        lane = min(asking, key=place_in_order)
        request = lane.head.resources
        fitting = [
            box for box in boxes if not box.kept and has_room(request, box.free, box.gpu_type)
        ]
        if fitting:
            taken = numbers(request)
            fitting[0].free = [a - b for a, b in zip(fitting[0].free, taken, strict=True)]
            before = held.get(lane.head.team, [0, 0, 0])
            held[lane.head.team] = [a + b for a, b in zip(before, taken, strict=True)]
            outcome.granted[lane.head.lane_id] = outcome.granted.get(lane.head.lane_id, 0) + 1
            lane.left -= 1
            continue
        lane.refused = True
        waited = (now - lane.head.enqueued_at).total_seconds()
        overdue = waited > policy.reserve_after_seconds
        if overdue and lane.left == lane.head.waiting and len(outcome.kept) < max_launches:
            able = [
                box for box in boxes if not box.kept and has_room(request, box.room, box.gpu_type)
            ]
            if able:
                best = max(covered(request, box) for box in able)
                chosen = next(box for box in able if covered(request, box) == best)
                chosen.kept = True
                outcome.kept[lane.head.lane_id] = chosen.name
    return outcome


def packable(requests: Sequence[Resources], nodes: Sequence[Resources]) -> bool:
    """Whether all requests fit on the nodes together, by trying every arrangement."""
    if not requests:
        return True
    first, rest = requests[0], requests[1:]
    tried = set()
    for index, node in enumerate(nodes):
        if node in tried or not has_room(first, numbers(node), node.gpu_type):
            continue
        tried.add(node)
        cpu, memory, gpus = (a - b for a, b in zip(numbers(node), numbers(first), strict=True))
        left = Resources(cpu, memory, gpus, node.gpu_type)
        after = [*nodes[:index], left, *nodes[index + 1 :]]
        if packable(rest, after):
            return True
    return False
