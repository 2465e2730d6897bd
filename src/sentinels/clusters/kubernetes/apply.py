"""Bring objects of the API to what manifests say, as often as one likes.

Server-side apply: what we said before and say no more is taken back, what others have added stays.
Comes in: manifests. Goes out: what became of each. Before: ``admin``, ``install``. Next:
``places``, ``api``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import APPLY_PATCH, Api, Request
from sentinels.clusters.kubernetes.launch import message_of
from sentinels.clusters.kubernetes.names import at, text_at
from sentinels.clusters.kubernetes.places import Places
from sentinels.core.errors import ClusterUnavailable, InvalidRequest, NotAllowed
from sentinels.core.ports import Json

_MANAGER = "sentinels"
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_INVALID = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}


class Change(StrEnum):
    """What became of an object."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Applied:
    """One object, as the API server has it now."""

    kind: str
    name: str
    change: Change


def apply_all(api: Api, manifests: Sequence[Mapping[str, Json]]) -> Iterator[Applied]:
    """Apply each, in this order.

    Raises ``NotAllowed``, ``InvalidRequest`` or ``ClusterUnavailable`` at the first that is not
    taken; those before it are done, and all of it may be repeated.
    """
    places = Places(api)
    for manifest in manifests:
        yield apply(api, places, manifest)


def apply(api: Api, places: Places, manifest: Mapping[str, Json]) -> Applied:
    """Apply one. Raises as ``apply_all`` does, and ``NotFound`` for an unknown kind."""
    kind, name = text_at(manifest, "kind"), text_at(manifest, "metadata", "name")
    path = places.path_of(manifest)
    before = api.get(path)
    answer = api.request(
        Request(
            "PATCH",
            path,
            {"fieldManager": _MANAGER, "force": "true"},
            body=dict(manifest),
            content_type=APPLY_PATCH,
        )
    )
    if answer.status == HTTPStatus.CREATED:
        return Applied(kind, name, Change.CREATED)
    if answer.status != HTTPStatus.OK:
        raise _refusal(answer.status, f"{kind} {name}: {message_of(answer)}")
    same = _content(before.json) == _content(answer.json)
    return Applied(kind, name, Change.UNCHANGED if same else Change.CHANGED)


def _content(found: Json) -> Json:
    """What is said of an object, without what controllers write beside it all the time."""
    parts = found if isinstance(found, Mapping) else {}
    own = {name: part for name, part in parts.items() if name not in ("metadata", "status")}
    return {**own, **{name: at(found, "metadata", name) for name in ("labels", "annotations")}}


def _refusal(status: int, said: str) -> NotAllowed | InvalidRequest | ClusterUnavailable:
    if status in _REFUSED:
        return NotAllowed(said, remedy="use a cluster administrator's kubeconfig")
    if status in _INVALID:
        return InvalidRequest(said)
    return ClusterUnavailable(said, remedy="the same command may be repeated")
