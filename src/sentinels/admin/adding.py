"""``sentinels team add``: the namespace's objects and the team's row, told line by line.

Comes in: a spec, who its users are. Goes out: changes on the cluster and in the database, a
checklist. Before: ``commands``. Next: ``clusters/kubernetes/apply``, ``db/teams``.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from sentinels.cli.show import note, say
from sentinels.clusters.kubernetes.api import Api
from sentinels.clusters.kubernetes.apply import Applied, apply_all
from sentinels.clusters.kubernetes.team import (
    FUNCTIONS,
    Amounts,
    TeamSpec,
    Way,
    role_of,
    team_objects,
)
from sentinels.core.quantity import format_cpu, format_memory
from sentinels.core.rights import read_member

_ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


@dataclass(frozen=True, slots=True)
class Membership:
    """The team's row: its weight (None: as it is), its users by name, as in ``ann:lead``."""

    weight: float | None = None
    users: Sequence[str] = ()


def add_to_cluster(api: Api, spec: TeamSpec) -> None:
    """Apply the objects and say what became of each.

    Raises ``NotAllowed``, ``InvalidRequest`` or ``ClusterUnavailable``.
    """
    told = descriptions(spec)
    for applied in apply_all(api, team_objects(spec)):
        _tell(applied, told.get(applied.kind, ""))
    missing = [role for role in map(role_of, FUNCTIONS) if _is_missing(api, role)]
    if missing:
        note(f"! there is no ClusterRole {', '.join(missing)}, so the functions may do nothing yet")
        note("    → kubectl apply -f knative/accounts.yaml")


def add_to_database(database_url: str, team: str, membership: Membership) -> None:
    """Store the row and the users; a new user's token is printed, once.

    Raises ``QueueUnavailable``, ``InvalidRequest`` or ``Conflict``.
    """
    from sentinels.db.teams import set_team

    roles = dict(map(read_member, membership.users))
    tokens = {user: secrets.token_urlsafe(32) for user in roles}
    done = set_team(database_url, team, weight=membership.weight, user_tokens=tokens, roles=roles)
    same = done.created or done.weight == done.weight_before
    change = "created" if done.created else "unchanged" if same else "changed"
    say(_line("team", team, change, f"weight {done.weight:g}"))
    for user in roles:
        is_new = user in done.new_users
        token = f"token {tokens[user]}" if is_new else "the token stays"
        say(_line("user", user, "created" if is_new else "unchanged", token))
    if done.new_users:
        say("    → a token is shown only now; its user gives it to: sentinels login")


def descriptions(spec: TeamSpec) -> dict[str, str]:
    """What each kind of object says, in words."""
    return {
        "Namespace": f"pod security {spec.pod_security}",
        "ServiceAccount": "its token is given to no pod",
        "ResourceQuota": f"in all: {_amounts(spec.quota)}",
        "LimitRange": f"a job: {_amounts(spec.largest)}",
        "NetworkPolicy": f"lets jobs reach {_ways(spec)}, and nobody reach them",
    }


def _tell(applied: Applied, told: str) -> None:
    say(_line(applied.kind, applied.name, applied.change.value, told))


def _line(kind: str, name: str, change: str, told: str) -> str:
    return f"✔ {kind + ' ' + name:<32} {change:<10} {told}".rstrip()


def _amounts(amounts: Amounts) -> str:
    parts = []
    if amounts.cpu_millis is not None:
        parts.append(f"{format_cpu(amounts.cpu_millis)} CPU")
    if amounts.memory_bytes is not None:
        parts.append(format_memory(amounts.memory_bytes))
    if amounts.gpus is not None:
        parts.append(f"{amounts.gpus} GPU")
    if amounts.pods is not None:
        parts.append(f"{amounts.pods} pods")
    return ", ".join(parts) or "no limit"


def _ways(spec: TeamSpec) -> str:
    return ", ".join(["DNS", f"MLflow in {spec.system}", *map(_way, spec.ways)])


def _way(way: Way) -> str:
    place = f"namespace {way.to}" if isinstance(way.to, str) else str(way.to)
    return f"{place} port {way.port}" if way.port else place


def _is_missing(api: Api, role: str) -> bool:
    return api.get(f"{_ROLES}/{role}").status == HTTPStatus.NOT_FOUND
