"""What a push is held against before it is stored: look by look, each with what to do if it fails.

What is asked over a network is asked side by side and each for a bounded time: silence is a
warning, an answer that says no is a refusal. Comes in: a sound submission. Goes out: checks, and
the image, pinned. Before: ``submitting``, ``functions/submit``. Next: ``ports``, ``quota``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sentinels.core.address import unknown_webhooks
from sentinels.core.capacity import Node, fits, largest_fit_faults
from sentinels.core.errors import Fault, InvalidSubmission, Unavailable
from sentinels.core.job import JobState
from sentinels.core.policy import CurrentPolicy, Person, limit_faults, priority_faults
from sentinels.core.ports import DataStore, Experiments, ImageStore, SecretStore, Unpinned
from sentinels.core.quantity import format_duration
from sentinels.core.queueing import Caller, IntakeQueue
from sentinels.core.quota import Quota, excess, never_faults, queue_faults
from sentinels.core.sampling import expand_sweep
from sentinels.core.submission import Submission
from sentinels.core.workload import Image

OUTSIDE_SECONDS = 1.5
"""How long what is asked over a network may take; together with the rest, two seconds."""


class Standing(StrEnum):
    """How a check ended; a warning lets a push through."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One look: of what, how it ended, one sentence; ``faults`` are why it refuses the push."""

    name: str
    standing: Standing
    said: str
    faults: tuple[Fault, ...] = ()


Look = Callable[[], Check]
Begin = Callable[[Look, float], Look]
"""Begins a look beside others, for so many seconds; what comes back waits for its end. That raises
what the look raises, and ``Unavailable`` where the time is over.
"""


def in_turn(look: Look, _: float) -> Look:
    """A ``Begin`` that looks when it is waited for."""
    return look


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What a push is held against. ``secrets``: what the cluster keeps for teams; None: it keeps
    none. ``webhooks`` are the names of those that notices may go to.
    """

    queue: IntakeQueue
    images: ImageStore
    data: DataStore
    policy: CurrentPolicy
    secrets: SecretStore | None = None
    experiments: Experiments | None = None
    webhooks: Collection[str] = ()
    begin: Begin = in_turn


@dataclass(frozen=True, slots=True)
class Preflight:
    """All checks of a push, and its image unless that is what failed."""

    checks: tuple[Check, ...]
    image: Image | None

    @property
    def faults(self) -> list[Fault]:
        """Why it is refused; none: it is not."""
        return [fault for check in self.checks for fault in check.faults]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its owner should know although it is taken."""
        return tuple(c.said for c in self.checks if c.standing is Standing.WARNING)


@dataclass(frozen=True, slots=True)
class Cleared:
    """What passed every check: the image, pinned, and what its owner should know."""

    image: Image
    warnings: tuple[str, ...] = ()


def check(
    grounds: Grounds, caller: Caller, submission: Submission, find: Callable[[], Image]
) -> Cleared:
    """Hold a sound submission against what there is and what is allowed; ``find`` finds its image.

    Raises ``InvalidSubmission`` with every fault, ``Unavailable`` where something cannot be asked
    without which nothing can be stored.
    """
    seen = preflight(grounds, caller, submission, find)
    if seen.image is None or seen.faults:
        raise InvalidSubmission(seen.faults)
    return Cleared(seen.image, seen.warnings)


def preflight(
    grounds: Grounds, caller: Caller, submission: Submission, find: Callable[[], Image]
) -> Preflight:
    """Look at everything, whatever fails. Raises ``Unavailable`` as ``check`` does."""
    pending = [
        (name, grounds.begin(look, OUTSIDE_SECONDS))
        for name, look in _outside(grounds, caller, submission)
    ]
    seen, image = _image(find)
    nodes = grounds.queue.nodes()
    here = [
        _allowed(grounds, caller, submission),
        _node(submission, nodes),
        *_architecture(image, submission, nodes),
        _quota(grounds, caller, submission),
        *_program(grounds, image, submission),
        *_named(grounds, caller, submission),
    ]
    return Preflight((seen, *here, *(_waited(name, look) for name, look in pending)), image)


def _outside(
    grounds: Grounds, caller: Caller, submission: Submission
) -> Iterator[tuple[str, Look]]:
    if submission.data:
        yield "data", lambda: _data(grounds.data, submission.data)
    if submission.secrets:
        yield "secrets", lambda: _secrets(grounds.secrets, caller, submission)
    if (experiments := grounds.experiments) is not None:
        yield "experiment", lambda: _experiment(experiments, submission.experiment)


def _waited(name: str, look: Look) -> Check:
    try:
        return look()
    except Unavailable as silent:
        said = f"{name} could not be checked: {silent}"
        return Check(name, Standing.WARNING, said)


def _image(find: Callable[[], Image]) -> tuple[Check, Image | None]:
    try:
        image = find()
    except Unpinned as unpinned:
        return Check("image", Standing.WARNING, str(unpinned)), unpinned.image
    except InvalidSubmission as invalid:
        return _judged("image", "", invalid.faults), None
    what = image.digest[:19] if image.digest else "taken as it is named"
    return Check("image", Standing.OK, f"{image.reference} is {what}"), image


def _allowed(grounds: Grounds, caller: Caller, submission: Submission) -> Check:
    policy, person = grounds.policy(), Person(caller.user, caller.team, caller.role)
    faults = [
        *priority_faults(submission.priority or "", policy, person),
        *limit_faults(submission.time_limit, policy),
    ]
    seconds = submission.time_limit
    limit = f"at most {format_duration(seconds)}" if seconds else "no time limit"
    return _judged("policy", f"class {submission.priority}, {limit}", faults)


