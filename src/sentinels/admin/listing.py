"""``sentinels team list``: what each team has on the cluster and in the database.

Comes in: namespaces and quotas as the API lists them, the teams' rows. Goes out: rows of a listing.
Before: ``commands``. Next: ``cli/show``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sentinels.cli.show import Column, Row
from sentinels.clusters.kubernetes.api import Api
from sentinels.clusters.kubernetes.names import TEAM, at, text_at
from sentinels.clusters.kubernetes.observe import listed
from sentinels.clusters.kubernetes.team import NAME
from sentinels.core.ports import Json

_SECURITY = "pod-security.kubernetes.io/enforce"
_QUOTAS = {
    "cpu": "requests.cpu",
    "memory": "requests.memory",
    "gpus": "requests.nvidia.com/gpu",
    "pods": "pods",
}

COLUMNS: Sequence[Column] = (
    Column("TEAM", lambda row: row["team"]),
    Column("NAMESPACE", lambda row: row["namespace"]),
    Column("SECURITY", lambda row: row["pod_security"]),
    *(
        Column(name.upper(), lambda row, name=name: row[name], right=True)  # type: ignore[misc]  # mypy knows no lambda's default
        for name in _QUOTAS
    ),
    Column("WEIGHT", lambda row: row["weight"], right=True),
    Column("USERS", lambda row: ", ".join(map(str, _list(row["users"])))),
)


def teams_on_cluster(api: Api, prefix: str) -> dict[str, Row]:
    """Each team with a namespace of this prefix. Raises ``ClusterUnavailable``."""
    namespaces, _ = listed(api, "/api/v1/namespaces", {"labelSelector": TEAM})
    found, _ = listed(api, "/api/v1/resourcequotas", {"fieldSelector": f"metadata.name={NAME}"})
    quotas = {text_at(quota, "metadata", "namespace"): quota for quota in found}
    teams: dict[str, Row] = {}
    for namespace in namespaces:
        name = text_at(namespace, "metadata", "name")
        team = text_at(namespace, "metadata", "labels", TEAM)
        if name == prefix + team:
            security = text_at(namespace, "metadata", "labels", _SECURITY)
            teams[team] = {
                "namespace": name,
                "pod_security": security or None,
                **_used_of(quotas.get(name)),
            }
    return teams


def rows_of(on_cluster: Mapping[str, Row], in_database: Mapping[str, Row]) -> list[Row]:
    """One row a team, whatever knows it."""
    empty = dict.fromkeys(("namespace", "pod_security", *_QUOTAS, "weight"))
    return [
        {
            "team": team,
            **empty,
            "users": [],
            **on_cluster.get(team, {}),
            **in_database.get(team, {}),
        }
        for team in sorted({*on_cluster, *in_database})
    ]


def _used_of(quota: Json) -> dict[str, str | None]:
    """Used of what is allowed: ``8/64``; None where nothing is said."""
    found = {}
    for name, key in _QUOTAS.items():
        hard, used = (text_at(at(quota, "status", part), key) for part in ("hard", "used"))
        found[name] = f"{used or '0'}/{hard}" if hard else None
    return found


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()
