"""The teams of the values: their namespaces, their rows, and a token for each new user.

A token is kept in a secret of the release's namespace, and is made before the user is, so that
nothing is lost wherever this breaks off. Comes in: teams. Goes out: objects, rows, lines. Before:
``bootstrap``. Next: ``admin/reading``, ``clusters/kubernetes/team``, ``db/teams``.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus

from sentinels.admin.reading import Flags, read_team
from sentinels.clusters.kubernetes.api import Answer, Request
from sentinels.clusters.kubernetes.apply import apply_all
from sentinels.clusters.kubernetes.launch import message_of
from sentinels.clusters.kubernetes.names import text_at
from sentinels.clusters.kubernetes.team import team_objects
from sentinels.core.errors import ClusterUnavailable, SentinelsError
from sentinels.core.ports import Json
from sentinels.core.rights import read_member
from sentinels.db.teams import set_team
from sentinels.install.plan import RELEASE_LABEL, Plan, TeamPlan
from sentinels.install.waiting import Site

_FLAGS: Mapping[str, str] = {
    "cpu": "cpu",
    "memory": "memory",
    "gpus": "gpus",
    "pods": "pods",
    "jobCpu": "job_cpu",
    "jobMemory": "job_memory",
    "podSecurity": "pod_security",
}
"""The chart's names of what ``team add`` has flags for."""


def ensure_teams(site: Site, plan: Plan, database_url: str, prefix: str) -> None:
    """Make or change each team. What is wrong with one keeps no other away."""
    for team in plan.teams:
        name = str(team.flags.get("name", ""))
        try:
            site.checklist.done(f"team {name}", _ensure(site, plan, team, database_url, prefix))
        except SentinelsError as error:
            site.checklist.failed(f"team {name}", str(error), error.remedy or "correct `teams`")


def _ensure(site: Site, plan: Plan, team: TeamPlan, database_url: str, prefix: str) -> str:
    flags = {_FLAGS[name]: str(value) for name, value in team.flags.items() if name in _FLAGS}
    egress, name = team.flags.get("egress"), str(team.flags.get("name", ""))
    ways = [str(way) for way in egress] if isinstance(egress, list) else []
    spec = read_team(Flags(name=name, egress=ways, prefix=prefix, system=plan.namespace, **flags))
    applied = list(apply_all(site.api, team_objects(spec)))
    roles = dict(map(read_member, team.users))
    fresh = {user: secrets.token_urlsafe(32) for user in roles}
    tokens = {user: _kept(site, plan, user, token) for user, token in fresh.items()}
    done = set_team(database_url, name, weight=team.weight, user_tokens=tokens, roles=roles)
    for user in roles:
        if tokens[user] == fresh[user] and user not in done.new_users:
            site.api.request(Request("DELETE", f"{_secrets(plan)}/{secret_of(user)}"))
    changed = sum(each.change != "unchanged" for each in applied)
    told = f"namespace {spec.namespace}, {changed} of {len(applied)} objects changed"
    new = ", ".join(secret_of(user) for user in sorted(done.new_users))
    return f"{told}; new tokens in the secrets {new}" if new else told


def secret_of(user: str) -> str:
    """The secret with a user's token."""
    plain = re.sub(r"[^a-z0-9]+", "-", user.lower()).strip("-")
    return f"sentinels-token-{plain}"


def _secrets(plan: Plan) -> str:
    return f"/api/v1/namespaces/{plan.namespace}/secrets"


def _kept(site: Site, plan: Plan, user: str, token: str) -> str:
    """The token of the user's secret, which holds ``token`` where there was none."""
    labels: Json = {
        "app.kubernetes.io/name": "token",
        "app.kubernetes.io/part-of": "sentinels",
        RELEASE_LABEL: plan.release,
    }
    body: dict[str, Json] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secret_of(user), "labels": labels},
        "stringData": {"token": token, "user": user},
    }
    made = site.api.request(Request("POST", _secrets(plan), body=body))
    if made.status == HTTPStatus.CREATED:
        return token
    if made.status != HTTPStatus.CONFLICT:
        raise _refused(made)
    found = site.api.get(f"{_secrets(plan)}/{secret_of(user)}")
    if found.status != HTTPStatus.OK:
        raise _refused(found)
    return base64.b64decode(text_at(found.json, "data", "token")).decode()


def _refused(answer: Answer) -> ClusterUnavailable:
    return ClusterUnavailable(f"the token cannot be kept: {message_of(answer)}")
