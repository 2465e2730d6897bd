"""A team's namespace and everything in it that keeps its workloads within bounds.

Pure. Whoever can create Jobs in a namespace can use whatever is in it, so each team has one of its
own that holds nothing else (reference/reliability.md, 8.1). Comes in: what an administrator decides
about a team. Goes out: manifests, the namespace first. Before: ``admin``. Next: ``apply``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from sentinels.clusters.kubernetes.names import PREFIX, TEAM, namespace_of
from sentinels.core.ports import Json
from sentinels.core.quantity import format_cpu, format_memory

Object = dict[str, Json]
Network = IPv4Network | IPv6Network

LAUNCHER = f"{PREFIX}/launcher"
"""Annotation of the namespace: who creates Jobs in it; ``knative/policy.yaml`` reads it."""
NAME = "sentinels"
FUNCTIONS = ("submit", "dispatch", "notify")
_POD_SECURITY_VERSION = "v1.31"
"""The rules of the oldest Kubernetes that is supported: an upgrade of it changes nothing here."""
_OWN: dict[str, Json] = {"app.kubernetes.io/managed-by": NAME}
_DNS: list[Json] = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
_NODE_DNS: Json = {"ipBlock": {"cidr": "169.254.20.10/32"}}
"""Where the node-local DNS cache listens; no namespace selector leads there."""
_MLFLOW_PORT = 5000
UNREACHABLE: tuple[Network, ...] = (
    ip_network("169.254.0.0/16"),
    ip_network("168.63.129.16/32"),
    ip_network("100.100.100.200/32"),
    ip_network("fe80::/10"),
    ip_network("fd00:ec2::254/128"),
    ip_network("fd20:ce::254/128"),
)
"""Where clouds give a machine's credentials to whoever asks: Amazon, Google and others; Azure;
Alibaba; the same in IPv6. No workload gets there, however wide a network it is let into; but
names are asked for at ``_NODE_DNS``.
"""


@dataclass(frozen=True, slots=True)
class Way:
    """A network or a namespace that workloads may reach; a port of None means all."""

    to: Network | str
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Amounts:
    """Thousandths of a core, bytes, GPUs, pods; None: not limited."""

    cpu_millis: int | None = None
    memory_bytes: int | None = None
    gpus: int | None = None
    pods: int | None = None


@dataclass(frozen=True, slots=True)
class TeamSpec:
    """What an administrator decides. ``quota`` is for all of the team's workloads at one time,
    ``largest`` for one of them. ``system`` is the namespace of Sentinels itself; ``launcher`` is
    who creates Jobs, empty: dispatch's account there.
    """

    name: str
    prefix: str = "sen-"
    system: str = NAME
    launcher: str = ""
    pod_security: str = "restricted"
    quota: Amounts = Amounts()
    largest: Amounts = Amounts()
    ways: Sequence[Way] = ()

    @property
    def namespace(self) -> str:
        """The namespace of the team's workloads."""
        return namespace_of(self.prefix, self.name)


def team_objects(spec: TeamSpec) -> list[Object]:
    """All of it, in the order in which it is applied."""
    return [
        _namespace(spec),
        _account(spec),
        _quota(spec),
        _limits(spec),
        _network(spec),
        *(_binding(spec, function) for function in FUNCTIONS),
    ]


def role_of(function: str) -> str:
    """The ClusterRole that a function has in each team's namespace; see knative/accounts.yaml."""
    return f"sentinels-workloads-{function}"


def _object(team: TeamSpec, version: str, kind: str, name: str, /, **parts: Json) -> Object:
    metadata: Object = {"name": name, "namespace": team.namespace, "labels": dict(_OWN)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **parts}


def _namespace(spec: TeamSpec) -> Object:
    levels: Object = {}
    for mode in ("enforce", "audit", "warn"):
        levels[f"pod-security.kubernetes.io/{mode}"] = spec.pod_security
        levels[f"pod-security.kubernetes.io/{mode}-version"] = _POD_SECURITY_VERSION
    launcher = spec.launcher or f"system:serviceaccount:{spec.system}:sentinels-dispatch"
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": spec.namespace,
            "labels": {**_OWN, TEAM: spec.name, **levels},
            "annotations": {LAUNCHER: launcher},
        },
    }


