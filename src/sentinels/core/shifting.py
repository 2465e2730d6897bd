"""Whose jobs start earlier or later if something is changed: the future with and without it.

Pure. Comes in: one scene as it is and one as it would be. Goes out: the jobs whose foreseen start
is another. Before: ``bumping``, ``governing``. Next: ``foreseeing``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sentinels.core.capacity import Resources
from sentinels.core.foreseeing import Look, Start, foresee
from sentinels.core.job import JobId
from sentinels.core.planning import LaneHead
from sentinels.core.scene import Scene, Waiting

STEPS = 500
"""Ends that are looked at in each of the two futures."""
_NOTICEABLE = 60.0
"""Seconds; a start that moves by less has not moved."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A waiting job whose start or place moves; None: it cannot be foreseen.

    ``place`` is which of all those that wait it is to start, counted from 1.
    """

    job_id: JobId
    user: str
    team: str
    before: datetime | None
    after: datetime | None
    place_before: int | None
    place_after: int | None

    @property
    def later(self) -> float:
        """By how many seconds it starts later, less than 0 for sooner; without end where its start
        can be foreseen no more.
        """
        if self.before is None:
            return 0.0 if self.after is None else float("-inf")
        return float("inf") if self.after is None else (self.after - self.before).total_seconds()

    @property
    def is_later(self) -> bool:
        """Whether anybody would notice."""
        return self.later >= _NOTICEABLE

    @property
    def is_moved(self) -> bool:
        """Whether it starts in another place, or noticeably later or sooner."""
        return self.place_before != self.place_after or abs(self.later) >= _NOTICEABLE


def shifts(before: Scene, after: Scene, *, steps: int = STEPS) -> list[Shift]:
    """Every job that waits in the one or the other, those that are delayed most first."""
    old, new = foresee(before, look=Look(steps=steps)), foresee(after, look=Look(steps=steps))
    old_places, new_places = _places(old), _places(new)
    teams = {lane.lane_id: lane.team for lane in (*before.lanes, *after.lanes)}
    jobs = {each.job_id: each for each in (*before.waiting, *after.waiting)}
    found = [
        Shift(
            job_id=job.job_id,
            user=job.user,
            team=teams[job.lane_id],
            before=_at(old, job.job_id),
            after=_at(new, job.job_id),
            place_before=old_places.get(job.job_id),
            place_after=new_places.get(job.job_id),
        )
        for job in jobs.values()
        if job.lane_id in teams
    ]
    return sorted(found, key=lambda shift: (-shift.later, shift.job_id))


def moved(scene: Scene, jobs: Collection[int], priority: int) -> Scene:
    """The scene with these of its waiting jobs in lanes of another priority."""
    lanes = {_key(lane): lane for lane in scene.lanes}
    heads = {lane.lane_id: lane for lane in scene.lanes}
    waiting: list[Waiting] = []
    for job in sorted(scene.waiting, key=lambda each: each.job_id):
        lane = heads.get(job.lane_id)
        if lane is None or job.job_id not in jobs:
            waiting.append(job)
            continue
        wanted = replace(lane, priority=priority, lane_id=-1 - len(lanes))
        target = lanes.setdefault(_key(wanted), wanted)
        waiting.append(replace(job, lane_id=target.lane_id))
    return replace(scene, lanes=list(lanes.values()), waiting=waiting)


def _key(lane: LaneHead) -> tuple[str, int, Resources]:
    return lane.team, lane.priority, lane.resources


def _places(starts: Mapping[int, Start]) -> dict[int, int]:
    return {job_id: place for place, job_id in enumerate(starts, start=1)}


def _at(starts: Mapping[int, Start], job_id: int) -> datetime | None:
    return starts[job_id].at if job_id in starts else None
