"""What a user asks for, once it is known to be sound.

Comes in: an image and a config (plain data, as YAML or JSON gave it), already merged with the
flags. Goes out: a ``Submission``, or ``InvalidSubmission`` with every fault at once. Next:
``submitting``, which stores it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sentinels.core.capacity import Resources

ParamValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from ``low`` to ``high`` of which a random sweep draws; whole ones where both are.

    ``is_log``: as likely between 1 and 10 as between 10 and 100.
    """

    low: float
    high: float
    is_log: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Values = tuple[ParamValue, ...] | Span
"""What one parameter of a sweep may be."""


@dataclass(frozen=True, slots=True)
class MemoryGrowth:
    """Retry after an out-of-memory end with ``factor`` times the memory, up to ``limit_bytes``."""

    factor: float
    limit_bytes: int | None
    tries: int


@dataclass(frozen=True, slots=True)
class LinePattern:
    """Retry ``tries`` times after an end whose last lines have this text in one of them;
    ``avoid_node``: not on the node where it was seen.
    """

    text: str
    tries: int
    avoid_node: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again by itself; the infrastructure's faults are retried without being listed.

    ``exit_codes`` maps an exit code to the number of retries it is worth; the first of the
    ``patterns`` that fits goes before it. The wait before a retry
    doubles from ``backoff_seconds`` to ``backoff_limit_seconds``.
    """

    oom: MemoryGrowth | None = None
    exit_codes: Mapping[int, int] = field(default_factory=dict)
    backoff_seconds: int = 30
    backoff_limit_seconds: int = 600
    patterns: tuple[LinePattern, ...] = ()


@dataclass(frozen=True, slots=True)
class Notify:
    """What the job's own config says of notices: which kinds (None: it does not say; empty: none),
    and to which addresses, as ``core.address`` spells them (none: it does not say).
    """

    on: frozenset[str] | None = None
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """A validated request. ``sweep`` is empty once it has been expanded to one job each: every
    combination, or ``samples`` of them drawn with ``seed``; ``at_once`` of its jobs run at a time.

    ``image`` is a container image reference, or the absolute path of a directory of code.
    ``command`` None is the image's own. ``time_limit`` is in seconds, None is no limit.
    ``priority`` names a class that the administrator defines; None is the policy's. ``secrets``
    maps a variable to ``name/key`` of a secret of the team.
    """

    image: str
    name: str
    experiment: str
    resources: Resources
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    sweep: Mapping[str, Values] = field(default_factory=dict)
    samples: int | None = None
    seed: int = 0
    at_once: int | None = None
    data: tuple[str, ...] = ()
    time_limit: int | None = None
    priority: str | None = None
    after: tuple[int, ...] = ()
    retry: Retry = Retry()
    notify: Notify = Notify()
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