def _account(spec: TeamSpec) -> Object:
    """The account that pods have unless told otherwise: its token is in none."""
    return _object(spec, "v1", "ServiceAccount", "default", automountServiceAccountToken=False)


def _quota(spec: TeamSpec) -> Object:
    """Always there, so that a limit that is not given any more is lifted."""
    hard = _hard(spec.quota, prefix="requests.")
    if spec.quota.gpus is not None:
        hard["requests.nvidia.com/gpu"] = str(spec.quota.gpus)
    if spec.quota.pods is not None:
        hard["pods"] = str(spec.quota.pods)
    return _object(spec, "v1", "ResourceQuota", NAME, spec={"hard": hard})


def _limits(spec: TeamSpec) -> Object:
    """What a container gets that says nothing; ours say everything but the sidecar's CPUs."""
    container: Object = {
        "type": "Container",
        "defaultRequest": _within(spec.largest, cpu_millis=100, memory_bytes=128 * 2**20),
        "default": _within(spec.largest, cpu_millis=1000, memory_bytes=2**30),
    }
    if largest := _hard(spec.largest):
        container["max"] = largest
    return _object(spec, "v1", "LimitRange", NAME, spec={"limits": [container]})


def _within(largest: Amounts, *, cpu_millis: int, memory_bytes: int) -> Object:
    return _hard(
        Amounts(
            min(cpu_millis, largest.cpu_millis or cpu_millis),
            min(memory_bytes, largest.memory_bytes or memory_bytes),
        )
    )


def _hard(amounts: Amounts, prefix: str = "") -> Object:
    found: Object = {}
    if amounts.cpu_millis is not None:
        found[f"{prefix}cpu"] = format_cpu(amounts.cpu_millis)
    if amounts.memory_bytes is not None:
        found[f"{prefix}memory"] = format_memory(amounts.memory_bytes)
    return found


def _network(spec: TeamSpec) -> Object:
    """Nobody gets in; out: names, MLflow, and what the administrator lists."""
    mlflow: Object = {
        **_in_namespace(spec.system),
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "mlflow"}},
    }
    egress: list[Json] = [
        {"to": [_in_namespace("kube-system"), _NODE_DNS], "ports": _DNS},
        {"to": [mlflow], "ports": [{"port": _MLFLOW_PORT, "protocol": "TCP"}]},
        *map(_way, spec.ways),
    ]
    rules: Object = {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": egress,
    }
    return _object(spec, "networking.k8s.io/v1", "NetworkPolicy", NAME, spec=rules)


def _way(way: Way) -> Json:
    to = _in_namespace(way.to) if isinstance(way.to, str) else {"ipBlock": _block(way.to)}
    ports: list[Json] = [{"port": way.port, "protocol": "TCP"}]
    return {"to": [to], **({"ports": ports} if way.port else {})}


def _in_namespace(name: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _block(network: Network) -> Object:
    never = [str(each) for each in UNREACHABLE if _holds(network, each)]
    return {"cidr": str(network), **({"except": never} if never else {})}


def _holds(outer: Network, inner: Network) -> bool:
    return (
        outer.version == inner.version
        and outer != inner
        and inner.network_address in outer
        and inner.prefixlen >= outer.prefixlen
    )


def _binding(spec: TeamSpec, function: str) -> Object:
    api = "rbac.authorization.k8s.io"
    account: Object = {
        "kind": "ServiceAccount",
        "name": f"sentinels-{function}",
        "namespace": spec.system,
    }
    return _object(
        spec,
        f"{api}/v1",
        "RoleBinding",
        f"sentinels-{function}",
        roleRef={"apiGroup": api, "kind": "ClusterRole", "name": role_of(function)},
        subjects=[account],
    )
