"""What the administrator decides: priorities, ageing, and when a job is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinels.core.capacity import Resources
from sentinels.core.job import Reason, ReasonClass
from sentinels.core.policy import PRIORITY_CLASSES, Policy, priority_faults
from sentinels.core.quantity import MAX_MEMORY_BYTES
from sentinels.core.retrying import (
    PastAttempt,
    RetryDecision,
    RetryLimits,
    difference,
    retry_decision,
)
from sentinels.core.submission import LinePattern, MemoryGrowth, Retry

GI = 2**30
INFRASTRUCTURE = [reason for reason in Reason if reason.reason_class is ReasonClass.INFRASTRUCTURE]
OOM = PastAttempt(Reason.OUT_OF_MEMORY, 137)
EVICTED = PastAttempt(Reason.EVICTED, None)


def exited(code: int) -> PastAttempt:
    return PastAttempt(Reason.EXITED_NONZERO, code)


def said(*lines: str, code: int = 1, node: str | None = None) -> PastAttempt:
    return PastAttempt(Reason.EXITED_NONZERO, code, lines, node)


def decide(
    retry: Retry,
    end: PastAttempt,
    *earlier: PastAttempt,
    memory: int = 4 * GI,
    greatest: int | None = None,
) -> RetryDecision | None:
    limits = RetryLimits(infrastructure_tries=3, greatest_memory=greatest)
    return retry_decision(retry, end, Resources(1000, memory), earlier=earlier, limits=limits)


@pytest.mark.parametrize("reason", Reason)
def test_without_a_retry_policy_only_the_infrastructure_is_retried(reason: Reason) -> None:
    decision = decide(Retry(), PastAttempt(reason, 1))
    assert (decision is not None) == (reason in INFRASTRUCTURE)


@pytest.mark.parametrize("reason", INFRASTRUCTURE)
def test_the_infrastructure_is_retried_at_once_then_with_growing_waits(reason: Reason) -> None:
    end = PastAttempt(reason, None)
    decisions = [decide(Retry(), end, *[end] * before) for before in range(4)]
    assert [decision and decision.after_seconds for decision in decisions] == [0, 30, 60, None]


def test_the_infrastructures_faults_use_up_no_try_of_the_users() -> None:
    retry = Retry(exit_codes={33: 1}, oom=MemoryGrowth(2, None, 1))
    assert decide(retry, exited(33), EVICTED, EVICTED, OOM)
    assert decide(retry, OOM, EVICTED, EVICTED, exited(33))
    assert decide(retry, EVICTED, exited(33), OOM, OOM)


def test_an_exit_code_is_retried_as_often_as_it_says_and_no_other() -> None:
    retry = Retry(exit_codes={33: 2, 7: 1})
    assert decide(retry, exited(33), exited(7), exited(33))
    assert decide(retry, exited(33), exited(33), exited(33)) is None
    assert decide(retry, exited(1)) is None


def test_tries_are_counted_by_their_own_cause() -> None:
    retry = Retry(exit_codes={137: 1})
    killed = PastAttempt(Reason.KILLED, 137)
    assert decide(retry, killed, OOM, exited(137))
    assert decide(retry, killed, killed) is None
    assert decide(retry, OOM) is None


def test_out_of_memory_grows_up_to_its_bound_and_then_fails() -> None:
    retry = Retry(oom=MemoryGrowth(1.5, 8 * GI, 5))
    first = decide(retry, OOM, memory=4 * GI)
    assert first
    assert first.resources == Resources(1000, 6 * GI)
    assert "6Gi" in first.why
    second = decide(retry, OOM, OOM, memory=6 * GI)
    assert second
    assert second.resources.memory_bytes == 8 * GI
    assert decide(retry, OOM, OOM, OOM, memory=8 * GI) is None


def test_out_of_memory_ends_with_its_tries() -> None:
    retry = Retry(oom=MemoryGrowth(2, None, 2))
    assert decide(retry, OOM, OOM)
    assert decide(retry, OOM, OOM, OOM) is None


def test_memory_grows_no_further_than_the_administrator_lets_it() -> None:
    retry = Retry(oom=MemoryGrowth(2, 64 * GI, 5))
    grown = decide(retry, OOM, memory=4 * GI, greatest=6 * GI)
    assert grown
    assert grown.resources.memory_bytes == 6 * GI
    assert decide(retry, OOM, OOM, memory=6 * GI, greatest=6 * GI) is None


ECC = LinePattern("uncorrectable ECC", 2, avoid_node=True)
NCCL = LinePattern("NCCL error", 1)


def test_a_line_that_has_the_text_is_worth_its_own_tries_on_another_node() -> None:
    retry = Retry(patterns=(ECC, NCCL))
    end = said("loading", "CUDA error: uncorrectable ECC error", node="gpu-3")
    first = decide(retry, end)
    assert first
    assert (first.avoids, first.why) == (
        "gpu-3",
        "retry 1 of 2 for “uncorrectable ECC”, rather not on gpu-3",
    )
    assert decide(retry, end, end, said("NCCL error"), EVICTED)
    assert decide(retry, end, end, end) is None
    other = decide(retry, said("NCCL error", node="gpu-3"))
    assert other
    assert other.avoids is None
    assert decide(retry, said("another error", "nccl ERROR")) is None


def test_what_was_printed_goes_before_the_exit_code_and_neither_uses_up_the_others_tries() -> None:
    retry = Retry(exit_codes={1: 1}, patterns=(NCCL,))
    assert decide(retry, said("NCCL error"), said("oops"))
    assert decide(retry, said("oops"), said("NCCL error"))
    assert decide(retry, said("NCCL error"), said("NCCL error")) is None
    assert decide(retry, said("oops"), said("oops")) is None


@pytest.mark.parametrize("reason", [Reason.OUT_OF_MEMORY, Reason.DEADLINE_EXCEEDED])
def test_a_line_means_nothing_where_it_was_not_the_program_that_ended(reason: Reason) -> None:
    assert decide(Retry(patterns=(ECC,)), PastAttempt(reason, 1, ("uncorrectable ECC",))) is None


def test_an_attempt_says_how_it_differs_from_the_one_before_it_and_why() -> None:
    was, now = Resources(1000, 4 * GI), Resources(1000, 6 * GI)
    assert difference(was, now, ["gpu-3"], Reason.OUT_OF_MEMORY) == (
        "6Gi instead of 4Gi of memory, not on gpu-3, because it used more memory than it asked for"
    )
    assert difference(was, was, [], Reason.NODE_LOST) == (
        "the same again, because its node disappeared"
    )


def test_the_wait_doubles_up_to_its_bound() -> None:
    retry = Retry(exit_codes={1: 99}, backoff_seconds=10, backoff_limit_seconds=60)
    decisions = [decide(retry, exited(1), *[exited(1)] * before) for before in (0, 1, 2, 3, 90)]
    assert [decision and decision.after_seconds for decision in decisions] == [10, 20, 40, 60, 60]


@settings(max_examples=200, deadline=None)
@given(
    memory=st.integers(2**20, MAX_MEMORY_BYTES),
    factor=st.floats(1.001, 100),
    limit=st.none() | st.integers(2**20, MAX_MEMORY_BYTES),
)
def test_growth_is_more_than_before_in_whole_mebibytes_and_within_bounds(
    memory: int, factor: float, limit: int | None
) -> None:
    decision = decide(Retry(oom=MemoryGrowth(factor, limit, 1)), OOM, memory=memory)
    if decision is None:
        assert memory >= (limit or MAX_MEMORY_BYTES)
        return
    grown = decision.resources.memory_bytes
    assert memory < grown <= (limit or MAX_MEMORY_BYTES)
    assert grown % 2**20 == 0 or grown == limit


def test_a_waiting_job_rises_a_class_each_period_up_to_the_bound() -> None:
    policy = Policy(ageing_seconds=100, ageing_limit=30)
    risen = [policy.effective_priority(10, waited) for waited in (-5, 0, 99, 100, 250, 1e9)]
    assert risen == [10, 10, 10, 20, 30, 40]


def test_an_unknown_priority_class_is_named_with_the_one_meant() -> None:
    assert priority_faults("high", Policy()) == []
    (near,) = priority_faults("hihg", Policy())
    assert (near.field, near.value, near.remedy) == ("priority", "hihg", "did you mean high?")
    (far,) = priority_faults("now", Policy(priority_classes={"a": 1, "b": 2}))
    assert far.remedy == "one of: a, b"


def test_classes_are_known_by_their_names() -> None:
    assert [Policy().class_name(value) for value in PRIORITY_CLASSES.values()] == [
        *PRIORITY_CLASSES
    ]
    assert Policy().class_name(25) == "25"
