"""Why a job waits and when it will start: one true answer with its ways out.

What is said is what the planner says of the scene that PostgreSQL shows, within two seconds. Comes
in: an ``Ask``. Goes out: JSON. Before: ``routes``, ``pushing``. Next: ``core/answering``,
``core/answer_words``, ``core/foreseeing``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flask import Response

from sentinels.core.answer_words import (
    way_command,
    way_config,
    way_words,
    why_facts,
    why_sentence,
)
from sentinels.core.answering import Why, why
from sentinels.core.errors import QueueUnavailable
from sentinels.core.forecasting import look_for
from sentinels.core.foreseeing import Range, ranges
from sentinels.core.job import TERMINAL_STATES, JobState
from sentinels.core.policy import Person, Policy, priority_faults
from sentinels.core.ports import Json
from sentinels.core.quantity import format_duration
from sentinels.core.reading import Held, JobView
from sentinels.core.scene import Scene
from sentinels.functions.http import reply
from sentinels.functions.submit.door import Ask, FrontDoor
from sentinels.functions.submit.placing import jobs_json
from sentinels.functions.submit.shaping import range_json, time_json

LOOK_SECONDS = 1.5
"""For looking ahead; what is not seen within it is not told."""
PUSH_SECONDS, PUSH_WAITING = 0.25, 200
"""The same for who pushes, and in queues that are no longer than this."""
_SILENT_SECONDS = 300
_BEYOND = "It is beyond the first {} waiting jobs: that far nobody looks ahead."


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is told of a job: in words, for programs, and the ways out."""

    sentence: str
    facts: Mapping[str, Json] = field(default_factory=dict)
    ways: Sequence[Json] = ()
    expected: Range | None = None


def show_why(ask: Ask) -> Response:
    """Why a job waits, when it is expected to start, and how that answer changed."""
    job = ask.job()
    view = ask.door.reading.jobs(ask.caller, [job.id])[0]
    waits = view.state is JobState.QUEUED
    answer = _waiting(ask, view, seconds=LOOK_SECONDS) if waits else _Answer(_over(view))
    story = ask.door.foresight.story(job.id) if ask.query.word("history") == "true" else ()
    return reply(
        {
            "job": jobs_json(ask.door, [view])[0],
            "waits": waits,
            "sentence": answer.sentence,
            "trouble": _trouble(ask.door) if waits else None,
            "facts": dict(answer.facts),
            "ways": list(answer.ways),
            "expected": range_json(answer.expected),
            "history": [{"at": time_json(each.at), "sentence": each.sentence} for each in story],
        }
    )


def why_it_waits(ask: Ask, view: JobView) -> str:
    """The same in words alone, without a look ahead."""
    return _waiting(ask, view, seconds=0).sentence


def foretell(scene: Scene, ids: Sequence[int], *, seconds: float) -> Mapping[int, Range]:
    """When these jobs are expected to start, as far as that can be told so soon."""
    found = ranges(scene, wanted=frozenset(ids), look=look_for(seconds, time.monotonic))
    return {job_id: found[job_id] for job_id in ids if job_id in found}


def foretell_push(door: FrontDoor, ids: Sequence[int]) -> Scene | None:
    """Keep when new jobs are expected to start, where the queue is short enough to tell that soon;
    else notify's next round does. A push is stored: what goes wrong here harms nobody. The scene
    with them, where it was looked at.
    """
    try:
        scene = door.foresight.scene(now=door.clock(), most=PUSH_WAITING + 1)
        if len(scene.waiting) > PUSH_WAITING:
            return None
        door.foresight.keep(foretell(scene, ids, seconds=PUSH_SECONDS))
    except QueueUnavailable:
        return None
    return scene


def _over(view: JobView) -> str:
    if view.state in TERMINAL_STATES:
        return (
            f"It does not wait: it {_ENDED[view.state]}. How it ended: sentinels explain {view.id}"
        )
    if view.state is JobState.RUNNING:
        return f"It does not wait: it runs. See: sentinels status {view.id}"
    return f"It does not wait: the cluster is starting it. See: sentinels status {view.id}"


_ENDED: Mapping[JobState, str] = {
    JobState.SUCCEEDED: "has succeeded",
    JobState.FAILED: "has failed",
    JobState.CANCELLED: "was cancelled",
}


def _waiting(ask: Ask, view: JobView, *, seconds: float) -> _Answer:
    door, now = ask.door, ask.door.clock()
    held = door.reading.held([view.id]).get(view.id)
    if held is not None:
        return _Answer(_not_yet(ask, held, now), {"code": "held"})
    scene = door.foresight.scene(now=now)
    found = why(
        scene,
        view.id,
        classes=_classes(ask, door.ports.policy()),
        max_launches=door.max_launches,
    )
    if found is None:
        return _Answer(_BEYOND.format(len(scene.waiting)), {"code": "beyond"})
    ahead = foretell(scene, [view.id], seconds=seconds) if seconds else {}
    return _Answer(
        _limited(ask, view) if found.decision is None else why_sentence(found, scene.policy, now),
        why_facts(found),
        _ways(found, scene.policy),
        ahead.get(view.id),
    )


def _limited(ask: Ask, view: JobView) -> str:
    """What fits starts with the next pass, unless passes have their fill."""
    answer = ask.door.reading.answers([view.id]).get(view.id)
    said = answer.sentence if answer is not None and answer.considered else None
    return (
        f"It {said}." if said and said.startswith("fits;") else "It fits: the next pass starts it."
    )


def _ways(found: Why, policy: Policy) -> list[Json]:
    ways: list[Json] = []
    for way in found.ways:
        config = way_config(way, found, policy)
        ways.append(
            {
                "words": way_words(way, found, policy),
                "config": config,
                "command": way_command(found.job_id, config),
            }
        )
    return ways


def _classes(ask: Ask, policy: Policy) -> list[int]:
    """The numbers of the priority classes that the caller may use."""
    person = Person(ask.caller.user, ask.caller.team, ask.caller.role.value)
    classes = policy.priority_classes
    return [classes[name] for name in classes if not priority_faults(name, policy, person)]


def _not_yet(ask: Ask, held: Held, now: datetime) -> str:
    if held.waits_for:
        others = ask.door.reading.jobs(ask.caller, list(held.waits_for))
        return f"It starts after {' and '.join(map(_other, others))}."
    seconds = math.ceil((held.not_before - now).total_seconds()) if held.not_before else 0
    if seconds <= 0:
        return "It is about to be queued again: the next pass does that."
    return (
        f"It is tried again in {format_duration(seconds)}: so long its last attempt asks to rest."
    )


def _other(view: JobView) -> str:
    return f"job {view.id} {view.name}, which {_DOES[view.state]}"


_DOES: Mapping[JobState, str] = {
    JobState.QUEUED: "waits itself",
    JobState.DISPATCHED: "is being started",
    JobState.RUNNING: "runs",
    JobState.SUCCEEDED: "has succeeded",
    JobState.FAILED: "has failed",
    JobState.CANCELLED: "was cancelled",
}


def _trouble(door: FrontDoor) -> str | None:
    """Why nothing at all starts, where that is so."""
    pulse = door.reading.pulse()
    if pulse.last_pass_seconds is None:
        return "nothing was ever dispatched here: sentinels doctor"
    ago = format_duration(max(1, int(pulse.last_pass_seconds)))
    if pulse.last_pass_seconds > _SILENT_SECONDS:
        return f"the last dispatch pass was {ago} ago, so nothing starts: sentinels doctor"
    if pulse.last_pass_error:
        return f"the last dispatch pass, {ago} ago, met with trouble: {pulse.last_pass_error}"
    return None
