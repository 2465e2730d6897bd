"""What people are told of an end: what happened, what to do about it, what is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentinels.core.capacity import Resources
from sentinels.core.job import JobId, JobState, Move, Outcome, Reason, ReasonClass
from sentinels.core.notice import ADVICE, end_notices
from sentinels.core.observation import Finished
from sentinels.core.ports import TrackerRun
from sentinels.core.queueing import LiveAttempt
from sentinels.core.submission import Notify, Submission
from sentinels.core.workload import Image, ImageKind, WorkloadRef

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
SIZE = Resources(1000, 3 * 2**29)
RUN = TrackerRun("run", "1", "http://mlflow/run", "http://mlflow/outputs")
CAN_FAIL = [reason for reason in Reason if reason.outcome is not Outcome.CANCEL]
INCOMPLETE = "artifacts: incomplete"


def attempt(run: TrackerRun | None = RUN) -> LiveAttempt:
    on = frozenset({"failed", "succeeded", "requeued", "cancelled"})
    return LiveAttempt(
        ref=WorkloadRef(JobId(12), 1),
        state=JobState.RUNNING,
        user="ann",
        team="default",
        image=Image(ImageKind.CONTAINER, "team/train:1.4", None, "team/train:1.4"),
        submission=Submission("team/train:1.4", "digits", "digits", SIZE, notify=Notify(on)),
        sweep_id=None,
        resources=SIZE,
        launched=True,
        lease_expired=False,
        seconds_since_launch=9.0,
        submitted_at=NOW,
        cancel_actor=None,
        run=run,
    )


def told(
    move: Move,
    reason: Reason | None,
    *,
    complete: bool = True,
    run: TrackerRun | None = RUN,
) -> str:
    """The notice of an end after three seconds."""
    seen = Finished("uid", reason, None, NOW, NOW + timedelta(seconds=3), outputs_complete=complete)
    [notice] = end_notices(attempt(run), move, reason, seen, "what happened")
    return notice.body


def test_there_is_advice_for_exactly_the_reasons_that_can_fail_a_job() -> None:
    assert set(ADVICE) == set(CAN_FAIL)


@pytest.mark.parametrize("reason", CAN_FAIL)
def test_a_failure_is_told_with_what_happened_and_what_to_do(reason: Reason) -> None:
    happened, advice, page = told(Move.FAIL, reason).splitlines()
    blamed = " (the infrastructure's fault)"
    assert happened.startswith("✘ job 12 digits (ann) failed after 3s: what happened")
    assert happened.endswith(blamed) == (reason.reason_class is ReasonClass.INFRASTRUCTURE)
    assert not {"{", "}"} & set(advice.replace("{oom: {memory: x1.5, tries: 2}}", ""))
    assert page == "MLflow: http://mlflow/run"


def test_advice_fits_the_cause() -> None:
    assert "Ask for more than 1536Mi" in told(Move.FAIL, Reason.OUT_OF_MEMORY)
    assert "Ask for more" not in told(Move.FAIL, Reason.EVICTED)
    assert "sentinels logs 12" in told(Move.FAIL, Reason.EXITED_NONZERO)
    assert "secret" in told(Move.FAIL, Reason.CONFIG_MISSING)
    assert "quota" in told(Move.FAIL, Reason.QUOTA_EXCEEDED)
    assert "name and tag" in told(Move.FAIL, Reason.IMAGE_UNAVAILABLE)
    assert "name and tag" not in told(Move.FAIL, Reason.REGISTRY_UNAVAILABLE)


@pytest.mark.parametrize(
    ("move", "reason"),
    [
        (Move.SUCCEED, None),
        (Move.CANCEL, Reason.CANCELLED),
        (Move.CANCEL, Reason.DEPENDENCY_FAILED),
        (Move.REQUEUE, Reason.NODE_LOST),
    ],
)
def test_what_did_not_fail_needs_no_advice(move: Move, reason: Reason | None) -> None:
    assert len(told(move, reason).splitlines()) == 2


@pytest.mark.parametrize(
    ("move", "reason"),
    [
        (Move.SUCCEED, None),
        (Move.FAIL, Reason.EXITED_NONZERO),
        (Move.CANCEL, Reason.CANCELLED),
    ],
)
def test_artifacts_that_did_not_all_arrive_are_told(move: Move, reason: Reason | None) -> None:
    assert INCOMPLETE in told(move, reason, complete=False)
    assert INCOMPLETE not in told(move, reason)
    assert INCOMPLETE not in told(move, reason, complete=False, run=None)


def test_an_attempt_that_is_followed_by_another_says_nothing_of_its_artifacts() -> None:
    assert INCOMPLETE not in told(Move.REQUEUE, Reason.NODE_LOST, complete=False)
