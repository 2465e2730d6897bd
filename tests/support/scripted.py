"""A cluster that does as it is told: it records what was asked of it and re-implements nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sentinels.core.capacity import Node, Resources, Snapshot
from sentinels.core.dossier import NOTHING_SAID, Testimony
from sentinels.core.errors import ClusterUnavailable, LaunchRejected
from sentinels.core.job import Reason
from sentinels.core.log_position import Position, since
from sentinels.core.observation import Absent, Finished, Observation, Pending
from sentinels.core.ports import Json, Launched, LogChunk, LogTail, Released
from sentinels.core.workload import Workload, WorkloadRef

GIB = 1024**3


def node(cpus: int = 4, name: str = "box") -> Node:
    """A ready node with this many CPUs, 4 GiB each."""
    return Node(name, Resources(cpu_millis=cpus * 1000, memory_bytes=cpus * 4 * GIB))


@dataclass
class ScriptedCluster:
    """Set ``seen`` for what it observes, ``said`` for what it testifies, and ``trouble`` for what
    ``launch`` raises.
    """

    nodes: Sequence[Node] = (node(),)
    seen: dict[WorkloadRef, Observation] = field(default_factory=dict)
    trouble: Exception | None = None
    launches: list[Workload] = field(default_factory=list)
    stops: list[tuple[WorkloadRef, str]] = field(default_factory=list)
    released: list[WorkloadRef] = field(default_factory=list)
    extra: frozenset[WorkloadRef] = frozenset()
    cordons: list[tuple[str, bool]] = field(default_factory=list)
    keeps_logs: bool = True
    said: dict[WorkloadRef, Testimony] = field(default_factory=dict)
    heard: list[frozenset[WorkloadRef]] = field(default_factory=list)
    printed: dict[WorkloadRef, datetime] = field(default_factory=dict)
    asked_for_output: list[list[WorkloadRef]] = field(default_factory=list)

    def snapshot(self) -> Snapshot:
        return Snapshot(self.nodes)

    def launch(self, workload: Workload) -> str:
        if self.trouble:
            raise self.trouble
        self.launches.append(workload)
        return f"uid-{workload.ref.name}"

    def observe(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, Observation]:
        launched = {workload.ref: Pending(f"uid-{workload.ref.name}") for workload in self.launches}
        return {ref: self.seen.get(ref) or launched.get(ref) or Absent() for ref in refs}

    def testimony(self, ended: Mapping[WorkloadRef, Finished]) -> Mapping[WorkloadRef, Testimony]:
        self.heard.append(frozenset(ended))
        return {ref: self.said.get(ref, NOTHING_SAID) for ref in ended}

    def held(self) -> frozenset[WorkloadRef]:
        return self.extra | {workload.ref for workload in self.launches} - set(self.released)

    def launch_all(self, workloads: Sequence[Workload]) -> Iterator[Launched]:
        for workload in workloads:
            try:
                yield Launched(workload.ref, self.launch(workload))
            except (LaunchRejected, ClusterUnavailable) as error:
                yield Launched(workload.ref, None, error)

    def preview(self, workload: Workload) -> Mapping[str, Json]:
        return {"name": workload.ref.name}

    def stop(self, ref: WorkloadRef, *, why: Reason, message: str = "") -> None:
        self.stops.append((ref, why.value))

    def set_aside(self, ref: WorkloadRef) -> None:
        self.released.append(ref)

    def cordon(self, node: str, *, closed: bool) -> None:
        self.cordons.append((node, closed))

    def release(self, ref: WorkloadRef) -> None:
        self.released.append(ref)

    def release_all(self, refs: Sequence[WorkloadRef]) -> Iterator[Released]:
        for ref in refs:
            try:
                self.release(ref)
                yield Released(ref)
            except ClusterUnavailable as error:
                yield Released(ref, error)

    def read_log(
        self, ref: WorkloadRef, *, after: Position, limit: int, timed: bool = False
    ) -> LogChunk | None:
        return None

    def log_since(self, ref: WorkloadRef, at_ns: int) -> Position:
        return since(at_ns)

    def log_tail(self, ref: WorkloadRef, lines: int) -> LogTail | None:
        return None

    def collect_log(self, ref: WorkloadRef) -> bool:
        return True

    def last_output(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime]:
        self.asked_for_output.append(list(refs))
        return {ref: self.printed[ref] for ref in refs if ref in self.printed}

    def collect_outputs(self, workload: Workload) -> bool:
        return True
