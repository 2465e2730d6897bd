"""What belongs to one installation of Sentinels, and what keeps each part from being ready.

Comes in: the installation's namespace and labels. Goes out: parts with their troubles. Before:
``install``, ``functions/submit``. Next: ``readiness``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sentinels.clusters.kubernetes.api import Api
from sentinels.clusters.kubernetes.names import at, text_at
from sentinels.clusters.kubernetes.observe import listed
from sentinels.clusters.kubernetes.places import Places
from sentinels.clusters.kubernetes.readiness import KNATIVE, WORKLOADS, trouble_of
from sentinels.core.ports import Json

PART_OF = "app.kubernetes.io/part-of=sentinels"
"""The label of every object of an installation."""
_ALL = {**WORKLOADS, **KNATIVE}


def troubles_of(
    api: Api, namespace: str, selector: str, *, kinds: Mapping[str, str] = _ALL
) -> dict[str, str | None]:
    """Each part of these kinds, with what keeps it. Raises ``ClusterUnavailable``."""
    return {
        f"{text_at(each, 'kind')} {text_at(each, 'metadata', 'name')}": trouble_of(each, pods)
        for each, pods in _parts(api, namespace, selector, kinds)
    }


def _parts(
    api: Api, namespace: str, selector: str, kinds: Mapping[str, str]
) -> Iterator[tuple[Mapping[str, Json], Sequence[Json]]]:
    query, places = {"labelSelector": selector}, Places(api)
    pods, _ = listed(api, f"/api/v1/namespaces/{namespace}/pods", query)
    for kind, version in kinds.items():
        if places.has(version):
            found, _ = listed(api, places.of(version, kind, namespace), query)
            for each in found:
                own = [pod for pod in pods if _runs(each, pod)]
                yield {**each, "kind": kind, "apiVersion": version}, own


def _runs(workload: Json, pod: Json) -> bool:
    """Whether the pod is one that the workload's selector finds."""
    labels = at(pod, "metadata", "labels")
    wanted = at(workload, "spec", "selector", "matchLabels")
    if not isinstance(labels, Mapping) or not isinstance(wanted, Mapping):
        return False
    return all(labels.get(name) == value for name, value in wanted.items())
