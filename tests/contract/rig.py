"""What the suites over a cluster share: workloads in one line, bounded waits, and the clean-up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sentinels.clusters.local.cluster import LocalCluster
from sentinels.clusters.local.folders import Layout, WorkloadFolder, read_record
from sentinels.clusters.local.processes import marked
from sentinels.core.capacity import Resources
from sentinels.core.dossier import Testimony
from sentinels.core.job import JobId, Reason
from sentinels.core.log_position import START
from sentinels.core.observation import Finished, Observation, Pending, Running
from sentinels.core.ports import Cluster
from sentinels.core.workload import Image, Workload, WorkloadRef
from tests.contract.listener import Listener

SMALL = Resources(cpu_millis=500, memory_bytes=96 * 2**20)
GRACE_SECONDS = 0.4
REF = WorkloadRef(JobId(7), 1)


def await_true(condition: Callable[[], object], *, seconds: float = 20) -> None:
    """Return when the condition holds; fail where it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Rig:
    """A cluster, an image in which ``sh`` can be run, and a listener."""

    cluster: Cluster
    image: Image
    listener: Listener
    home: Path
    patience: float = 20

    def shell(
        self,
        script: str,
        *,
        ref: WorkloadRef = REF,
        args: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        resources: Resources = SMALL,
        time_limit: int | None = None,
    ) -> Workload:
        """A workload that runs a script."""
        return Workload(
            ref=ref,
            image=self.image,
            command=("sh", "-c", script),
            args=args,
            env=env or {},
            resources=resources,
            time_limit=time_limit,
            outputs_url=self.listener.outputs_url,
        )

    def observe(self, ref: WorkloadRef) -> Observation:
        """One look."""
        return self.cluster.observe([ref])[ref]

    def await_running(self, ref: WorkloadRef) -> Running:
        """Wait until it was seen running."""
        await_true(lambda: isinstance(self.observe(ref), Running), seconds=self.patience)
        seen = self.observe(ref)
        assert isinstance(seen, Running)
        return seen

    def await_log(self, ref: WorkloadRef, text: str) -> None:
        """Wait until its log contains the text."""
        await_true(lambda: text in self.log(ref), seconds=self.patience)

    def finish(self, workload: Workload) -> Finished:
        """Launch it and wait for its end."""
        self.cluster.launch(workload)
        return self.await_end(workload.ref)

    def await_end(self, ref: WorkloadRef) -> Finished:
        """Wait until nothing of it runs."""
        await_true(lambda: self._is_over(ref), seconds=self.patience)
        seen = self.observe(ref)
        assert isinstance(seen, Finished)
        return seen

    def _is_over(self, ref: WorkloadRef) -> bool:
        """One look, and what settling does where a look says that it must end."""
        seen = self.observe(ref)
        if isinstance(seen, Pending | Running) and seen.stop_for:
            self.cluster.stop(ref, why=seen.stop_for.reason, message=seen.stop_for.message)
        return isinstance(seen, Finished)

    def testimony(self, seen: Finished, ref: WorkloadRef = REF) -> Testimony:
        """What the cluster says of an end."""
        return self.cluster.testimony({ref: seen})[ref]

    def log(self, ref: WorkloadRef) -> str:
        """All that it has printed."""
        chunk = self.cluster.read_log(ref, after=START, limit=10**6)
        return chunk.text if chunk else ""

    def folder(self, ref: WorkloadRef) -> WorkloadFolder:
        """The local cluster's folder for it."""
        return Layout(self.home).folder(ref.name)

    def runner(self, ref: WorkloadRef) -> int:
        """The pid of its runner."""
        started = read_record(self.folder(ref).started)
        assert started is not None
        return int(str(started["runner"]))

    def processes(self, ref: WorkloadRef) -> list[int]:
        """Its processes, by the mark in their environment."""
        spec = read_record(self.folder(ref).spec)
        return marked(str(spec["uid"])) if spec else []


@contextmanager
def cleaned(home: Path, cluster: LocalCluster) -> Iterator[None]:
    """See to it that nothing of this data folder runs afterwards, nor what is just starting."""
    try:
        yield
    finally:
        held = sorted(cluster.held(), key=lambda ref: ref.name)
        for ref in held:
            cluster.stop(ref, why=Reason.CANCELLED)
        await_true(lambda: not any(map(_is_live, cluster.observe(held).values())))
        for ref in held:
            spec = read_record(Layout(home).folder(ref.name).spec)
            assert spec is None or marked(str(spec["uid"])) == []


def _is_live(seen: Observation) -> bool:
    return isinstance(seen, Pending | Running)
