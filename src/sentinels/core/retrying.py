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
from sentinels.core.submission import MemoryGrowth, Retry

_MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """How an earlier attempt of a job ended."""

    reason: Reason
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Try again after so many seconds with this request; ``why`` says what is different."""

    after_seconds: int
    resources: Resources
    why: str


@dataclass(frozen=True, slots=True)
class _End:
    """An end to be judged, with what came before it."""

    retry: Retry
    reason: Reason
    exit_code: int | None
    resources: Resources
    earlier: Sequence[PastAttempt]
    infrastructure_tries: int

    def backoff(self, times: int) -> int:
        seconds = self.retry.backoff_seconds << min(max(0, times - 1), 20)
        return min(seconds, self.retry.backoff_limit_seconds)


def retry_decision(
    retry: Retry,
    *,
    reason: Reason,
    exit_code: int | None,
    resources: Resources,
    earlier: Sequence[PastAttempt],
    infrastructure_tries: int,
) -> RetryDecision | None:
    """Whether and how the job is tried again after this end; None: it has failed.

    The infrastructure's faults never use up the tries that the submission names.
    """
    end = _End(retry, reason, exit_code, resources, earlier, infrastructure_tries)
    if reason.reason_class is ReasonClass.INFRASTRUCTURE:
        return _after_infrastructure(end)
    return _RULES.get(reason, _never)(end)


def _never(_: _End) -> RetryDecision | None:
    return None


def _after_infrastructure(end: _End) -> RetryDecision | None:
    infrastructure = ReasonClass.INFRASTRUCTURE
    before = sum(past.reason.reason_class is infrastructure for past in end.earlier)
    if before >= end.infrastructure_tries:
        return None
    wait = end.backoff(before) if before else 0
    return RetryDecision(wait, end.resources, "queued again, free of charge")


def _after_out_of_memory(end: _End) -> RetryDecision | None:
    growth = end.retry.oom
    before = sum(past.reason is Reason.OUT_OF_MEMORY for past in end.earlier)
    if growth is None or before >= growth.tries:
        return None
    grown = _grown(end.resources.memory_bytes, growth)
    if grown <= end.resources.memory_bytes:
        return None
    larger = replace(end.resources, memory_bytes=grown)
    why = f"tried again with {about_memory(grown)} of memory"
    return RetryDecision(end.backoff(before + 1), larger, why)


def _grown(size: int, growth: MemoryGrowth) -> int:
    whole_mebibytes = -int(-size * growth.factor // _MEBIBYTE) * _MEBIBYTE
    return min(whole_mebibytes, growth.limit_bytes or MAX_MEMORY_BYTES, MAX_MEMORY_BYTES)


def _after_exit(end: _End) -> RetryDecision | None:
    if end.exit_code is None:
        return None
    allowed = end.retry.exit_codes.get(end.exit_code, 0)
    before = sum(past == PastAttempt(end.reason, end.exit_code) for past in end.earlier)
    if before >= allowed:
        return None
    why = f"retry {before + 1} of {allowed} for exit code {end.exit_code}"
    return RetryDecision(end.backoff(before + 1), end.resources, why)


_RULES: dict[Reason, Callable[[_End], RetryDecision | None]] = {
    Reason.OUT_OF_MEMORY: _after_out_of_memory,
    Reason.EXITED_NONZERO: _after_exit,
    Reason.KILLED: _after_exit,  # by a signal, whose exit code is 128 and its number
}
