"""What executes one attempt, as a value that any cluster can launch.

Comes in: a claimed job. Goes out: a ``Workload`` for ``Cluster.launch``. Next:
``clusters/local/launch`` or ``clusters/kubernetes/manifest``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sentinels.core.capacity import Resources
from sentinels.core.job import JobId, workload_name


class ImageKind(StrEnum):
    """How an image is kept."""

    CONTAINER = "container"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was found at push, and what exactly it was then.

    ``reference`` is what the user typed. ``digest`` (``sha256:…``) pins its content. ``location``
    is what a cluster runs: the reference by digest, or the stored copy of the directory.
    ``architectures`` are those that it is built for, as far as that was seen; it is not stored.
    """

    kind: ImageKind
    reference: str
    digest: str | None
    location: str
    git_commit: str | None = None
    git_dirty: bool = False
    architectures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkloadRef:
    """Which attempt of which job; its name follows from it."""

    job_id: JobId
    attempt: int

    @property
    def name(self) -> str:
        """The deterministic name under which the cluster knows it."""
        return workload_name(self.job_id, self.attempt)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the planner saw room: advice to a cluster that chooses nodes by itself.

    ``node`` is where it fits; ``kept`` are nodes kept free for others, which it must not take, and
    ``avoids`` those on which an earlier attempt of it met trouble.
    It is no part of what a workload is: launched again, the same workload may be placed elsewhere.
    """

    node: str | None = None
    kept: tuple[str, ...] = ()
    avoids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """Everything a cluster needs to run an attempt.

    ``env`` is the user's and Sentinels' own, in the order in which ``$(VAR)`` may refer back.
    ``outputs_url`` is where the output folder's files are PUT (one path segment each is appended),
    None where there is no tracker run. ``time_limit`` is in seconds from the start of the program.
    ``secrets`` maps a variable to ``name/key`` of a secret that the cluster keeps for the team.
    """

    ref: WorkloadRef
    image: Image
    command: tuple[str, ...] | None
    args: tuple[str, ...]
    env: Mapping[str, str]
    resources: Resources
    data: tuple[str, ...] = ()
    time_limit: int | None = None
    outputs_url: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    team: str = "default"
    user: str = ""
    experiment: str = ""
    placement: Placement = Placement()
