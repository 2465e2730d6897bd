"""The state machine: every state is reached, every live one can end, every reason leads on."""

from __future__ import annotations

import pytest

from sentinels.core.job import (
    LIVE_STATES,
    MOVES,
    TERMINAL_STATES,
    JobState,
    Move,
    Outcome,
    Reason,
    ReasonClass,
    workload_name,
)

EDGES = {(state, edge.target) for edge in MOVES.values() for state in edge.allowed}


def reachable(start: JobState) -> set[JobState]:
    found, new = {start}, {start}
    while new:
        new = {target for state, target in EDGES if state in new} - found
        found |= new
    return found


def test_there_are_six_states_and_each_belongs_to_one_group() -> None:
    assert len(JobState) == 6
    assert {JobState.QUEUED} | LIVE_STATES | TERMINAL_STATES == set(JobState)
    assert not LIVE_STATES & TERMINAL_STATES


def test_every_state_is_reached_from_queued() -> None:
    assert reachable(JobState.QUEUED) == set(JobState)


def test_a_terminal_state_has_no_way_out() -> None:
    assert not [edge for edge in EDGES if edge[0] in TERMINAL_STATES]


@pytest.mark.parametrize("state", sorted(set(JobState) - TERMINAL_STATES))
def test_every_other_state_can_end(state: JobState) -> None:
    assert reachable(state) & TERMINAL_STATES == TERMINAL_STATES


def test_every_move_has_its_edge() -> None:
    assert set(MOVES) == set(Move)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_class_an_outcome_and_a_sentence(reason: Reason) -> None:
    assert isinstance(reason.reason_class, ReasonClass)
    assert isinstance(reason.outcome, Outcome)
    assert reason.sentence[0].islower()


def test_the_infrastructure_is_never_the_users_failure() -> None:
    for reason in Reason:
        infrastructure = reason.reason_class is ReasonClass.INFRASTRUCTURE
        assert (reason.outcome is Outcome.REQUEUE) == infrastructure


def test_a_workloads_name_is_a_dns_label() -> None:
    name = workload_name(2**62, 9999)  # type: ignore[arg-type]  # any whole number will do
    assert len(name) <= 63
    assert name.replace("-", "").isalnum()
