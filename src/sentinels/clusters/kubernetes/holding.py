"""A pod stays until what it has to say is written down, whoever deletes it.

Each is made with a finalizer of ours, as the Job controller adds its own until it has counted the
pod: a pod that is deleted the moment it fails keeps its status, and its node the log for a while.
It costs nothing of the node: what holds resources has ended by then. A release takes the finalizer
away (docs/decisions/0016). Comes in: pods. Goes out: changes that may be repeated. Before:
``releasing``, ``install``.
"""

from __future__ import annotations

from sentinels.clusters.kubernetes.api import STRATEGIC_PATCH, Api, Request
from sentinels.clusters.kubernetes.capacity import PODS_PATH
from sentinels.clusters.kubernetes.names import HOLD, MANAGED, at, text_at
from sentinels.clusters.kubernetes.observe import listed
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.ports import Json


def is_held(pod: Json) -> bool:
    """Whether the pod waits for us to let it go."""
    held = at(pod, "metadata", "finalizers")
    return isinstance(held, list) and HOLD in held


def letting_go(pod: Json) -> Request:
    """The change that lets it go; what others hold it for stays."""
    namespace, name = text_at(pod, "metadata", "namespace"), text_at(pod, "metadata", "name")
    uid = text_at(pod, "metadata", "uid")
    body: Json = {"metadata": {"uid": uid, "$deleteFromPrimitiveList/finalizers": [HOLD]}}
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    return Request("PATCH", path, body=body, content_type=STRATEGIC_PATCH)


def let_all_go(api: Api, prefix: str) -> None:
    """Every pod of an installation that is taken away: nobody will settle it any more. Raises
    ``ClusterUnavailable``.
    """
    pods, _ = listed(api, PODS_PATH, {"labelSelector": f"{MANAGED}=true"})
    ours = (pod for pod in pods if text_at(pod, "metadata", "namespace").startswith(prefix))
    for _, answer in list(api.many([letting_go(pod) for pod in ours if is_held(pod)])):
        if isinstance(answer, ClusterUnavailable):
            raise answer
