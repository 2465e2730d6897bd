"""Whether an object of the API does what it is there for, and if not, what keeps it.

Pure. One table of kinds; what is not in it is ready once it exists. Comes in: an object as it is,
its pods. Goes out: None, or a sentence. Before: ``install``, ``functions/submit``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sentinels.clusters.kubernetes.names import at, rows, text_at
from sentinels.core.ports import Json

KNATIVE: Mapping[str, str] = {
    "Service": "serving.knative.dev/v1",
    "Broker": "eventing.knative.dev/v1",
    "Trigger": "eventing.knative.dev/v1",
    "PingSource": "sources.knative.dev/v1",
    "ApiServerSource": "sources.knative.dev/v1",
}
"""The kinds of Knative that Sentinels uses."""
WORKLOADS: Mapping[str, str] = dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet"), "apps/v1")
"""The kinds that run pods."""

_DESIRED = {"DaemonSet": ("status", "desiredNumberScheduled")}
_READY = {"DaemonSet": ("status", "numberReady"), "StatefulSet": ("status", "readyReplicas")}
_UPDATED = {"DaemonSet": ("status", "updatedNumberScheduled")}
_HARMLESS_WAITS = {"ContainerCreating", "PodInitializing"}


def trouble_of(found: Json, pods: Sequence[Json] = ()) -> str | None:
    """What keeps the object from being ready; None where nothing does.

    ``pods`` are those of a workload: what they wait for is said as well.
    """
    if found is None:
        return "is not there"
    seen, wanted = at(found, "status", "observedGeneration"), at(found, "metadata", "generation")
    if isinstance(seen, int) and isinstance(wanted, int) and seen < wanted:
        return "its change has not been looked at yet"
    kind, version = text_at(found, "kind"), text_at(found, "apiVersion")
    if version.startswith("apps/"):
        return _workload(found, pods)
    condition = "Established" if kind == "CustomResourceDefinition" else "Ready"
    if ".knative.dev/" in version or kind == "CustomResourceDefinition":
        return _condition(found, condition)
    return None


def _condition(found: Json, name: str) -> str | None:
    for each in rows(at(found, "status", "conditions")):
        if text_at(each, "type") == name:
            if text_at(each, "status") == "True":
                return None
            said = text_at(each, "message") or text_at(each, "reason")
            return said or f"{name} is {text_at(each, 'status')}"
    return "its controller has not looked at it yet"


def _workload(found: Json, pods: Sequence[Json]) -> str | None:
    kind = text_at(found, "kind")
    desired = _count(found, _DESIRED.get(kind, ("spec", "replicas")))
    ready = _count(found, _READY.get(kind, ("status", "availableReplicas")))
    updated = _count(found, _UPDATED.get(kind, ("status", "updatedReplicas")))
    old = _count(found, ("status", "replicas")) - updated if kind == "Deployment" else 0
    if ready >= desired and updated >= desired:
        return f"old pods that are still there: {old}" if old > 0 else None
    counted = f"{min(ready, updated)} of {desired} pods ready"
    said = [reason for pod in pods if (reason := waits_for(pod))]
    return f"{counted}: {said[0]}" if said else counted


def _count(found: Json, path: Sequence[str]) -> int:
    value = at(found, *path)
    return value if isinstance(value, int) else 0


def waits_for(pod: Json) -> str | None:
    """Why a pod is not ready, in a sentence; None where it is, or is only starting."""
    name = text_at(pod, "metadata", "name")
    for look in _LOOKS:
        if said := look(pod):
            return f"{name}: {said}"
    return None


def _unplaced(pod: Json) -> str | None:
    for each in rows(at(pod, "status", "conditions")):
        if text_at(each, "type") == "PodScheduled" and text_at(each, "status") == "False":
            return text_at(each, "message")
    return None


def _held_up(pod: Json) -> str | None:
    """A container that cannot start, or starts again and again."""
    for part in ("initContainerStatuses", "containerStatuses"):
        for each in rows(at(pod, "status", part)):
            waiting = at(each, "state", "waiting")
            reason = text_at(waiting, "reason")
            if reason and reason not in _HARMLESS_WAITS:
                why = _last_words(each) or text_at(waiting, "message") or reason
                return f"{text_at(each, 'name')}: {why}"
    return None


def _last_words(container: Json) -> str:
    """How it ended the last time, where it has been started; the last line of what it said."""
    ended = at(container, "lastState", "terminated")
    if ended is None:
        return ""
    said = text_at(ended, "message").strip().splitlines()
    return f"ended with {at(ended, 'exitCode')}" + (f": {said[-1][:300]}" if said else "")


def _unready(pod: Json) -> str | None:
    """A container that runs and does not answer its probe."""
    for each in rows(at(pod, "status", "containerStatuses")):
        if at(each, "state", "running") is not None and at(each, "ready") is False:
            return f"{text_at(each, 'name')} runs but is not ready"
    return None


_LOOKS: tuple[Callable[[Json], str | None], ...] = (_unplaced, _held_up, _unready)