def _node(submission: Submission, nodes: Sequence[Node]) -> Check:
    if not nodes:
        return Check("node", Standing.WARNING, "no node is known yet: it waits until there is one")
    faults = largest_fit_faults(submission.resources, nodes)
    fitting = sum(fits(submission.resources, node.allocatable) for node in nodes)
    return _judged("node", f"fits {fitting} of {len(nodes)} nodes when they are free", faults)


def _architecture(
    image: Image | None, submission: Submission, nodes: Sequence[Node]
) -> Iterator[Check]:
    """Where both the image and the nodes that it fits say for which processors they are."""
    built = image.architectures if image else ()
    fitting = [node for node in nodes if fits(submission.resources, node.allocatable)]
    theirs = sorted({node.architecture for node in fitting})
    if not built or not fitting or "" in theirs:
        return
    strange = [name for name in theirs if name not in built]
    said = f"the image is for {', '.join(built)}; the nodes that it fits are {', '.join(theirs)}"
    if len(strange) == len(theirs):
        remedy = f"build it for them: docker buildx build --platform linux/{theirs[0]} …"
        yield _judged("processor", said, [Fault("image", said, remedy=remedy)])
    else:
        yield Check("processor", Standing.WARNING if strange else Standing.OK, said)


def _quota(grounds: Grounds, caller: Caller, submission: Submission) -> Check:
    quota, count = grounds.policy().quota_of(caller.team), len(expand_sweep(submission))
    faults = never_faults(quota, caller.team, submission.resources)
    if quota.queued is not None:
        waiting = grounds.queue.waiting(caller, most=quota.queued)
        faults += queue_faults(quota.queued, caller.team, waiting=waiting, pushed=count)
    if faults or replace(quota, queued=None) == Quota():
        return _judged("quota", f"team {caller.team} may hold it", faults)
    beyond = excess(quota, grounds.queue.team_use(caller), submission.resources)
    if beyond is None:
        return _judged("quota", f"team {caller.team} may hold it now", [])
    said = f"team {caller.team} holds {beyond.held} of its {beyond.limit} {beyond.noun}"
    return Check("quota", Standing.WARNING, f"{said}: it waits until less is held")


def _program(grounds: Grounds, image: Image | None, submission: Submission) -> Iterator[Check]:
    """Only where the image's files can be seen."""
    words = submission.command and (*submission.command, *submission.args)
    seen = grounds.images.program(image, words) if image else None
    if seen is None:
        return
    faults = [Fault("command", seen.missing, remedy=seen.remedy)] if seen.missing else []
    yield _judged("program", f"{seen.name} is there", faults)


def _named(grounds: Grounds, caller: Caller, submission: Submission) -> Iterator[Check]:
    """What it names beside these, where it names something."""
    if submission.after:
        states = grounds.queue.job_states(caller, submission.after)
        faults = _dependencies(submission.after, states)
        yield _judged("after", "every job that it starts after is there", faults)
    if submission.notify.to:
        faults = unknown_webhooks("notify.channel", submission.notify.to, grounds.webhooks)
        yield _judged("notify", "whoever is to be told is known", faults)


def _data(data: DataStore, paths: Sequence[str]) -> Check:
    faults = [
        Fault(f"data[{paths.index(path)}]", why, value=path, remedy="see what the data store holds")
        for path, why in data.missing(paths).items()
    ]
    return _judged("data", f"{', '.join(paths)}: in the data store", faults)


def _secrets(secrets: SecretStore | None, caller: Caller, submission: Submission) -> Check:
    if secrets is None:
        message = "there are no secrets on this machine: only a Kubernetes cluster keeps them"
        remedy = "give the variable with env, or let the program read a file that only you can read"
        value = ", ".join(submission.secrets)
        return _judged("secrets", "", [Fault("secrets", message, value=value, remedy=remedy)])
    missing = secrets.missing(caller.team, submission.secrets)
    faults = [
        Fault(f"secrets.{name}", lack.message, remedy=lack.remedy) for name, lack in missing.items()
    ]
    return _judged("secrets", f"{', '.join(submission.secrets)}: there", faults)


def _experiment(experiments: Experiments, name: str) -> Check:
    deleted = experiments.deleted(name)
    if deleted is None:
        return Check("experiment", Standing.OK, f"{name} is new: the first run makes it")
    if deleted:
        said = f"the experiment {name} was deleted in MLflow: the first run brings it back"
        return Check("experiment", Standing.WARNING, said)
    return Check("experiment", Standing.OK, f"{name} is there")


def _dependencies(after: Sequence[int], states: Mapping[int, JobState]) -> list[Fault]:
    return [fault for job_id in sorted(after) for fault in _dependency(job_id, states.get(job_id))]


def _dependency(job_id: int, state: JobState | None) -> Iterator[Fault]:
    if state is None:
        yield Fault("after", f"there is no job {job_id}", str(job_id), "see: sentinels jobs")
    elif state in _IN_VAIN:
        message = f"job {job_id} {_IN_VAIN[state]}: this one would never start"
        remedy = f"run it again, and name that job: sentinels rerun {job_id}"
        yield Fault("after", message, str(job_id), remedy)


_IN_VAIN: Mapping[JobState, str] = {
    JobState.FAILED: "failed",
    JobState.CANCELLED: "was cancelled",
}


def _judged(name: str, good: str, faults: Sequence[Fault]) -> Check:
    if not faults:
        return Check(name, Standing.OK, good)
    return Check(name, Standing.FAILED, "; ".join(map(str, faults)), tuple(faults))
