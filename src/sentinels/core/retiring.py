"""Taking a node out of service: what is still on it, until when, and what would miss it.

Comes in: an operator's wish for a node, and what PostgreSQL knows of nodes, live attempts and
waiting lanes. Goes out: the wish, which the next dispatch pass acts on, and a ``Leaving``. Before:
``functions/submit``. Next: ``dispatching``, which closes the node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sentinels.core.capacity import Node, Snapshot, fits, free_nodes
from sentinels.core.errors import NotFound
from sentinels.core.explaining import explain
from sentinels.core.planning import LaneHead
from sentinels.core.queueing import Caller, NodeWish
from sentinels.core.reading import NodeJob, NodeView
from sentinels.core.submitting import SubmitPorts

_NAMED = 20
"""How many nodes are named to somebody who named one that is not there."""


@dataclass(frozen=True, slots=True)
class Stranded:
    """Waiting jobs of one lane that only this node could take; ``why`` no other can."""

    lane: LaneHead
    why: str


@dataclass(frozen=True, slots=True)
class Leaving:
    """A node as somebody sees it who wants to take it away.

    ``running`` are seen on it. ``launching`` were launched and are not seen anywhere yet: they may
    turn up on it. ``stranded`` fit no other node that takes work.
    """

    view: NodeView
    running: Sequence[NodeJob]
    launching: Sequence[NodeJob]
    stranded: Sequence[Stranded]

    @property
    def is_closed(self) -> bool:
        """Whether a pass has seen it closed: no later pass gives it work."""
        return not self.view.node.ready

    @property
    def is_empty(self) -> bool:
        """Whether nothing of ours is on it, nor can come to it any more."""
        return self.is_closed and not (self.running or self.launching)


def wish_node(ports: SubmitPorts, caller: Caller, node: str, wish: NodeWish) -> None:
    """Close the node to new work, or open it again; the next pass does it. May be repeated.

    Raises ``NotFound`` with what there is.
    """
    if not ports.queue.wish_node(caller, node, wish):
        raise _no_such_node(node, [each.name for each in ports.queue.nodes()])
    ports.events.queue_changed()


def leaving(
    node: str, views: Sequence[NodeView], jobs: Sequence[NodeJob], lanes: Sequence[LaneHead]
) -> Leaving:
    """What taking this node away would mean. Raises ``NotFound`` with what there is."""
    here = next((view for view in views if view.node.name == node), None)
    if here is None:
        raise _no_such_node(node, [view.node.name for view in views])
    others = [view.node for view in views if view is not here and view.takes_work]
    return Leaving(
        view=here,
        running=[job for job in jobs if job.node == node],
        launching=[job for job in jobs if job.node is None],
        stranded=stranded(here.node, others, lanes),
    )


def stranded(node: Node, others: Sequence[Node], lanes: Sequence[LaneHead]) -> list[Stranded]:
    """The lanes whose jobs fit this node and none of the others, were these empty of our jobs."""
    rooms = free_nodes(Snapshot(others), in_flight={})
    return [
        Stranded(lane, explain(lane.resources, rooms, kept={}, max_launches=1).sentence)
        for lane in lanes
        if fits(lane.resources, node.allocatable)
        and not any(fits(lane.resources, room.free) for room in rooms)
    ]


def _no_such_node(node: str, known: Sequence[str]) -> NotFound:
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    listed = ", ".join(sorted(known)[:_NAMED]) + more
    there = f"there is: {listed}" if known else "none was seen yet; see: sentinels doctor"
    return NotFound(f"there is no node {node!r}", remedy=there)
