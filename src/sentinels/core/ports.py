"""What the verbs need from the world, one Protocol each.

Every method says how it fails and whether it may be repeated. Adapters: ``db`` (Queue),
``clusters`` (Cluster, ImageStore, DataStore), ``services`` (Tracker, Messenger). Next: the verbs,
``submitting``, ``dispatching``, ``settling``, ``notifying``, ``telling``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sentinels.core.capacity import Snapshot
from sentinels.core.dossier import Testimony
from sentinels.core.errors import ClusterUnavailable, LaunchRejected, Unavailable
from sentinels.core.job import JobId, JobState, Reason
from sentinels.core.log_lines import Marks
from sentinels.core.log_position import Position
from sentinels.core.observation import Finished, Observation
from sentinels.core.rights import Holder
from sentinels.core.submission import ParamValue
from sentinels.core.workload import Image, Workload, WorkloadRef

Clock = Callable[[], datetime]
"""The time now, with a time zone. For display and planning only; leases read PostgreSQL's clock."""

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]
"""A plain JSON value."""

Failpoint = Callable[[str], None]
"""Called with the name of a line at which a crash must be harmless; see ``failpoints``."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a workload's output. ``position`` is where the following piece begins.

    ``ended`` is True when nothing will be added any more and this piece reaches the end. ``marks``:
    where in the text lines begin, and when each was printed. ``joined``: nothing is missing before
    its first line, which was printed at ``first_ns`` where that is known; otherwise the cluster may
    have let go of older ones.
    """

    text: str
    position: Position
    ended: bool
    marks: Marks = ()
    joined: bool = True
    first_ns: int | None = None


@dataclass(frozen=True, slots=True)
class LogTail:
    """Where the last lines of an output begin, and how many of them there are.

    ``first_ns``: when the first of them was printed, where that is known.
    """

    position: Position
    lines: int
    first_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Launched:
    """What became of one launch: the workload's uid, or why there is none (yet)."""

    ref: WorkloadRef
    uid: str | None
    error: LaunchRejected | ClusterUnavailable | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """What became of one release: done, or why it is not (yet)."""

    ref: WorkloadRef
    error: ClusterUnavailable | None = None


class Cluster(Protocol):
    """What runs workloads. Every method may be repeated; all raise ``ClusterUnavailable``."""

    @property
    def keeps_logs(self) -> bool:
        """Whether logs outlive a release for good; else the tracker is given a copy."""
        ...

    def snapshot(self) -> Snapshot:
        """Report nodes, what they offer and what is on them."""
        ...

    def launch(self, workload: Workload) -> str:
        """Start the workload, or adopt the one that already has its name; return its uid.

        At most one program is ever started for a name. Raises ``LaunchRejected`` for a workload
        that can never be started, ``ClusterUnavailable`` where it is not known whether it was.
        """
        ...

    def launch_all(self, workloads: Sequence[Workload]) -> Iterator[Launched]:
        """Launch many, as many at a time as the cluster takes well; each as by ``launch``, but
        what that would raise is part of the answer. In any order, each as soon as it is known.
        """
        ...

    def preview(self, workload: Workload) -> Mapping[str, Json]:
        """What ``launch`` would give the cluster, in the cluster's own words. Changes nothing."""
        ...

    def observe(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, Observation]:
        """Look at each named workload; every ref gets an observation."""
        ...

    def testimony(self, ended: Mapping[WorkloadRef, Finished]) -> Mapping[WorkloadRef, Testimony]:
        """What can be said of these ends now and perhaps never again: last lines, what the cluster
        said meanwhile, how the node stands. Each ref gets one.

        Takes a few seconds at most for all together, and raises nothing: what could not be had is a
        gap.
        """
        ...

    def held(self) -> frozenset[WorkloadRef]:
        """Every workload of ours that was launched and not yet released, known to us or not."""
        ...

    def stop(self, ref: WorkloadRef, *, why: Reason, message: str = "") -> None:
        """Ask the workload to end and see to it that it does; absent or ended is fine.

        Returns at once. ``observe`` tells when it is gone, with ``why`` as the reason and
        ``message`` as its words, unless it ended by itself before.
        """
        ...

    def release(self, ref: WorkloadRef) -> None:
        """The outcome is committed: the cluster may forget the workload. Logs stay readable for
        as long as the cluster keeps them; see ``keeps_logs``.
        """
        ...

    def release_all(self, refs: Sequence[WorkloadRef]) -> Iterator[Released]:
        """Release many, as many at a time as the cluster takes well; each as by ``release``, but
        what that would raise is part of the answer. In any order.
        """
        ...

    def set_aside(self, ref: WorkloadRef) -> None:
        """An ended workload that no row explains: not held any more, left for an operator to see
        where the cluster can keep it.
        """
        ...

    def cordon(self, node: str, *, closed: bool) -> None:
        """Give the node no new work, or (``closed`` False) work again; a node gone is fine."""
        ...

    def read_log(
        self, ref: WorkloadRef, *, after: Position, limit: int, timed: bool = False
    ) -> LogChunk | None:
        """What it printed after a position, so many bytes at most; None where the cluster has
        nothing of it, or nothing any more. ``timed``: with marks, if they cost anything.

        Raises ``InvalidRequest`` for a position in what it has not.
        """
        ...

    def log_since(self, ref: WorkloadRef, at_ns: int) -> Position:
        """The position before the first line that was printed then or later."""
        ...

    def log_tail(self, ref: WorkloadRef, lines: int) -> LogTail | None:
        """Where the last so many lines begin; None where the cluster has nothing of it."""
        ...

    def collect_log(self, ref: WorkloadRef) -> bool:
        """Bring the log store what it lacks of an ended workload, where the cluster does that
        itself; True if all is there. Raises ``LogStoreUnavailable``.
        """
        ...

    def last_output(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime]:
        """When each of these last printed something; one that has printed nothing is left out."""
        ...

    def collect_outputs(self, workload: Workload) -> bool:
        """Push what it left in its output folder to ``outputs_url``; True if all is there.

        Raises ``NotFound`` where what is missing can never be had any more.
        """
        ...


