"""The verbs of the front door: push jobs, cancel a job.

Comes in: a caller and what they sent, as plain data. Goes out: stored jobs and a poke for dispatch,
or every fault at once and nothing stored. Before: ``functions/submit``. Next: ``dispatching``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from sentinels.core.address import unknown_webhooks
from sentinels.core.capacity import largest_fit_faults
from sentinels.core.errors import Fault, InvalidSubmission
from sentinels.core.job import JobId, JobState
from sentinels.core.policy import CurrentPolicy, Person, limit_faults, priority_faults
from sentinels.core.ports import DataStore, Events, ImageStore
from sentinels.core.queueing import Caller, IntakeQueue, Push, Pushed
from sentinels.core.quota import never_faults, queue_faults
from sentinels.core.submission import Submission
from sentinels.core.submission_reading import expand_sweep, read_submission
from sentinels.core.workload import Image


@dataclass(frozen=True, slots=True)
class SubmitPorts:
    """What the front door stands on. ``keeps_secrets``: the cluster has secrets of each team.
    ``tracker_url`` is where workloads reach the tracker; empty: there is none. ``webhooks`` are the
    names of those that notices may go to.
    """

    queue: IntakeQueue
    images: ImageStore
    data: DataStore
    events: Events
    policy: CurrentPolicy
    keeps_secrets: bool = False
    tracker_url: str = ""
    webhooks: Collection[str] = ()


Fit = Callable[[Submission], Submission]
"""Cuts a submission to its right size."""


def push(
    ports: SubmitPorts,
    caller: Caller,
    *,
    image: object,
    config: object,
    key: str | None,
    fit: Fit | None = None,
) -> Pushed:
    """Check and store one push; the same key brings the same jobs again.

    Raises ``InvalidSubmission`` with every fault, ``Conflict`` for a key used for another push.
    """
    asked = read_submission(image, config)
    digest = digest_of(image, config, "fit") if fit else digest_of(image, config)
    if key is not None and (earlier := ports.queue.replay(caller, key, digest)):
        return earlier
    submission = under_policy(ports, caller, fit(asked) if fit else asked)
    found = check(ports, caller, submission, lambda: ports.images.resolve(submission.image))
    return store(ports, caller, submission, found, PushMark(key, digest))


@dataclass(frozen=True, slots=True)
class PushMark:
    """What tells a push from others: its key and what was pushed under it; of what it is a rerun.

    See ``Push``.
    """

    key: str | None
    digest: bytes
    rerun_of: JobId | None = None


def store(
    ports: SubmitPorts, caller: Caller, submission: Submission, image: Image, mark: PushMark
) -> Pushed:
    """Store a submission that was checked, and poke dispatch."""
    policy = ports.policy()
    pushed = ports.queue.submit(
        caller,
        Push(
            submissions=expand_sweep(submission),
            image=image,
            priority=policy.priority_classes[submission.priority or policy.default_class],
            key=mark.key,
            digest=mark.digest,
            rerun_of=mark.rerun_of,
        ),
    )
    ports.events.queue_changed()
    return pushed


def cancel(ports: SubmitPorts, caller: Caller, job_id: JobId) -> JobState:
    """Cancel a waiting job at once, or ask for the end of a live one; its state after that.

    Raises ``NotFound``, and ``Conflict`` for a job that has ended.
    """
    state = ports.queue.cancel(caller, job_id)
    ports.events.queue_changed()
    return state


def under_policy(ports: SubmitPorts, caller: Caller, asked: Submission) -> Submission:
    """The submission with what the policy gives where it names nothing: a class, a time limit."""
    policy = ports.policy()
    return replace(
        asked,
        priority=asked.priority or policy.class_for(asked, _person(caller)),
        time_limit=policy.limit_for(asked.time_limit),
    )


def check(
    ports: SubmitPorts, caller: Caller, submission: Submission, find: Callable[[], Image]
) -> Image:
    """Hold a sound submission against what there is and what is allowed; its image, pinned, as
    ``find`` finds it.

    Raises ``InvalidSubmission`` with every fault, ``Unavailable`` where something cannot be asked.
    """
    faults = [
        *_policy_faults(ports, caller, submission),
        *largest_fit_faults(submission.resources, ports.queue.nodes()),
        *_data_faults(ports.data, submission.data),
        *_secret_faults(ports, submission),
        *unknown_webhooks("notify.channel", submission.notify.to, ports.webhooks),
        *_dependency_faults(ports.queue.unknown_jobs(caller, submission.after)),
    ]
    try:
        image = find()
    except InvalidSubmission as invalid:
        raise InvalidSubmission([*invalid.faults, *faults]) from invalid
    if faults:
        raise InvalidSubmission(faults)
    return image


def _policy_faults(ports: SubmitPorts, caller: Caller, submission: Submission) -> list[Fault]:
    policy = ports.policy()
    quota, count = policy.quota_of(caller.team), len(expand_sweep(submission))
    faults = [
        *priority_faults(submission.priority or "", policy, _person(caller)),
        *limit_faults(submission.time_limit, policy),
        *never_faults(quota, caller.team, submission.resources),
    ]
    if quota.queued is not None:
        waiting = ports.queue.waiting(caller, most=quota.queued)
        faults += queue_faults(quota.queued, caller.team, waiting=waiting, pushed=count)
    return faults


def _person(caller: Caller) -> Person:
    return Person(caller.user, caller.team, caller.role)


def _data_faults(data: DataStore, paths: Sequence[str]) -> list[Fault]:
    if not paths:
        return []
    return [
        Fault(f"data[{paths.index(path)}]", why, value=path, remedy="see what the data store holds")
        for path, why in data.missing(paths).items()
    ]


def _secret_faults(ports: SubmitPorts, submission: Submission) -> list[Fault]:
    if ports.keeps_secrets or not submission.secrets:
        return []
    message = "there are no secrets on this machine: only a Kubernetes cluster keeps them"
    remedy = "give the variable with env, or let the program read a file that only you can read"
    return [Fault("secrets", message, value=", ".join(submission.secrets), remedy=remedy)]


def _dependency_faults(unknown: frozenset[int]) -> list[Fault]:
    return [
        Fault("after", f"there is no job {job_id}", value=str(job_id), remedy="see: sentinels jobs")
        for job_id in sorted(unknown)
    ]


def digest_of(*pushed: object) -> bytes:
    """What tells two pushes under one key apart."""
    canonical = json.dumps(pushed, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).digest()
