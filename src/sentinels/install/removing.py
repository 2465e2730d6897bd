"""Take away what the bootstrap made, and wait until it is gone, finalizers and all.

Comes in: a plan. Goes out: a cluster without it. What the data are kept with stays, where data are
kept. Before: ``commands``. Next: ``bootstrap``.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from sentinels.clusters.kubernetes.api import Request
from sentinels.clusters.kubernetes.holding import let_all_go
from sentinels.clusters.kubernetes.names import TEAM, at, text_at
from sentinels.clusters.kubernetes.observe import listed
from sentinels.install.bootstrap import applied_before
from sentinels.install.plan import Plan
from sentinels.install.waiting import Site


def remove(site: Site, plan: Plan, prefix: str) -> None:
    """Delete, then wait; what has not gone in time is in the checklist."""
    paths = {f"{kind} {name}": path for kind, name, path in applied_before(site, plan)}
    if not plan.keep_data:
        paths |= _namespaces(site, prefix) | _tokens(site, plan)
    for path in paths.values():
        site.api.request(Request("DELETE", path, {"propagationPolicy": "Background"}))
    site.until(
        lambda: _remaining(site, paths, prefix), "see what its finalizers wait for", then="is gone"
    )


def _namespaces(site: Site, prefix: str) -> dict[str, str]:
    """The teams' namespaces, with everything that runs in them."""
    found, _ = listed(site.api, "/api/v1/namespaces", {"labelSelector": TEAM})
    return {
        f"Namespace {name}": f"/api/v1/namespaces/{name}"
        for each in found
        if (name := text_at(each, "metadata", "name"))
        == prefix + text_at(each, "metadata", "labels", TEAM)
    }


def _tokens(site: Site, plan: Plan) -> dict[str, str]:
    place = f"/api/v1/namespaces/{plan.namespace}/secrets"
    query = {"labelSelector": f"{plan.selector},app.kubernetes.io/name=token"}
    names = [text_at(each, "metadata", "name") for each in listed(site.api, place, query)[0]]
    return {f"Secret {name}": f"{place}/{name}" for name in names}


def _remaining(site: Site, paths: Mapping[str, str], prefix: str) -> dict[str, str | None]:
    """Who would let the workloads' pods go is being taken away, and may still launch one."""
    let_all_go(site.api, prefix)
    return {part: _keeps(site, path) for part, path in paths.items()}


def _keeps(site: Site, path: str) -> str | None:
    answer = site.api.get(path)
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    held = at(answer.json, "metadata", "finalizers")
    return f"is being deleted; finalizers: {held}" if held else "is being deleted"