class ImageStore(Protocol):
    """Where images are looked up at push."""

    def resolve(self, reference: str, *, team: str = "default") -> Image:
        """Find the image and pin its content, with what the team may see.

        Raises ``InvalidSubmission`` with a fault on ``image`` where there is none, or none that
        this cluster can run; ``Unpinned`` where it can be run as it is named, and what would tell
        more does not answer; ``ClusterUnavailable`` where it cannot be asked.
        """
        ...

    def program(self, image: Image, command: Sequence[str] | None) -> Program | None:
        """Whether the image has the program that is to run; None where that cannot be seen."""
        ...

    def pin(self, image: Image, *, seen: str | None) -> Image:
        """An image of an earlier push with the same content, whatever its name means by now.

        ``seen`` is what the cluster said that it ran, if it did. Raises ``NotFound`` where that
        content is gone, ``Conflict`` where nothing tells what exactly it was;
        ``ClusterUnavailable`` where it cannot be asked.
        """
        ...


class Unpinned(Unavailable):
    """What tells an image's content does not answer; ``image`` is what can be run all the same."""

    def __init__(self, message: str, image: Image) -> None:
        super().__init__(message)
        self.image = image


@dataclass(frozen=True, slots=True)
class Program:
    """What an image would run, and why it could not (empty: nothing is known against it)."""

    name: str
    missing: str = ""
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """What a registry, or a part of it such as ``host/team``, is asked with."""

    place: str
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a registry has under a name: what pins it, and for which processors it is built."""

    digest: str
    architectures: tuple[str, ...]


class Registry(Protocol):
    """Where container images are kept."""

    def find(self, reference: str, logins: Sequence[Login]) -> Content:
        """Look an image up. Raises ``NotFound`` and ``NotAllowed`` where the registry says so,
        ``RegistryUnavailable`` where it does not answer, or not about this.
        """
        ...


@dataclass(frozen=True, slots=True)
class Lack:
    """What is missing of something that was named, and what to do."""

    message: str
    remedy: str


class SecretStore(Protocol):
    """The secrets that a cluster keeps for each team."""

    def missing(self, team: str, secrets: Mapping[str, str]) -> Mapping[str, Lack]:
        """For each variable whose ``name/key`` the team has not, what it lacks.

        Raises ``ClusterUnavailable``.
        """
        ...


class Experiments(Protocol):
    """Where experiments are looked up at push."""

    def deleted(self, experiment: str) -> bool | None:
        """Whether somebody deleted it; None: it was never there. Raises ``TrackerUnavailable``."""
        ...


class DataStore(Protocol):
    """The shared, read-only data."""

    def missing(self, paths: Sequence[str]) -> Mapping[str, str]:
        """For each path that cannot be used, why: absent, outside the store, no file or folder."""
        ...


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a tracker run records about an attempt from its start. The id of a run follows from
    (job, attempt): opening it twice gives the same run.
    """

    ref: WorkloadRef
    experiment: str
    run_name: str
    params: Mapping[str, ParamValue]
    tags: Mapping[str, str]
    started_at: datetime


