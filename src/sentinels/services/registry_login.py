"""How a registry is told who asks: a password, or a token that its issuer gives for one.

Comes in: a ``WWW-Authenticate`` challenge, the team's logins. Goes out: an ``Authorization``, empty
where there is nothing to say. Before: ``registry``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

import httpx

from sentinels.core.image_reference import HUB
from sentinels.core.ports import Login

_PART = re.compile(r'(\w+)="([^"]*)"')
_HUB_NAMES = ("index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")


def login_for(logins: Sequence[Login], host: str, repository: str) -> Login | None:
    """The one for the longest beginning of ``host/repository``, as node runtimes choose it."""
    whole = f"{host}/{repository}/"
    fitting = [each for each in logins if whole.startswith(f"{_place(each.place)}/")]
    return max(fitting, key=lambda each: len(_place(each.place)), default=None)


def authorization(
    http: httpx.Client, challenge: str, login: Login | None, *, scope: str, secure: bool
) -> str:
    """What to send. Raises ``httpx.HTTPError``, and ``ValueError`` for what is no issuer."""
    scheme, _, rest = challenge.partition(" ")
    if scheme.lower() == "basic":
        return _basic(login) if login else ""
    if scheme.lower() != "bearer":
        return ""
    parts = dict(_PART.findall(rest))
    issuer = httpx.URL(parts.get("realm", ""))
    if issuer.scheme != "https" and (secure or issuer.scheme != "http"):
        raise ValueError("it names no issuer of tokens that can be trusted")
    query = {"service": parts.get("service", ""), "scope": scope}
    headers = {"Authorization": _basic(login)} if login else {}
    answer = http.get(issuer, params=query, headers=headers)
    if answer.status_code in (401, 403):
        return ""
    answer.raise_for_status()
    given = answer.json()
    token = given.get("token") or given.get("access_token") if isinstance(given, dict) else None
    return f"Bearer {token}" if isinstance(token, str) else ""


def _basic(login: Login) -> str:
    pair = f"{login.user}:{login.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _place(place: str) -> str:
    """As it stands in a Docker configuration: ``https://index.docker.io/v1/`` is one, too."""
    bare = re.sub(r"^https?://", "", place).rstrip("/")
    bare = re.sub(r"/v[12]$", "", bare)
    host, slash, path = bare.partition("/")
    return f"{HUB if host in _HUB_NAMES else host}{slash}{path}"
