"""This machine as a cluster: ``core.ports.Cluster``.

Comes in: workloads. Goes out: runners, observations, logs. Keeps nothing in memory that matters:
two processes with one data folder see one cluster. Before: ``core/dispatching``,
``core/settling``. Next: ``launch``, ``observe``.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sentinels.clock import utc_now
from sentinels.clusters.local.engine import Engine, find_engine
from sentinels.clusters.local.folders import Layout, WorkloadFolder, read_record, write_record
from sentinels.clusters.local.launch import Surroundings, launch, preview, start_runner
from sentinels.clusters.local.log_file import read_log, since, tail
from sentinels.clusters.local.machine import machine_resources
from sentinels.clusters.local.observe import observe
from sentinels.clusters.local.runner import collect
from sentinels.clusters.local.shipping import StoreInTrouble, ship
from sentinels.clusters.local.testimony import testify
from sentinels.core.capacity import Node, Resources, Snapshot
from sentinels.core.dossier import Testimony
from sentinels.core.errors import ClusterUnavailable, LaunchRejected, LogStoreUnavailable
from sentinels.core.job import JobId, Reason
from sentinels.core.log_position import Position, byte_of
from sentinels.core.observation import Finished, Observation
from sentinels.core.ports import Failpoint, Json, Launched, LogChunk, LogTail, Released
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

    def __init__(  # noqa: PLR0913  # all but the last two are what every workload of it is given
        self,
        home: Path,
        *,
        notify_url: str = "",
        data_store: str = "",
        search_url: str = "",
        grace_seconds: float = 10.0,
        failpoint: Failpoint = _never,
        engine: Callable[[], Engine | None] = find_engine,
    ) -> None:
        """``home`` is the one-machine mode's data folder; the others are every workload's."""
        self._layout = Layout(home)
        self._surroundings = Surroundings(notify_url, data_store, search_url, grace_seconds)
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
    def read_log(
        self, ref: WorkloadRef, *, after: Position, limit: int, timed: bool = False
    ) -> LogChunk | None:
        """See ``Cluster.read_log``."""
        folder = self._folder(ref)
        if not folder.log.exists():
            return None
        over = not folder.runner_lives() and not self._may_begin(folder)
        return read_log(folder, byte=byte_of(after), limit=limit, timed=timed, over=over)

    @_in_our_words()
    def log_since(self, ref: WorkloadRef, at_ns: int) -> Position:
        """See ``Cluster.log_since``."""
        return since(self._folder(ref), at_ns)

    @_in_our_words()
    def log_tail(self, ref: WorkloadRef, lines: int) -> LogTail | None:
        """See ``Cluster.log_tail``."""
        return tail(self._folder(ref), lines)

    @_in_our_words()
    def collect_log(self, ref: WorkloadRef) -> bool:
        """See ``Cluster.collect_log``: what its runner did not send."""
        folder = self._folder(ref)
        spec = read_record(folder.spec)
        if spec is None or (read_record(folder.shipped) or {}).get("complete"):
            return True
        if not self._surroundings.search_url or folder.runner_lives():
            return False
        try:
            # The store may have moved since the workload was launched.
            at = {"search_url": self._surroundings.search_url}
            return ship(folder, {**spec, **at}, over=True, until=lambda: False)
        except StoreInTrouble as trouble:
            raise LogStoreUnavailable(str(trouble)) from trouble

    @_in_our_words()
    def last_output(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime]:
        """See ``Cluster.last_output``: when its log was last written to."""
        found = {}
        for ref in refs:
            with suppress(FileNotFoundError):
                written = self._folder(ref).log.stat()
                if written.st_size:
                    found[ref] = datetime.fromtimestamp(written.st_mtime, UTC)
        return found

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
