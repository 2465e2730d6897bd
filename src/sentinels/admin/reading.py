"""What an operator typed about a team, as a ``TeamSpec``, or every fault of it at once.

Pure. Comes in: flags as text. Goes out: a spec. Before: ``commands``. Next:
``clusters/kubernetes/team``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TypeVar

from sentinels.clusters.kubernetes.manifest import SIDECAR_MEMORY
from sentinels.clusters.kubernetes.team import UNREACHABLE, Amounts, TeamSpec, Way
from sentinels.core.errors import InvalidRequest
from sentinels.core.quantity import format_memory, parse_cpu, parse_memory

_T = TypeVar("_T")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_PREFIX = re.compile(r"[a-z0-9][-a-z0-9]*", re.ASCII)
_NAME_LIMIT = 50
_LABEL_LIMIT = 63
_LEVELS = ("restricted", "baseline")
_PORTS = range(1, 65536)
_COUNT_LIMIT = 10**6
_COUNT = re.compile(r"\d{1,7}", re.ASCII)
_WAY = "is no network or namespace, such as 10.1.0.0/16, 10.1.2.3/32:443 or namespace/shared:8080"


@dataclass(frozen=True, slots=True)
class Flags:
    """As they were typed; None or empty: not given."""

    name: str
    cpu: str | None = None
    memory: str | None = None
    gpus: str | None = None
    pods: str | None = None
    job_cpu: str | None = None
    job_memory: str | None = None
    pod_security: str = "restricted"
    egress: Sequence[str] = ()
    prefix: str = "sen-"
    system: str = "sentinels"
    launcher: str = ""


@dataclass(slots=True)
class _Reader:
    """Reads values and keeps what is wrong with them."""

    faults: list[str] = field(default_factory=list)

    def read(self, flag: str, text: str | None, parse: Callable[[str], _T]) -> _T | None:
        """The value; None where none was given, or a wrong one."""
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as wrong:
            self.faults.append(f"{flag} {text!r} {wrong}")
            return None


def read_team(flags: Flags) -> TeamSpec:
    """The spec that the flags mean. Raises ``InvalidRequest`` that names every fault."""
    reader = _Reader()
    _check_names(reader, flags)
    quota = Amounts(
        cpu_millis=reader.read("--cpu", flags.cpu, parse_cpu),
        memory_bytes=reader.read("--memory", flags.memory, parse_memory),
        gpus=reader.read("--gpus", flags.gpus, _count),
        pods=reader.read("--pods", flags.pods, _count),
    )
    largest = Amounts(
        cpu_millis=reader.read("--job-cpu", flags.job_cpu, parse_cpu),
        memory_bytes=reader.read("--job-memory", flags.job_memory, _job_memory),
    )
    level = reader.read("--pod-security", flags.pod_security, _level)
    ways = [reader.read("--egress", text, read_way) for text in flags.egress]
    if reader.faults:
        raise InvalidRequest("; ".join(reader.faults), remedy="nothing was done; correct it")
    return TeamSpec(
        name=flags.name,
        prefix=flags.prefix,
        system=flags.system,
        launcher=flags.launcher,
        pod_security=level or flags.pod_security,
        quota=quota,
        largest=largest,
        ways=tuple(way for way in ways if way is not None),
    )


def _check_names(reader: _Reader, flags: Flags) -> None:
    reader.read("the team's name", flags.name, _team_name)
    reader.read("--namespace-prefix", flags.prefix, _prefix)
    reader.read("--system-namespace", flags.system, _label)
    if len(flags.prefix) + len(flags.name) > _LABEL_LIMIT and len(flags.name) <= _NAME_LIMIT:
        reader.faults.append(
            f"{flags.prefix + flags.name!r} is too long for a namespace: {_LABEL_LIMIT} at most"
        )
    if (namespace := flags.prefix + flags.name) in (flags.system, "default"):
        reader.faults.append(f"{namespace!r} is no team's namespace")
    if namespace.startswith("kube-"):
        reader.faults.append(f"{namespace!r}: what begins with kube- is Kubernetes' own")


def _team_name(text: str) -> str:
    if len(text) > _NAME_LIMIT:
        raise ValueError(f"is too long: {_NAME_LIMIT} characters at most")
    return _label(text)


def _label(text: str) -> str:
    if not _LABEL.fullmatch(text) or len(text) > _LABEL_LIMIT:
        raise ValueError(
            "is no name: it has small letters, digits and hyphens, and begins and ends with a"
            " letter or digit"
        )
    return text


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise ValueError("is no beginning of a namespace's name, such as sen-")
    return text


def _count(text: str) -> int:
    if not _COUNT.fullmatch(text.strip()) or int(text) > _COUNT_LIMIT:
        raise ValueError(f"is no number from 0 to {_COUNT_LIMIT}")
    return int(text)


def _job_memory(text: str) -> int:
    found = parse_memory(text)
    if found < SIDECAR_MEMORY:
        raise ValueError(
            f"is less than {format_memory(SIDECAR_MEMORY)}, which the upload of a job's outputs may"
            " take beside the job"
        )
    return found


def _level(text: str) -> str:
    if text not in _LEVELS:
        raise ValueError(f"is none of: {', '.join(_LEVELS)}")
    return text


def read_way(text: str) -> Way:
    """A network or namespace, with or without a port. Raises ``ValueError``."""
    head, slash, rest = text.strip().partition("/")
    size, colon, port = rest.partition(":")
    if not slash:
        raise ValueError(f"{_WAY}; a policy knows addresses, not host names")
    number = _port(port) if colon else None
    if head == "namespace":
        return Way(_label(size), number)
    try:
        network = ip_network(f"{head}/{size}")
    except ValueError as wrong:
        raise ValueError(f"{_WAY}: {wrong}") from wrong
    if any(_is_within(str(network), str(denied)) for denied in UNREACHABLE):
        raise ValueError("is where a cloud keeps its machines' credentials; no workload gets there")
    return Way(network, number)


def _port(text: str) -> int:
    if not _COUNT.fullmatch(text) or int(text) not in _PORTS:
        raise ValueError(f"names no port: {text!r} is not a number from 1 to 65535")
    return int(text)


def _is_within(inner: str, outer: str) -> bool:
    small, large = ip_network(inner), ip_network(outer)
    if small.version != large.version:
        return False
    return small.network_address in large and small.prefixlen >= large.prefixlen
