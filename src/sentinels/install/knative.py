"""Knative itself, where it is not there yet: its own release manifests, applied as they are.

Comes in: what the plan says of Knative. Goes out: a cluster that has its kinds, or a line that says
why not. Before: ``bootstrap``. Next: ``clusters/kubernetes/apply``.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence

import httpx
import yaml

from sentinels.clusters.kubernetes.apply import apply
from sentinels.clusters.kubernetes.names import text_at
from sentinels.clusters.kubernetes.observe import listed
from sentinels.clusters.kubernetes.readiness import KNATIVE, trouble_of
from sentinels.core.errors import InvalidRequest, SentinelsError, Unavailable
from sentinels.core.ports import Json
from sentinels.install.plan import Download, KnativePlan, Object, documents
from sentinels.install.waiting import Site

_NAMESPACES = ("knative-serving", "knative-eventing", "kourier-system")
_FIRST = ("CustomResourceDefinition", "Namespace")
"""Kinds that others need; a CRD's objects are refused until the API server has taken it in."""
_REMEDY = (
    "set knative.install.enabled, install Knative yourself, or set functions.runtime=deployment"
)
_PAUSE_SECONDS = 2.0
_DOMAIN = "sentinels.internal"
"""With none at all, Knative takes every function for one that only the cluster may reach."""


def ensure_knative(site: Site, plan: KnativePlan) -> bool:
    """Have Knative Serving and Eventing there. False where they are not, which has been told."""
    missing = _missing(site)
    if not missing:
        site.checklist.done("Knative", "is there")
        return True
    if not plan.install:
        site.checklist.failed("Knative", f"this cluster has no {', '.join(missing)}", _REMEDY)
        return False
    try:
        _install(site, [*_manifests(plan), *_configuration(plan)])
    except SentinelsError as error:
        site.checklist.failed("Knative", str(error), error.remedy or _REMEDY)
        return False
    return site.until(lambda: _troubles(site), "see: kubectl get pods -n knative-serving")


def _missing(site: Site) -> list[str]:
    return sorted({version for version in KNATIVE.values() if not site.places.has(version)})


def _manifests(plan: KnativePlan) -> list[Object]:
    """All that is to be applied. Raises ``InvalidRequest`` or ``Unavailable``."""
    texts = (
        [file.read_text() for file in sorted(plan.folder.iterdir()) if file.is_file()]
        if (plan.folder)
        else [_download(each) for each in plan.downloads]
    )
    try:
        found = [each for text in texts for each in documents(text)]
    except yaml.YAMLError as error:
        raise InvalidRequest(f"a manifest of Knative cannot be read: {error}") from error
    return sorted(found, key=lambda each: text_at(each, "kind") not in _FIRST)


def _download(manifest: Download) -> str:
    try:
        answer = httpx.get(manifest.url, follow_redirects=True, timeout=60)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(
            f"{manifest.url} cannot be had: {error}",
            remedy="without a way there: knative.install.configMaps with the manifests",
        ) from error
    digest = hashlib.sha256(answer.content).hexdigest()
    if manifest.sha256 and digest != manifest.sha256:
        raise InvalidRequest(f"{manifest.url} has sha256 {digest}, not {manifest.sha256}")
    return answer.text


def _configuration(plan: KnativePlan) -> Iterator[Object]:
    """Which ingress is used, and the domain: without one no function is seen from outside."""
    for name, data in (
        ("config-network", {"ingress-class": plan.ingress_class}),
        ("config-domain", {plan.domain or _DOMAIN: ""}),
    ):
        metadata: Json = {"name": name, "namespace": "knative-serving"}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _install(site: Site, objects: Sequence[Object]) -> None:
    """Apply them all; what is refused is tried again, since webhooks and kinds take their time."""
    waiting, changed = list(objects), 0
    while waiting:
        refused: list[Object] = []
        for each in waiting:
            try:
                apply(site.api, site.places, each)
                changed += 1
            except SentinelsError as error:
                refused.append(each)
                trouble = error
        if refused and time.monotonic() > site.deadline:
            raise trouble
        if refused:
            first = f"{text_at(refused[0], 'kind')} {text_at(refused[0], 'metadata', 'name')}"
            site.checklist.waiting(
                "Knative", f"{len(refused)} objects to go, as {first}: {trouble}"
            )
            time.sleep(_PAUSE_SECONDS)
        waiting = refused
    site.checklist.waiting("Knative", f"{changed} objects applied")


def _troubles(site: Site) -> Mapping[str, str | None]:
    found: dict[str, str | None] = {}
    for namespace in _NAMESPACES:
        deployments, _ = listed(site.api, f"/apis/apps/v1/namespaces/{namespace}/deployments", {})
        for each in deployments:
            name = f"{namespace}/{text_at(each, 'metadata', 'name')}"
            found[name] = trouble_of({**each, "kind": "Deployment", "apiVersion": "apps/v1"})
    return found or {"Knative": "has no Deployments yet"}
