"""Wait until everything of a release is ready, and name what is not.

Comes in: the release's labels, a deadline. Goes out: lines of the checklist. Before: ``bootstrap``.
Next: ``clusters/kubernetes/readiness``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sentinels.clusters.kubernetes.api import Api
from sentinels.clusters.kubernetes.names import at, text_at
from sentinels.clusters.kubernetes.observe import listed
from sentinels.clusters.kubernetes.places import Places
from sentinels.clusters.kubernetes.readiness import KNATIVE, WORKLOADS, trouble_of
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.ports import Json
from sentinels.install.checklist import Checklist

_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Site:
    """The cluster, and until when (``time.monotonic``) things may take."""

    api: Api
    deadline: float
    checklist: Checklist
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        """Kinds are looked up once."""
        object.__setattr__(self, "places", Places(self.api))

    def until(self, look: Callable[[], Mapping[str, str | None]], remedy: str) -> bool:
        """Wait until nothing troubles any part; what does at the end is told. False then.

        ``look`` says for each part what keeps it, or None.
        """
        while True:
            troubles = look()
            for part, why in troubles.items():
                if why is None:
                    self.checklist.done(part, "ready")
                else:
                    self.checklist.waiting(part, why)
            if not any(troubles.values()):
                return True
            if time.monotonic() > self.deadline:
                break
            time.sleep(_PAUSE_SECONDS)
        for part, why in troubles.items():
            if why is not None:
                self.checklist.failed(part, why, remedy)
        return False


def troubles_of_release(site: Site, namespace: str, selector: str) -> dict[str, str | None]:
    """Each part of a release in its namespace, with what keeps it. A silent API is a trouble."""
    try:
        found = {
            f"{text_at(each, 'kind')} {text_at(each, 'metadata', 'name')}": trouble_of(each, pods)
            for each, pods in _parts(site, namespace, selector)
        }
    except ClusterUnavailable as trouble:
        return {"cluster": str(trouble)}
    return found or {"release": "nothing of it is there"}


def _parts(
    site: Site, namespace: str, selector: str
) -> Iterator[tuple[Mapping[str, Json], Sequence[Json]]]:
    query = {"labelSelector": selector}
    pods, _ = listed(site.api, f"/api/v1/namespaces/{namespace}/pods", query)
    for kind, version in (*WORKLOADS.items(), *KNATIVE.items()):
        if not site.places.has(version):
            continue
        found, _ = listed(site.api, site.places.of(version, kind, namespace), query)
        for each in found:
            own = [pod for pod in pods if _is_of(pod, each)]
            yield {**each, "kind": kind, "apiVersion": version}, own


def _is_of(pod: Json, workload: Json) -> bool:
    """Whether the workload's selector, or the Knative Service's own name, finds the pod."""
    labels = at(pod, "metadata", "labels")
    wanted = at(workload, "spec", "selector", "matchLabels")
    if not isinstance(labels, Mapping) or not isinstance(wanted, Mapping):
        return False
    return all(labels.get(name) == value for name, value in wanted.items())
