"""The verbs of the front door: push jobs, cancel a job.

Comes in: a caller and what they sent, as plain data. Goes out: stored jobs and a poke for dispatch,
or every fault at once and nothing stored. Before: ``functions/submit``. Next: ``preflight``,
``dispatching``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from sentinels.core.errors import Conflict
from sentinels.core.job import JobId, JobState
from sentinels.core.policy import Person
from sentinels.core.ports import Events
from sentinels.core.preflight import Cleared, Grounds, check
from sentinels.core.queueing import Caller, Push, Pushed, Sameness, SweepCancelled
from sentinels.core.sampling import expand_sweep, sweep_definition
from sentinels.core.submission import Submission
from sentinels.core.submission_reading import read_submission, submission_to_config
from sentinels.core.workload import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitPorts(Grounds):
    """What the front door stands on. ``tracker_url`` is where workloads reach the tracker; empty:
    there is none. For ``same_seconds`` the same push is not stored twice; 0: it always is.
    """

    events: Events
    tracker_url: str = ""
    same_seconds: float = 600.0


Fit = Callable[[Submission], Submission]
"""Cuts a submission to its right size."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a push is to be taken. The same ``key`` brings the same jobs again. So does the same push
    of the same user while one of its jobs has not ended, unless it is to be pushed ``again``; None:
    it is like no other. ``fit`` cuts it to its right size.
    """

    key: str | None = None
    again: bool | None = None
    fit: Fit | None = None


def push(
    ports: SubmitPorts, caller: Caller, *, image: object, config: object, manner: Manner
) -> Pushed:
    """Check and store one push.

    Raises ``InvalidSubmission`` with every fault, ``Conflict`` for a key used for another push.
    """
    asked, key, fit = read_submission(image, config), manner.key, manner.fit
    digest = digest_of(image, config, "fit") if fit else digest_of(image, config)
    if key is not None and (earlier := ports.queue.replay(caller, key, digest)):
        return earlier
    submission = under_policy(ports, caller, fit(asked) if fit else asked)
    found = check(ports, caller, submission, lambda: find_image(ports, caller, submission))
    sameness = _sameness(ports, found.image, submission, manner.again)
    return store(ports, caller, submission, found, PushMark(key, digest, sameness=sameness))


@dataclass(frozen=True, slots=True)
class PushMark:
    """What tells a push from others: its key and what was pushed under it; of what it is a rerun.

    See ``Push``.
    """

    key: str | None
    digest: bytes
    rerun_of: JobId | None = None
    sameness: Sameness | None = None


def store(
    ports: SubmitPorts, caller: Caller, submission: Submission, found: Cleared, mark: PushMark
) -> Pushed:
    """Store a submission that was checked, and poke dispatch."""
    policy = ports.policy()
    pushed = ports.queue.submit(
        caller,
        Push(
            submissions=expand_sweep(submission),
            image=found.image,
            priority=policy.priority_classes[submission.priority or policy.default_class],
            key=mark.key,
            digest=mark.digest,
            rerun_of=mark.rerun_of,
            sameness=mark.sameness,
            swept=sweep_definition(submission),
            at_once=submission.at_once,
        ),
    )
    if not pushed.same:
        ports.events.queue_changed()
    return replace(pushed, warnings=found.warnings)


def cancel(ports: SubmitPorts, caller: Caller, job_id: JobId) -> JobState:
    """Cancel a waiting job at once, or ask for the end of a live one; its state after that.

    Raises ``NotFound``, and ``Conflict`` for a job that has ended.
    """
    state = ports.queue.cancel(caller, job_id)
    ports.events.queue_changed()
    return state


def cancel_sweep(ports: SubmitPorts, caller: Caller, sweep_id: JobId) -> SweepCancelled:
    """Cancel all of a sweep that waits, or nothing, and ask for the end of what is live of it.

    Raises ``Conflict`` where all of it has ended.
    """
    done = ports.queue.cancel_sweep(caller, sweep_id)
    if done == SweepCancelled(0, 0):
        remedy = f"see: sentinels sweep {sweep_id}"
        raise Conflict(f"all jobs of sweep {sweep_id} have ended", remedy=remedy)
    ports.events.queue_changed()
    return done


def under_policy(ports: SubmitPorts, caller: Caller, asked: Submission) -> Submission:
    """The submission with what the policy gives where it names nothing: a class, a time limit."""
    policy = ports.policy()
    return replace(
        asked,
        priority=asked.priority or policy.class_for(asked, _person(caller)),
        time_limit=policy.limit_for(asked.time_limit),
    )


def _sameness(
    ports: SubmitPorts, image: Image, submission: Submission, again: bool | None
) -> Sameness | None:
    """What tells it from its user's other pushes: the image's content and the whole config."""
    if again is None or not ports.same_seconds:
        return None
    content = image.digest or image.location
    digest = digest_of(content, submission_to_config(submission))
    return Sameness(digest, ports.same_seconds, again)


def find_image(ports: SubmitPorts, caller: Caller, submission: Submission) -> Image:
    """What the image's name means now, for this caller's team."""
    return ports.images.resolve(submission.image, team=caller.team)


def _person(caller: Caller) -> Person:
    return Person(caller.user, caller.team, caller.role)


def digest_of(*pushed: object) -> bytes:
    """What tells two pushes under one key apart."""
    canonical = json.dumps(pushed, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).digest()
