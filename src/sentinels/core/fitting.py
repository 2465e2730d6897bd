"""The right size of a push, by what the last runs of its name used.

Comes in: a request, and what such jobs used at most. Goes out: what would suffice, and the request
cut to it; GPUs are never taken away. Before: ``functions/submit``. Next: ``sizing``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sentinels.core.capacity import Resources
from sentinels.core.observation import Usage
from sentinels.core.planning import LaneHead
from sentinels.core.scene import Scene
from sentinels.core.sizing import Sizing, Verdict, sizings

LEAST_RUNS = 3
"""Fewer are no experience."""
_ANEW = -1


@dataclass(frozen=True, slots=True)
class PastUse:
    """What the last runs of a team's jobs of one name used, the most of each; how many they are."""

    runs: int
    usage: Usage


def too_large(asked: Resources, past: PastUse) -> list[Sizing]:
    """Of what less would have sufficed, where there is experience."""
    if past.runs < LEAST_RUNS:
        return []
    found = sizings(asked, past.usage)
    return [each for each in found if each.verdict is Verdict.LESS and each.enough is not None]


def fitted(asked: Resources, found: Sequence[Sizing]) -> Resources:
    """The request with what would have sufficed."""
    enough = {each.kind: each.enough for each in found}
    return replace(
        asked,
        cpu_millis=enough.get("cpu") or asked.cpu_millis,
        memory_bytes=enough.get("memory") or asked.memory_bytes,
    )


def resized(scene: Scene, ids: Sequence[int], resources: Resources) -> Scene:
    """The scene as it would be if these jobs of one lane asked for that."""
    moved = [each for each in scene.waiting if each.job_id in set(ids)]
    if not moved:
        return scene
    lane = next(each for each in scene.lanes if each.lane_id == moved[0].lane_id)
    anew = replace(
        lane,
        lane_id=_ANEW,
        resources=resources,
        job_id=moved[0].job_id,
        enqueued_at=moved[0].enqueued_at,
        waiting=len(moved),
    )
    waiting = [replace(each, lane_id=_ANEW) if each in moved else each for each in scene.waiting]
    return replace(scene, lanes=[*_left(scene, lane, len(moved)), anew], waiting=waiting)


def _left(scene: Scene, lane: LaneHead, moved: int) -> Iterator[LaneHead]:
    for each in scene.lanes:
        if each.lane_id != lane.lane_id:
            yield each
        elif each.waiting > moved:
            yield replace(each, waiting=each.waiting - moved)
