"""Everything that a release needs besides its pods, made once or as often as one likes.

Knative where it is wanted, the database's tables, the policy, what a line of a log is, the teams,
then the functions and their events; at the end a wait until all of it is ready. Comes in: a plan.
Goes out: a checklist. Before: ``commands``. Next: ``knative``, ``governing``, ``logs``, ``teams``,
``waiting``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

from sentinels.clusters.kubernetes.api import Request
from sentinels.clusters.kubernetes.apply import apply
from sentinels.clusters.kubernetes.names import text_at
from sentinels.clusters.kubernetes.observe import listed
from sentinels.clusters.kubernetes.readiness import KNATIVE, trouble_of
from sentinels.core.errors import SentinelsError
from sentinels.db import migrate
from sentinels.db.reporter import ensure_reporter
from sentinels.db.waiting import await_database
from sentinels.install.governing import ensure_policy
from sentinels.install.knative import ensure_knative
from sentinels.install.logs import bring_views, prepare_store
from sentinels.install.plan import Object, Plan
from sentinels.install.teams import ensure_teams
from sentinels.install.waiting import Site, troubles_of_release
from sentinels.settings import Settings

_BROKER_URL = "${BROKER_URL}"
_EARLIER = ("Broker", "Service")
_PAUSE_SECONDS = 1.0
_INSIDE = ".svc.cluster.local"
_NO_DOMAIN = "give Knative a domain: config-domain in knative-serving"


def bootstrap(site: Site, plan: Plan, settings: Settings) -> None:
    """Make it all so; what could not be is in the checklist."""
    if plan.knative.wanted and not ensure_knative(site, plan.knative):
        return
    if not _migrate(site, settings.database_url):
        return
    if settings.report_database_url:
        _let_ask(site, settings)
    ensure_policy(site.checklist, plan.policy, settings.database_url)
    prepare_store(site, settings.search_url)
    ensure_teams(site, plan, settings.database_url, settings.namespace_prefix)
    _prune(site, plan)
    _apply(site, plan)
    site.until(
        lambda: troubles_of_release(site, plan.namespace, plan.selector),
        f"see: kubectl -n {plan.namespace} get pods, and their events",
    )
    bring_views(site, plan)
    _tell_address(site, plan)


def _migrate(site: Site, database_url: str) -> bool:
    seconds = max(1.0, site.deadline - time.monotonic())
    try:
        await_database(
            database_url, seconds=seconds, say=lambda line: site.checklist.waiting("database", line)
        )
        before, after = migrate.status(database_url), migrate.upgrade(database_url)
    except SentinelsError as error:
        site.checklist.failed("database", str(error), error.remedy or "")
        return False
    same = before.current == after.current
    how = "as it should be" if same else f"migrated from {before.current or 'nothing'}"
    site.checklist.done("database", f"at {after.current}, {how}")
    return True


def _let_ask(site: Site, settings: Settings) -> None:
    """A role for SQL; where none can be made everything else works without."""
    try:
        made = ensure_reporter(settings.database_url, settings.report_database_url)
    except SentinelsError as error:
        site.checklist.without("sql", str(error), error.remedy or "")
        return
    if made.trouble is None:
        site.checklist.done("sql", f"can be asked, as {made.role}")
    else:
        site.checklist.without("sql", made.trouble, made.remedy or "")


def _apply(site: Site, plan: Plan) -> None:
    """Brokers first: the functions are told the address of theirs. What sends to functions last:
    Knative looks at one whose function has no address ever more rarely, up to each 16 minutes.
    """
    brokers = _of_kind(plan.objects, "Broker")
    _apply_each(site, brokers)
    address = _broker_address(site, brokers[0]) if brokers else ""
    filled: Sequence[Object] = json.loads(json.dumps(plan.objects).replace(_BROKER_URL, address))
    functions = _of_kind(filled, "Service")
    _apply_each(site, functions)
    if _have_addresses(site, functions):
        _apply_each(site, [each for each in filled if text_at(each, "kind") not in _EARLIER])


def _of_kind(objects: Sequence[Object], kind: str) -> list[Object]:
    return [each for each in objects if text_at(each, "kind") == kind]


def _have_addresses(site: Site, functions: Sequence[Object]) -> bool:
    """Wait for it; why one has none in time is told at the end, with all that is not ready."""
    paths = [site.places.path_of(each) for each in functions]
    while not all(text_at(site.api.get(path).json, "status", "address", "url") for path in paths):
        if time.monotonic() > site.deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


def _apply_each(site: Site, objects: Sequence[Object]) -> None:
    for each in objects:
        part = f"{text_at(each, 'kind')} {text_at(each, 'metadata', 'name')}"
        while True:
            try:
                apply(site.api, site.places, each)
                break
            except SentinelsError as error:
                # Knative's webhooks refuse everything while they start.
                if time.monotonic() > site.deadline:
                    site.checklist.failed(part, str(error), error.remedy or "")
                    break
                site.checklist.waiting(part, str(error))
                time.sleep(_PAUSE_SECONDS)


def _broker_address(site: Site, broker: Object) -> str:
    """Where the Broker takes events; empty where it has no address in time, which was told."""
    path, name = site.places.path_of(broker), text_at(broker, "metadata", "name")

    def look() -> Mapping[str, str | None]:
        return {f"Broker {name}": trouble_of(site.api.get(path).json)}

    site.until(look, "see: kubectl get pods -n knative-eventing")
    return text_at(site.api.get(path).json, "status", "address", "url")


def _tell_address(site: Site, plan: Plan) -> None:
    """Where Knative lets submit be reached, if it is from outside at all."""
    for each in plan.objects:
        if text_at(each, "kind") == "Service" and text_at(each, "metadata", "name") == "submit":
            url = text_at(site.api.get(site.places.path_of(each)).json, "status", "url")
            if url.endswith(_INSIDE):
                site.checklist.failed("address", f"{url} is for the cluster alone", _NO_DOMAIN)
            elif url:
                site.checklist.done("address", url)


def _prune(site: Site, plan: Plan) -> None:
    """Take away what an earlier version or runtime applied and this one does not."""
    wanted = {(text_at(each, "kind"), text_at(each, "metadata", "name")) for each in plan.objects}
    for kind, name, path in applied_before(site, plan):
        if (kind, name) not in wanted:
            site.api.request(Request("DELETE", path, {"propagationPolicy": "Background"}))
            site.checklist.done(f"{kind} {name}", "is not wanted any more: deleted")


def applied_before(site: Site, plan: Plan) -> list[tuple[str, str, str]]:
    """Kind, name and path of each object of Knative that is the release's."""
    found = []
    for kind, version in KNATIVE.items():
        if not site.places.has(version):
            continue
        place = site.places.of(version, kind, plan.namespace)
        for each in listed(site.api, place, {"labelSelector": plan.selector})[0]:
            name = text_at(each, "metadata", "name")
            found.append((kind, name, f"{place}/{name}"))
    return found
