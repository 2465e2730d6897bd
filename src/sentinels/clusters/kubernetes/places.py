"""Where objects of any kind are, as the API server itself tells.

Comes in: an object's apiVersion and kind. Goes out: paths. Before: ``apply``, ``install``. Next:
``api``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import Api
from sentinels.clusters.kubernetes.names import at, rows, text_at
from sentinels.core.errors import ClusterUnavailable, NotFound
from sentinels.core.ports import Json


@dataclass(frozen=True, slots=True)
class _Place:
    plural: str
    namespaced: bool


class Places:
    """The kinds that one API server has; each group version is asked for once, absent ones anew."""

    def __init__(self, api: Api) -> None:
        """Nothing is asked yet."""
        self._api = api
        self._known: dict[str, dict[str, _Place]] = {}

    def path_of(self, manifest: Mapping[str, Json]) -> str:
        """Where the object is. Raises ``NotFound`` for a kind that the cluster does not have."""
        version, kind = text_at(manifest, "apiVersion"), text_at(manifest, "kind")
        namespace = text_at(manifest, "metadata", "namespace")
        return f"{self.of(version, kind, namespace)}/{text_at(manifest, 'metadata', 'name')}"

    def of(self, version: str, kind: str, namespace: str = "") -> str:
        """Where all objects of a kind are, in one namespace or everywhere. Raises ``NotFound``."""
        place = self._in(version).get(kind)
        if place is None:
            raise NotFound(f"this cluster has no {kind} of {version}")
        inside = f"/namespaces/{namespace}" if place.namespaced and namespace else ""
        return f"{_root(version)}{inside}/{place.plural}"

    def has(self, version: str) -> bool:
        """Whether the cluster has a group's version. Raises ``ClusterUnavailable``."""
        return bool(self._in(version))

    def _in(self, version: str) -> Mapping[str, _Place]:
        if not self._known.get(version):
            self._known[version] = self._ask(version)
        return self._known[version]

    def _ask(self, version: str) -> dict[str, _Place]:
        answer = self._api.get(_root(version))
        if answer.status == HTTPStatus.NOT_FOUND:
            return {}
        if answer.status != HTTPStatus.OK:
            raise ClusterUnavailable(f"{version} cannot be looked up: {answer.status}")
        return {
            text_at(each, "kind"): _Place(text_at(each, "name"), at(each, "namespaced") is True)
            for each in rows(at(answer.json, "resources"))
            if "/" not in text_at(each, "name")
        }


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"
