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

STEPS = 300
"""Ends that are looked at in each future, closely: looked at coarsely, each would err otherwise."""
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


@dataclass(slots=True)
class _Future:
    """What is foreseen of a scene; ``until`` is how far that goes, None: to the end of all that can
    be foreseen.
    """

    starts: Mapping[int, Start]
    until: datetime | None = None

    def at(self, job_id: int) -> datetime | None:
        """When the job starts."""
        return self.starts[job_id].at if job_id in self.starts else None

    def tells_of(self, job_id: int, start: datetime | None) -> bool:
        """Whether it goes far enough to know a job that starts then in another future."""
        if start is None or job_id in self.starts or self.until is None:
            return True
        return start < self.until


@dataclass(slots=True)
class _Steps:
    """So many; ``over`` once there was a wish for one more."""

    left: int
    over: bool = False

    def more(self) -> bool:
        """Whether to go on."""
        self.left, self.over = self.left - 1, self.left <= 0
        return not self.over


def shifts(before: Scene, after: Scene, *, steps: int = STEPS) -> list[Shift]:
    """Every waiting job that both futures tell of, those that are delayed most first."""
    old, new = _foreseen(before, steps), _foreseen(after, steps)
    places = [{job_id: place for place, job_id in enumerate(each.starts, 1)} for each in (old, new)]
    teams = {lane.lane_id: lane.team for lane in before.lanes}
    found = [
        Shift(
            job_id=job.job_id,
            user=job.user,
            team=teams.get(job.lane_id, ""),
            before=old.at(job.job_id),
            after=new.at(job.job_id),
            place_before=places[0].get(job.job_id),
            place_after=places[1].get(job.job_id),
        )
        for job in before.waiting
        if old.tells_of(job.job_id, new.at(job.job_id))
        and new.tells_of(job.job_id, old.at(job.job_id))
    ]
    return sorted(found, key=lambda shift: (-shift.later, shift.job_id))


def _foreseen(scene: Scene, most: int) -> _Future:
    steps = _Steps(most)
    starts = foresee(scene, look=Look(steps=most + 1, go_on=steps.more))
    return _Future(
        starts,
        max((each.at for each in starts.values()), default=scene.now) if steps.over else None,
    )


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
