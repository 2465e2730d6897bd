"""When a job is tried again by itself, and with what.

Comes in: how an attempt ended, how the earlier ones did, what the submission says of retries. Goes
out: a ``RetryDecision``, or None: it has failed. Before: ``settling``. Next: ``Requeue``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sentinels.core.capacity import Resources
from sentinels.core.job import Reason, ReasonClass
from sentinels.core.quantity import MAX_MEMORY_BYTES, about_memory
from sentinels.core.submission import LinePattern, MemoryGrowth, Retry

_MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """How an attempt of a job ended, and the last lines that it printed."""

    reason: Reason
    exit_code: int | None
    lines: tuple[str, ...] = ()
    node: str | None = None


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Try again after so many seconds with this request; ``why`` says what is different.

    ``avoids`` is a node that is to be kept away from.
    """

    after_seconds: int
    resources: Resources
    why: str
    avoids: str | None = None


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """The administrator's: retries free of charge, and the memory that none grows beyond."""

    infrastructure_tries: int
    greatest_memory: int | None = None


@dataclass(frozen=True, slots=True)
class _End:
    """An end to be judged, with what came before it."""

    retry: Retry
    last: PastAttempt
    resources: Resources
    earlier: Sequence[PastAttempt]
    limits: RetryLimits

    def backoff(self, times: int) -> int:
        seconds = self.retry.backoff_seconds << min(max(0, times - 1), 20)
        return min(seconds, self.retry.backoff_limit_seconds)


def retry_decision(
    retry: Retry,
    last: PastAttempt,
    resources: Resources,
    *,
    earlier: Sequence[PastAttempt],
    limits: RetryLimits,
) -> RetryDecision | None:
    """Whether and how the job is tried again after this end; None: it has failed.

    The infrastructure's faults never use up the tries that the submission names.
    """
    end = _End(retry, last, resources, earlier, limits)
    if last.reason.reason_class is ReasonClass.INFRASTRUCTURE:
        return _after_infrastructure(end)
    return _RULES.get(last.reason, _never)(end)


def difference(was: Resources, now: Resources, avoids: Sequence[str], reason: Reason | None) -> str:
    """How an attempt differs from the one before it, and why there was another."""
    parts = []
    if now.memory_bytes != was.memory_bytes:
        memory = (about_memory(each.memory_bytes) for each in (now, was))
        parts.append(f"{' instead of '.join(memory)} of memory")
    if avoids:
        parts.append(f"not on {' or '.join(avoids)}")
    because = f", because {reason.sentence}" if reason is not None else ""
    return f"{', '.join(parts) or 'the same again'}{because}"


def _never(_: _End) -> RetryDecision | None:
    return None


def _after_infrastructure(end: _End) -> RetryDecision | None:
    infrastructure = ReasonClass.INFRASTRUCTURE
    before = sum(past.reason.reason_class is infrastructure for past in end.earlier)
    if before >= end.limits.infrastructure_tries:
        return None
    wait = end.backoff(before) if before else 0
    return RetryDecision(wait, end.resources, "queued again, free of charge")


def _after_out_of_memory(end: _End) -> RetryDecision | None:
    growth = end.retry.oom
    before = sum(past.reason is Reason.OUT_OF_MEMORY for past in end.earlier)
    if growth is None or before >= growth.tries:
        return None
    grown = _grown(end.resources.memory_bytes, growth, end.limits.greatest_memory)
    if grown <= end.resources.memory_bytes:
        return None
    larger = replace(end.resources, memory_bytes=grown)
    why = f"tried again with {about_memory(grown)} of memory"
    return RetryDecision(end.backoff(before + 1), larger, why)


def _grown(size: int, growth: MemoryGrowth, greatest: int | None) -> int:
    whole_mebibytes = -int(-size * growth.factor // _MEBIBYTE) * _MEBIBYTE
    bounds = (growth.limit_bytes, greatest, MAX_MEMORY_BYTES)
    return min(whole_mebibytes, *(bound for bound in bounds if bound is not None))


def _after_program(end: _End) -> RetryDecision | None:
    """What it printed says more than its exit code does."""
    pattern = _fitting(end.retry, end.last)
    return _after_exit(end) if pattern is None else _after_pattern(end, pattern)


def _fitting(retry: Retry, past: PastAttempt) -> LinePattern | None:
    """The first pattern that fits an end that is the program's own."""
    if _RULES.get(past.reason) is not _after_program:
        return None
    fits = (each for each in retry.patterns if any(each.text in line for line in past.lines))
    return next(fits, None)


def _after_pattern(end: _End, pattern: LinePattern) -> RetryDecision | None:
    before = sum(_fitting(end.retry, past) == pattern for past in end.earlier)
    if before >= pattern.tries:
        return None
    avoids = end.last.node if pattern.avoid_node else None
    elsewhere = f", rather not on {avoids}" if avoids else ""
    why = f"retry {before + 1} of {pattern.tries} for “{pattern.text}”{elsewhere}"
    return RetryDecision(end.backoff(before + 1), end.resources, why, avoids)


def _after_exit(end: _End) -> RetryDecision | None:
    code = end.last.exit_code
    if code is None:
        return None
    allowed = end.retry.exit_codes.get(code, 0)
    before = sum(
        (past.reason, past.exit_code) == (end.last.reason, code)
        and _fitting(end.retry, past) is None
        for past in end.earlier
    )
    if before >= allowed:
        return None
    why = f"retry {before + 1} of {allowed} for exit code {code}"
    return RetryDecision(end.backoff(before + 1), end.resources, why)


_RULES: dict[Reason, Callable[[_End], RetryDecision | None]] = {
    Reason.OUT_OF_MEMORY: _after_out_of_memory,
    Reason.EXITED_NONZERO: _after_program,
    Reason.KILLED: _after_program,  # by a signal, whose exit code is 128 and its number
}
