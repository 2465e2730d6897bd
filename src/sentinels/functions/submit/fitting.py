"""The right size, as a push is told it: what the last runs of its name used, what less would gain.

Comes in: a push, and the scene with it. Goes out: a submission that is cut to size where that is
asked for, and JSON. Before: ``pushing``. Next: ``core/fitting``, ``core/foreseeing``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sentinels.core.fitting import PastUse, fitted, resized, too_large
from sentinels.core.forecasting import look_for
from sentinels.core.foreseeing import foresee
from sentinels.core.ports import Json
from sentinels.core.reading import JobView
from sentinels.core.scene import Scene
from sentinels.core.sizing import Sizing
from sentinels.core.submission import Submission
from sentinels.functions.submit.door import Ask
from sentinels.functions.submit.shaping import request_json

_SECONDS = 0.25


@dataclass(slots=True)
class Fitter:
    """Cuts a push to what the last runs of its name used, and remembers what it did."""

    ask: Ask
    taken: Sequence[Sizing] = ()
    runs: int = field(default=0)

    def __call__(self, submission: Submission) -> Submission:
        """The submission, no larger than it has to be."""
        past = _past(self.ask, submission.name)
        self.runs, self.taken = past.runs, too_large(submission.resources, past)
        return replace(submission, resources=fitted(submission.resources, self.taken))


def fit_json(ask: Ask, job: JobView, ids: Sequence[int], scene: Scene | None) -> Json:
    """What would suffice for these jobs of one size, and how much sooner they would start."""
    past = _past(ask, job.name)
    found = too_large(job.resources, past)
    if not found:
        return None
    enough = fitted(job.resources, found)
    sooner = None if scene is None else _sooner(scene, ids, resized(scene, ids, enough))
    return {
        "runs": past.runs,
        "taken": False,
        "sentences": [f"{each.kind}: {each.sentence}" for each in found],
        "resources": request_json(enough),
        "sooner_seconds": sooner,
    }


def taken_json(fitter: Fitter, job: JobView) -> Json:
    """What was taken instead of what was asked for."""
    if not fitter.taken:
        return None
    return {
        "runs": fitter.runs,
        "taken": True,
        "sentences": [f"{each.kind}: {each.sentence}" for each in fitter.taken],
        "resources": request_json(job.resources),
        "sooner_seconds": None,
    }


def _past(ask: Ask, name: str) -> PastUse:
    return ask.door.foresight.past_use(ask.caller.team_id, name)


def _sooner(scene: Scene, ids: Sequence[int], other: Scene) -> float | None:
    """How many seconds sooner the last of them starts; None where that cannot be told so soon."""
    look, wanted = look_for(_SECONDS, time.monotonic), frozenset(ids)
    as_asked, cut = (foresee(each, wanted=wanted, look=look) for each in (scene, other))
    if not wanted <= as_asked.keys() or not wanted <= cut.keys():
        return None
    gained = max(as_asked[each].at for each in ids) - max(cut[each].at for each in ids)
    return max(0.0, gained.total_seconds())
