"""A team's secrets: whether they are there, and what its pods pull images with.

Pods pull with what the ``default`` service account of the team's namespace names, so that is what
a registry is asked with at push. A right that submit was not given is silence, not a refusal. Comes
in: a team, names. Goes out: what is missing; logins. Before: ``core/preflight``, ``images``. Next:
``api``.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import Answer, Api, Request
from sentinels.clusters.kubernetes.names import at, namespace_of, rows, text_at
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.ports import Json, Lack, Login

_SECONDS = 1.0
_FORMS = {".dockerconfigjson": ("auths",), ".dockercfg": ()}


class TeamSecrets:
    """What lies in each team's namespace: ``core.ports.SecretStore``."""

    def __init__(self, api: Api, prefix: str) -> None:
        """``prefix`` and the team's name are its namespace."""
        self._api = api
        self._prefix = prefix

    def missing(self, team: str, secrets: Mapping[str, str]) -> Mapping[str, Lack]:
        """See ``SecretStore.missing``."""
        named = {variable: path.partition("/")[::2] for variable, path in secrets.items()}
        found = self._read(team, sorted({name for name, _ in named.values()}))
        namespace = namespace_of(self._prefix, team)
        lacks = {
            variable: _lack(found[name], name, key, namespace)
            for variable, (name, key) in named.items()
        }
        return {variable: lack for variable, lack in lacks.items() if lack}

    def logins(self, team: str) -> list[Login]:
        """What the team's pods pull with. Raises ``ClusterUnavailable``."""
        account = self._get(team, "serviceaccounts", "default")
        names = [text_at(each, "name") for each in rows(account, "imagePullSecrets")]
        found = self._read(team, [name for name in names if name])
        return [login for secret in found.values() for login in _logins(secret)]

    def _read(self, team: str, names: Sequence[str]) -> dict[str, Json]:
        requests = [self._request(team, "secrets", name) for name in names]
        found: dict[str, Json] = {}
        for place, answer in self._api.many(requests, within=_SECONDS):
            found[names[place]] = _object(answer, names[place])
        return found

    def _get(self, team: str, kind: str, name: str) -> Json:
        return _object(self._api.request(self._request(team, kind, name)), name)

    def _request(self, team: str, kind: str, name: str) -> Request:
        namespace = namespace_of(self._prefix, team)
        path = f"/api/v1/namespaces/{namespace}/{kind}/{name}"
        return Request("GET", path, seconds=_SECONDS)


def _object(answer: Answer | ClusterUnavailable, name: str) -> Json:
    """The object; None where there is none."""
    if isinstance(answer, ClusterUnavailable):
        raise answer
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    if answer.status != HTTPStatus.OK:
        raise ClusterUnavailable(f"the Kubernetes API answers {answer.status} for {name}")
    return answer.json


def _lack(secret: Json, name: str, key: str, namespace: str) -> Lack | None:
    data = at(secret, "data")
    keys = data if isinstance(data, Mapping) else {}
    if secret is None:
        make = f"kubectl -n {namespace} create secret generic {name} --from-literal={key}=…"
        return Lack(f"there is no secret {name} in {namespace}", make)
    if key in keys:
        return None
    there = ", ".join(sorted(keys)) or "nothing"
    return Lack(f"the secret {name} has no key {key}", f"it has: {there}")


def _logins(secret: Json) -> Iterator[Login]:
    for key, path in _FORMS.items():
        listed = at(_decoded(text_at(secret, "data", key)), *path)
        for place, entry in listed.items() if isinstance(listed, Mapping) else ():
            user, password = text_at(entry, "username"), text_at(entry, "password")
            if auth := text_at(entry, "auth"):
                user, _, password = _plain(auth).partition(":")
            if user and password:
                yield Login(place, user, password)


def _decoded(text: str) -> Json:
    try:
        found: Json = json.loads(_plain(text) or "null")
    except ValueError:
        return None
    return found


def _plain(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
