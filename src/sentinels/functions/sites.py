"""Where workloads run: the adapters that belong together, chosen by ``SENTINELS_CLUSTER``.

The Kubernetes client is imported only where it is wanted. Comes in: ``Settings``. Goes out: a
cluster, where its images are looked up, where its data is, what measures it. Before: ``wiring``.
Next: ``clusters/local``, ``clusters/kubernetes``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sentinels.clusters.local.cluster import LocalCluster
from sentinels.clusters.local.data import LocalDataStore
from sentinels.clusters.local.images import LocalImageStore
from sentinels.clusters.local.meter import LocalMeter
from sentinels.core.errors import InvalidRequest
from sentinels.core.meter import Meter
from sentinels.core.ports import (
    Cluster,
    DataStore,
    Failpoint,
    ImageStore,
    SecretStore,
)
from sentinels.core.preflight import OUTSIDE_SECONDS
from sentinels.functions.bounded import bounded
from sentinels.settings import Settings

if TYPE_CHECKING:
    from sentinels.clusters.kubernetes.secrets import TeamSecrets

_ONE_SECOND = 1.0
"""How long one answer of an image's registry may take."""


@dataclass(frozen=True, slots=True)
class Site:
    """One kind of cluster. ``meter`` says what its workloads use, None where nothing does.
    ``paced``: it starts workloads at a rate of its own; ``secrets``: what it keeps for each team,
    None where it keeps none.
    """

    cluster: Callable[[Settings, Failpoint], Cluster]
    images: Callable[[Settings], ImageStore]
    data: Callable[[Settings], DataStore]
    meter: Callable[[Settings], Meter | None]
    paced: bool
    secrets: Callable[[Settings], SecretStore | None]


def site_of(settings: Settings) -> Site:
    """The site that the settings name. Raises ``InvalidRequest`` where there is none."""
    if settings.cluster not in SITES:
        raise InvalidRequest(
            f"SENTINELS_CLUSTER={settings.cluster!r} is none",
            remedy=f"it is one of: {', '.join(SITES)}",
        )
    return SITES[settings.cluster]


def _this_machine(settings: Settings, failpoint: Failpoint) -> Cluster:
    return LocalCluster(
        settings.home_path,
        notify_url=settings.notify_url,
        data_store=settings.data_store,
        search_url=settings.search_url,
        failpoint=failpoint,
    )


def _kubernetes(settings: Settings, _: Failpoint) -> Cluster:
    from sentinels.clusters.kubernetes.api import Api
    from sentinels.clusters.kubernetes.cluster import KubernetesCluster
    from sentinels.clusters.kubernetes.options import options_from

    return KubernetesCluster(Api(settings.kubeconfig), options_from(settings))


def _references(settings: Settings) -> ImageStore:
    from sentinels.clusters.kubernetes.images import ReferenceImageStore
    from sentinels.services.registry import OciRegistry

    registry = OciRegistry(insecure=_listed(settings.insecure_registries), seconds=_ONE_SECOND)
    return ReferenceImageStore(
        registry.find,
        _team_secrets(settings).logins,
        within=lambda call: bounded(call, OUTSIDE_SECONDS),
        unchecked=_listed(settings.unchecked_registries),
    )


def _team_secrets(settings: Settings) -> TeamSecrets:
    from sentinels.clusters.kubernetes.api import Api
    from sentinels.clusters.kubernetes.secrets import TeamSecrets

    return TeamSecrets(Api(settings.kubeconfig), settings.namespace_prefix)


def _listed(text: str) -> frozenset[str]:
    return frozenset(filter(None, map(str.strip, text.split(","))))


def _mounted_or_claimed(settings: Settings) -> DataStore:
    from sentinels.clusters.kubernetes.data import ClaimedDataStore

    if settings.data_claim and settings.data_store:
        return LocalDataStore(settings.data_store)
    return ClaimedDataStore(settings.data_claim)


def _prometheus(settings: Settings) -> Meter | None:
    from sentinels.services.meter import PrometheusMeter

    return PrometheusMeter(settings.prometheus_url) if settings.prometheus_url else None


SITES: dict[str, Site] = {
    "local": Site(
        cluster=_this_machine,
        images=lambda settings: LocalImageStore(settings.home_path),
        data=lambda settings: LocalDataStore(settings.data_store),
        meter=lambda settings: LocalMeter(settings.home_path),
        paced=False,
        secrets=lambda _: None,
    ),
    "kubernetes": Site(
        cluster=_kubernetes,
        images=_references,
        data=_mounted_or_claimed,
        meter=_prometheus,
        paced=True,
        secrets=_team_secrets,
    ),
}
