"""Why a request is not admitted, in words and numbers.

Comes in: a request and the nodes as a plan left them. Goes out: an ``Explanation``. Before:
``planning``. Next: the ``decisions`` table, and from there every "why does it wait".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sentinels.core.capacity import (
    CPU,
    GPU,
    KINDS,
    MEMORY,
    FreeNode,
    Kind,
    Resources,
    coverage,
    fits,
    suits,
)
from sentinels.core.job import JobId
from sentinels.core.quota import Excess

FactValue = str | int | float | bool | None


class DecisionCode(StrEnum):
    """What stands between a lane's first job and its launch."""

    NO_CPU = "no_cpu"
    NO_MEMORY = "no_memory"
    NO_GPU = "no_gpu"
    NO_GPU_TYPE = "no_gpu_type"
    """No ready node has GPUs of the type."""
    RESERVED = "reserved"
    """It would fit, but the node is kept free for a job that waits longer."""
    NO_SLOT = "no_slot"
    """It would fit, but the node takes no more workloads of any size."""
    LAUNCH_LIMIT = "launch_limit"
    """It fits; this pass has launched its fill."""
    IMPOSSIBLE = "impossible"
    """It needs more than any ready node has in all."""
    NO_NODES = "no_nodes"
    """No node is ready."""
    QUOTA = "quota"
    """Its team would hold more than it may."""
    AVOIDED = "avoided"
    """It would fit only where an earlier attempt of it met trouble with the node."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision's contents; see ``planning.Decision``."""

    code: DecisionCode
    sentence: str
    facts: Mapping[str, FactValue]


_LACKING = {CPU: DecisionCode.NO_CPU, MEMORY: DecisionCode.NO_MEMORY, GPU: DecisionCode.NO_GPU}


def explain(
    request: Resources,
    nodes: Sequence[FreeNode],
    *,
    kept: Mapping[str, JobId],
    max_launches: int,
) -> Explanation:
    """Why this request is not admitted to these nodes, as the pass left them.

    ``kept`` are the nodes that the pass kept free, by name, and for which job.
    """
    if not nodes:
        return Explanation(DecisionCode.NO_NODES, "no node is ready to take jobs", {})
    able = [node for node in nodes if fits(request, node.allocatable)]
    if not able:
        return _impossible(request, [node for node in nodes if suits(request, node.allocatable)])
    room = [node for node in able if fits(request, node.free)]
    if not room:
        return _full(request, able)
    open_now = [node for node in room if node.takes(request)]
    if not open_now:
        return _crowded(room[0].name)
    if all(node.name in kept for node in open_now):
        return _kept(open_now[0].name, kept)
    return _limited(max_launches)


def over_quota(team: str, beyond: Excess) -> Explanation:
    """Why a lane is not admitted whose team would exceed its quota."""
    sentence = f"team {team} may have {beyond.limit} {beyond.noun} and has {beyond.held}"
    facts = {"quota": beyond.noun, "limit": beyond.limit, "held": beyond.held}
    return Explanation(DecisionCode.QUOTA, sentence, facts)


def avoided(node: str) -> Explanation:
    """Why a lane is not admitted whose first job keeps away from the only node with room."""
    sentence = f"would fit {node}, which it keeps away from after an attempt that failed there"
    return Explanation(DecisionCode.AVOIDED, sentence, {"node": node})


def _impossible(request: Resources, suited: Sequence[FreeNode]) -> Explanation:
    if not suited:
        sentence = f"needs {GPU.words(request)}; no ready node has GPUs of that type"
        return Explanation(DecisionCode.NO_GPU_TYPE, sentence, {"gpu_type": request.gpu_type})
    largest = max(suited, key=lambda node: coverage(request, node.allocatable))
    lacking = _lacking(request, largest.allocatable)
    has = _offer(lacking, lambda kind: kind.there(largest.allocatable), largest)
    sentence = f"{_needs(lacking, request)}; the largest ready node ({largest.name}) has {has}"
    return Explanation(DecisionCode.IMPOSSIBLE, sentence, _facts(lacking, request, largest))


def _full(request: Resources, nodes: Sequence[FreeNode]) -> Explanation:
    freest = max(nodes, key=lambda node: coverage(request, node.free))
    lacking = _lacking(request, freest.free)
    has = _offer(
        lacking,
        lambda kind: f"{kind.there(freest.free)} of {kind.there(freest.allocatable)}",
        freest,
    )
    code = _LACKING[min(lacking, key=lambda kind: kind.amount(freest.free) / kind.amount(request))]
    sentence = f"{_needs(lacking, request)}; the freest node ({freest.name}) has {has} free"
    return Explanation(code, sentence, _facts(lacking, request, freest))


def _kept(node: str, kept: Mapping[str, JobId]) -> Explanation:
    sentence = f"would fit {node}, which is kept free for job {kept[node]}"
    return Explanation(DecisionCode.RESERVED, sentence, {"node": node, "kept_for": kept[node]})


def _crowded(node: str) -> Explanation:
    sentence = f"would fit {node}, which takes no more workloads of any size"
    return Explanation(DecisionCode.NO_SLOT, sentence, {"node": node})


def _limited(max_launches: int) -> Explanation:
    sentence = f"fits; one pass launches at most {max_launches} jobs, the next goes on"
    if not max_launches:
        sentence = "fits; the cluster has yet to begin with what was launched before"
    return Explanation(DecisionCode.LAUNCH_LIMIT, sentence, {"max_launches": max_launches})


def _lacking(request: Resources, offer: Resources) -> list[Kind]:
    return [kind for kind in KINDS if kind.amount(request) > kind.amount(offer)]


def _needs(kinds: Sequence[Kind], request: Resources) -> str:
    return "needs " + " and ".join(kind.words(request) for kind in kinds)


def _offer(kinds: Sequence[Kind], figure: Callable[[Kind], str], node: FreeNode) -> str:
    if len(kinds) == 1:
        return figure(kinds[0])
    return " and ".join(f"{figure(kind)} {kind.noun(node.allocatable)}" for kind in kinds)


def _facts(kinds: Sequence[Kind], request: Resources, node: FreeNode) -> dict[str, FactValue]:
    facts: dict[str, FactValue] = {"node": node.name}
    for kind in kinds:
        facts[f"{kind.fact}_needed"] = kind.amount(request)
        facts[f"{kind.fact}_free"] = kind.amount(node.free)
        facts[f"{kind.fact}_total"] = kind.amount(node.allocatable)
    return facts
