"""This machine as a cluster: ``core.ports.Cluster``.

Comes in: workloads. Goes out: runners, observations, logs. Keeps nothing in memory that matters:
two processes with one data folder see one cluster. Before: ``core/dispatching``,
``core/settling``. Next: ``launch``, ``observe``.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sentinels.clock import utc_now
from sentinels.clusters.local.engine import Engine, find_engine
from sentinels.clusters.local.folders import Layout, WorkloadFolder, read_record, write_record
from sentinels.clusters.local.launch import Surroundings, launch, preview, start_runner
from sentinels.clusters.local.machine import machine_resources
from sentinels.clusters.local.observe import observe
from sentinels.clusters.local.runner import collect
from sentinels.clusters.local.testimony import testify
from sentinels.core.capacity import Node, Resources, Snapshot
from sentinels.core.dossier import Testimony
from sentinels.core.errors import ClusterUnavailable, LaunchRejected
from sentinels.core.job import JobId, Reason
from sentinels.core.observation import Finished, Observation
from sentinels.core.ports import Failpoint, Json, Launched, LogChunk, Released
from sentinels.core.workload import ImageKind, Workload, WorkloadRef


def _never(_name: str) -> None:
    return None


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ClusterUnavailable(f"the data folder cannot be used: {error}") from error


class LocalCluster:
    """One node: this machine."""

    def __init__(
        self,
        home: Path,
        *,
        notify_url: str = "",
        data_store: str = "",
        grace_seconds: float = 10.0,
        failpoint: Failpoint = _never,
        engine: Callable[[], Engine | None] = find_engine,
    ) -> None:
        """``home`` is the one-machine mode's data folder; the others are every workload's."""
        self._layout = Layout(home)
        self._surroundings = Surroundings(notify_url, data_store, grace_seconds)
        self._failpoint = failpoint
        self._engine = engine
        self._node = platform.node() or "localhost"

    @property
    def keeps_logs(self) -> bool:
        """See ``Cluster.keeps_logs``."""
        return True

    @_in_our_words()
    def snapshot(self) -> Snapshot:
        """See ``Cluster.snapshot``."""
        held = {name: asked for name in self._layout.marked() if (asked := self._asked(name))}
        return Snapshot([Node(self._node, machine_resources(), workloads=held)])

    @_in_our_words()
    def launch(self, workload: Workload) -> str:
        """See ``Cluster.launch``."""
        surroundings = self._surroundings
        if workload.image.kind is ImageKind.CONTAINER:
            surroundings = replace(surroundings, engine=self._engine())
        return launch(self._layout, workload, surroundings, self._failpoint)

    def launch_all(self, workloads: Sequence[Workload]) -> Iterator[Launched]:
        """See ``Cluster.launch_all``; one after the other: a runner starts in milliseconds."""
        for workload in workloads:
            try:
                yield Launched(workload.ref, self.launch(workload))
            except (LaunchRejected, ClusterUnavailable) as error:
                yield Launched(workload.ref, None, error)

    def preview(self, workload: Workload) -> Mapping[str, Json]:
        """See ``Cluster.preview``."""
        return preview(workload)

    @_in_our_words()
    def observe(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, Observation]:
        """See ``Cluster.observe``."""
        now = utc_now()
        return {ref: observe(self._folder(ref), node=self._node, now=now) for ref in refs}

    def testimony(self, ended: Mapping[WorkloadRef, Finished]) -> Mapping[WorkloadRef, Testimony]:
        """See ``Cluster.testimony``."""
        return {ref: testify(self._folder(ref), seen) for ref, seen in ended.items()}

    @_in_our_words()
    def held(self) -> frozenset[WorkloadRef]:
        """See ``Cluster.held``."""
        return frozenset(filter(None, map(_ref_of, self._layout.marked())))

    @_in_our_words()
    def stop(self, ref: WorkloadRef, *, why: Reason, message: str = "") -> None:
        """See ``Cluster.stop``; the runner sees the request within a tenth of a second."""
        folder = self._folder(ref)
        if folder.spec.exists() and not folder.stop.exists():
            write_record(folder.stop, {"why": why.value, "message": message})
        if folder.spec.exists():
            # One that nobody began has a runner, too, that says how it ended.
            start_runner(folder)

    @_in_our_words()
    def release(self, ref: WorkloadRef) -> None:
        """See ``Cluster.release``."""
        shutil.rmtree(self._folder(ref).work, ignore_errors=True)
        self._layout.unmark(ref.name)

    def release_all(self, refs: Sequence[WorkloadRef]) -> Iterator[Released]:
        """See ``Cluster.release_all``."""
        for ref in refs:
            try:
                self.release(ref)
                yield Released(ref)
            except ClusterUnavailable as error:
                yield Released(ref, error)

    def set_aside(self, ref: WorkloadRef) -> None:
        """See ``Cluster.set_aside``; its folder stays."""
        self.release(ref)

    def cordon(self, node: str, *, closed: bool) -> None:
        """See ``Cluster.cordon``: Sentinels alone gives this machine work."""

    @_in_our_words()
    def read_log(self, ref: WorkloadRef, *, offset: int, limit: int) -> LogChunk:
        """See ``Cluster.read_log``."""
        folder = self._folder(ref)
        over = not folder.runner_lives() and not self._may_begin(folder)
        try:
            with folder.log.open("rb") as log:
                log.seek(offset)
                data = log.read(limit)
                at_end = len(data) < limit or not log.read(1)
        except FileNotFoundError:
            return LogChunk(b"", offset, ended=over)
        return LogChunk(data, offset + len(data), ended=over and at_end)

    @_in_our_words()
    def log_size(self, ref: WorkloadRef) -> int:
        """See ``Cluster.log_size``."""
        try:
            return self._folder(ref).log.stat().st_size
        except FileNotFoundError:
            return 0

    @_in_our_words()
    def collect_outputs(self, workload: Workload) -> bool:
        """See ``Cluster.collect_outputs``."""
        folder = self._folder(workload.ref)
        if not folder.spec.exists():
            return True
        if folder.runner_lives():
            return False
        found = collect(folder, workload.outputs_url or "")
        write_record(folder.outputs, found)
        return bool(found["complete"])

    def _folder(self, ref: WorkloadRef) -> WorkloadFolder:
        return self._layout.folder(ref.name)

    def _may_begin(self, folder: WorkloadFolder) -> bool:
        return folder.spec.exists() and not folder.started.exists()

    def _asked(self, name: str) -> Resources | None:
        folder = self._layout.folder(name)
        spec = read_record(folder.spec)
        if spec is None or (folder.exit.exists() and not folder.runner_lives()):
            return None
        gpus = spec["gpus"]
        return Resources(
            cpu_millis=int(str(spec["cpu_millis"])),
            memory_bytes=int(str(spec["memory_bytes"])),
            gpus=len(gpus) if isinstance(gpus, list) else 0,
        )


def _ref_of(name: str) -> WorkloadRef | None:
    words = name.split("-")
    if len(words) != 3 or words[0] != "sentinels" or not (words[1] + words[2]).isdigit():
        return None
    return WorkloadRef(JobId(int(words[1])), int(words[2]))
