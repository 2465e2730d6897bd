"""A pod that has not started its program: what it waits for, and whether it can ever start.

Pure. Comes in: a Job, its pod and its events. Goes out: ``Pending``, with a reason to stop once a
deadline has passed. Before: ``observe``. Next: ``translation``'s tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sentinels.clusters.kubernetes.evidence import container_status, moment
from sentinels.clusters.kubernetes.names import MAIN, at, rows, text_at
from sentinels.clusters.kubernetes.options import Deadlines
from sentinels.clusters.kubernetes.translation import (
    CONFIG_WORDS,
    IMAGE_MISSING,
    MISSING_IMAGE_WORDS,
    OTHER_WAITING,
    REFUSED_POD,
    UNCREATED,
    UNPLACED,
    WAITING,
    Stuck,
)
from sentinels.core.job import Reason
from sentinels.core.observation import Pending, StopFor
from sentinels.core.ports import Json
from sentinels.core.text import printable

_MESSAGE_LIMIT = 500
_PULLING = frozenset({"ErrImagePull", "ImagePullBackOff"})
_UNEVENTFUL = frozenset({"ContainerCreating", "PodInitializing", ""})


@dataclass(frozen=True, slots=True)
class Wait:
    """What a pod waits for, since when, and what Kubernetes said of it."""

    stuck: Stuck
    since: datetime | None
    said: str


def without_pod(job: Json, events: Sequence[Json], now: datetime, limits: Deadlines) -> Pending:
    """A Job whose pod does not exist (yet)."""
    uid = text_at(job, "metadata", "uid")
    if not text_at(job, "status", "startTime"):
        return Pending(uid, "Kubernetes has not begun with it", accepted=False)
    said = next((text_at(event, "message") for event in reversed(events)), "")
    if not said:
        return Pending(uid, "its pod is about to be created")
    began = moment(text_at(job, "status", "startTime"))
    waited = (now - began).total_seconds() if began else 0.0
    for words, reason, message in REFUSED_POD:
        if words in said:
            namespace = text_at(job, "metadata", "namespace")
            told = _told(message, said=said, namespace=namespace)
            return Pending(uid, told, stop_for=_due(waited, limits.uncreated, reason, told))
    told = _told(UNCREATED.message, said=said)
    due = _due(waited, limits.uncreated, UNCREATED.reason, told)
    return Pending(uid, told, stop_for=due)


def with_pod(job: Json, pod: Json, now: datetime, limits: Deadlines) -> Pending:
    """A Job whose pod exists and has not started its program."""
    uid = text_at(job, "metadata", "uid") or text_at(pod, "metadata", "uid")
    wait = _wait(pod)
    waited = (now - wait.since).total_seconds() if wait.since else 0.0
    told = _told(wait.stuck.message, said=wait.said or "no reason is given", image=_image(pod))
    stop = _due(waited, wait.stuck.seconds(limits), wait.stuck.reason, told)
    return Pending(uid, told if wait.said else _doing(pod), stop_for=stop)


def _due(waited: float, seconds: float, reason: Reason, told: str) -> StopFor | None:
    return StopFor(reason, told) if waited >= seconds else None


def _wait(pod: Json) -> Wait:
    created = moment(text_at(pod, "metadata", "creationTimestamp"))
    placed = _condition(pod, "PodScheduled")
    if text_at(placed, "status") != "True":
        return Wait(UNPLACED, created, text_at(placed, "message"))
    since = moment(text_at(placed, "lastTransitionTime")) or created
    waiting = _waiting(pod)
    reason, said = text_at(waiting, "reason"), text_at(waiting, "message")
    stuck = WAITING.get(reason, OTHER_WAITING)
    if reason in _PULLING and _says(said, MISSING_IMAGE_WORDS):
        stuck = IMAGE_MISSING
    stuck = next((other for words, other in CONFIG_WORDS if words in said.lower()), stuck)
    if not said and reason not in _UNEVENTFUL:
        said = reason
    return Wait(stuck, since, said)


def _waiting(pod: Json) -> Json:
    """The container in whose way it is: of the init containers the first, else the main one."""
    for status in rows(pod, "status", "initContainerStatuses"):
        waiting = at(status, "state", "waiting")
        if text_at(waiting, "reason") not in _UNEVENTFUL:
            return waiting
    return at(container_status(pod, MAIN), "state", "waiting")


def _says(said: str, words: Sequence[str]) -> bool:
    lower = said.lower()
    return any(word in lower for word in words)


def _condition(pod: Json, kind: str) -> Json:
    return next(
        (each for each in rows(pod, "status", "conditions") if text_at(each, "type") == kind), None
    )


def _image(pod: Json) -> str:
    for container in rows(pod, "spec", "containers"):
        if text_at(container, "name") == MAIN:
            return text_at(container, "image")
    return ""


def _doing(pod: Json) -> str:
    node = text_at(pod, "spec", "nodeName")
    return f"its pod is being started on {node}" if node else "its pod is being placed"


def _told(message: str, **values: str) -> str:
    safe = {name: printable(value)[:_MESSAGE_LIMIT] for name, value in values.items()}
    return message.format(**{"said": "", "image": "", "namespace": "", **safe})