@dataclass(frozen=True, slots=True)
class TrackerRun:
    """A tracker's run: its ids and where people and programs find it.

    ``outputs_url`` takes a PUT of each output file below it.
    """

    run_id: str
    experiment_id: str
    page_url: str
    outputs_url: str


@dataclass(frozen=True, slots=True)
class RunPages:
    """A run's page and its experiment's (None: not known), as a browser reaches them."""

    run: str
    experiment: str | None


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file a job left, with its size in bytes (None for a folder)."""

    path: str
    size: int | None


class Tracker(Protocol):
    """Where experiments are recorded. All raise ``TrackerUnavailable``; all may be repeated."""

    def open_run(self, request: RunRequest) -> TrackerRun:
        """Find or make the attempt's run, with its params and tags."""
        ...

    def close_run(
        self, run_id: str, *, state: JobState, ended_at: datetime, tags: Mapping[str, str]
    ) -> None:
        """Record how the attempt ended. A job state that is not terminal means it was requeued."""
        ...

    def metrics(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
        """The latest value of every metric of each run that exists, somebody's deleted ones too."""
        ...

    def pages(self, page_url: str) -> RunPages:
        """The pages of a run that had this page when it was opened. Asks nobody, never raises."""
        ...

    def artifacts(self, run_id: str) -> Sequence[Artifact]:
        """Every file of the run, folders walked, sorted by path."""
        ...

    def read_artifact(self, run_id: str, path: str) -> bytes:
        """One file's content. Raises ``NotFound``."""
        ...

    def write_artifact(self, run: TrackerRun, path: str, content: bytes) -> None:
        """Keep a file with the run, in place of one of the same path."""
        ...


@dataclass(frozen=True, slots=True)
class Thread:
    """Where replies to a message go: the channel as the service names it, and the message."""

    place: str
    ts: str


@dataclass(frozen=True, slots=True)
class Message:
    """What one address is told at once. ``to`` None is the service's default.

    ``title`` is one line, for services that have one. ``id`` stays the same when it is sent again.
    ``thread``: it is a reply there, which all of the channel sees where it is to ``broadcast``.
    ``type`` and ``facts`` say the same to programs.
    """

    to: str | None
    title: str
    text: str
    id: str
    at: datetime
    type: str = "notice"
    facts: Mapping[str, Json] = field(default_factory=dict)
    thread: Thread | None = None
    broadcast: bool = False


class Messenger(Protocol):
    """Where people are told, by one service. Raises ``MessengerUnavailable`` (with ``retry_after``
    seconds where the service named them for this address) and ``MessageRefused``. Repeating a send
    may tell twice.
    """

    @property
    def has_threads(self) -> bool:
        """Whether a message can be a reply to another."""
        ...

    def send(self, message: Message) -> Thread | None:
        """Send one message; the adapter makes its text harmless. Where replies to it go, if any."""
        ...


class Events(Protocol):
    """The hint that something changed. Never raises: a lost hint costs a tick, nothing else."""

    def queue_changed(self) -> None:
        """Poke dispatch."""
        ...


@dataclass(frozen=True, slots=True)
class JobRef:
    """A job as found by id, name or prefix, seen by one caller, and whose it is."""

    id: JobId
    attempt: int
    holder: Holder
    user: str
    team: str
