"""A pod stays until what it has to say is written down, whoever deletes it.

Each is made with a finalizer of ours, as the Job controller adds its own until it has counted the
pod: a pod that is deleted the moment it fails keeps its status, and its node the log for a while.
It costs nothing of the node: what holds resources has ended by then. A release takes the finalizer
away (docs/decisions/0016). Comes in: pods. Goes out: changes that may be repeated. Before:
``cluster``, ``install``.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import STRATEGIC_PATCH, Answer, Api, Request
from sentinels.clusters.kubernetes.capacity import PODS_PATH
from sentinels.clusters.kubernetes.launch import message_of
from sentinels.clusters.kubernetes.names import HOLD, MANAGED, at, text_at
from sentinels.clusters.kubernetes.observe import listed
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.ports import Json

_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
"""Answers to a change that is guarded by a uid: what was meant is not there any more."""


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
    make_changes(api, [letting_go(pod) for pod in pods if is_held(pod) and _is_in(pod, prefix)])


def make_changes(api: Api, changes: list[Request]) -> None:
    """Make them all at once; what is gone needs none. Raises ``ClusterUnavailable``."""
    for _, answer in list(api.many(changes)):
        if isinstance(answer, ClusterUnavailable):
            raise answer
        check(answer)


def check(answer: Answer) -> None:
    """Raises ``ClusterUnavailable`` where a change was refused."""
    if answer.status not in _GONE and answer.status >= HTTPStatus.BAD_REQUEST:
        raise ClusterUnavailable(message_of(answer), retry_after=answer.retry_after)


def _is_in(pod: Mapping[str, Json], prefix: str) -> bool:
    return text_at(pod, "metadata", "namespace").startswith(prefix)
