"""What the chart wants to be there, read from the folder that its ConfigMap is mounted at.

Comes in: ``plan.yaml`` and the manifests beside it. Goes out: a ``Plan``, or ``InvalidRequest``.
Before: ``commands``. Next: ``bootstrap``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from sentinels.clusters.kubernetes.names import at, rows, text_at
from sentinels.clusters.kubernetes.release import PART_OF
from sentinels.core.errors import InvalidRequest
from sentinels.core.ports import Json
from sentinels.core.quantity import parse_duration

Object = Mapping[str, Json]

RELEASE_LABEL = "app.kubernetes.io/instance"


@dataclass(frozen=True, slots=True)
class Download:
    """A manifest of Knative's. ``sha256`` empty: not checked."""

    url: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class KnativePlan:
    """Whether functions run on Knative, and how it gets there.

    ``folder`` holds manifests that an administrator gave in the place of ``downloads``.
    """

    wanted: bool
    install: bool
    downloads: Sequence[Download] = ()
    folder: Path | None = None
    ingress_class: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class TeamPlan:
    """A team of the values: its flags as ``team add`` takes them, its weight, its users."""

    flags: Mapping[str, Json]
    weight: float | None
    users: Sequence[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it; ``seconds`` is how long everything may take to be ready.

    ``kibana`` is the address of the release's own, which gets the ``views``; empty: it has none.
    ``policy`` is the administrator's; empty: whichever is in force stays so.
    """

    release: str
    namespace: str
    seconds: float
    keep_data: bool
    knative: KnativePlan
    teams: Sequence[TeamPlan]
    objects: Sequence[Object]
    kibana: str = ""
    views: bytes = b""
    policy: Mapping[str, Json] = field(default_factory=dict)

    @property
    def selector(self) -> str:
        """The labels of what belongs to the release."""
        return f"{RELEASE_LABEL}={self.release},{PART_OF}"


def read_plan(folder: Path) -> Plan:
    """The plan in a folder. Raises ``InvalidRequest`` where there is none that can be read."""
    try:
        found: Json = yaml.safe_load((folder / "plan.yaml").read_text())
        manifests = [
            each
            for file in sorted(folder.glob("*.yaml"))
            if file.name != "plan.yaml"
            for each in documents(file.read_text())
        ]
        views = folder / "kibana.ndjson"
        return _plan(found, manifests, views.read_bytes() if views.exists() else b"")
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise InvalidRequest(
            f"{folder} has no plan that can be read: {error}",
            remedy="it is the chart's ConfigMap sentinels-bootstrap",
        ) from error


def documents(text: str) -> list[Object]:
    """The objects of a YAML text, lists taken apart. Raises ``yaml.YAMLError``."""
    found: list[Object] = []
    for each in yaml.load_all(text, Loader=yaml.CSafeLoader):
        if isinstance(each, Mapping):
            found += rows(each.get("items")) if text_at(each, "kind") == "List" else [each]
    return found


def _plan(found: Json, manifests: Sequence[Object], views: bytes) -> Plan:
    policy = at(found, "policy")
    return Plan(
        release=text_at(found, "release"),
        namespace=text_at(found, "namespace"),
        seconds=float(parse_duration(text_at(found, "timeout"))),
        keep_data=at(found, "keepData") is True,
        knative=_knative(at(found, "knative"), wanted=text_at(found, "runtime") == "knative"),
        teams=[_team(each) for each in rows(at(found, "teams"))],
        objects=manifests,
        kibana=text_at(found, "kibana"),
        views=views,
        policy=policy if isinstance(policy, Mapping) else {},
    )


def _knative(found: Json, *, wanted: bool) -> KnativePlan:
    folder = text_at(found, "folder")
    return KnativePlan(
        wanted=wanted,
        install=at(found, "install") is True,
        downloads=[
            Download(text_at(each, "url"), text_at(each, "sha256"))
            for each in rows(at(found, "manifests"))
        ],
        folder=Path(folder) if folder else None,
        ingress_class=text_at(found, "ingressClass"),
        domain=text_at(found, "domain"),
    )


def _team(found: Json) -> TeamPlan:
    weight, users = at(found, "weight"), at(found, "users")
    return TeamPlan(
        flags={
            name: at(found, name)
            for name in (found if isinstance(found, Mapping) else {})
            if name not in ("weight", "users")
        },
        weight=float(weight) if isinstance(weight, int | float) else None,
        users=[str(user) for user in users] if isinstance(users, list) else [],
    )
