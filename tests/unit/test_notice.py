"""What people are told of an end: what happened, what to do about it, what is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentinels.core.advice import ADVICE
from sentinels.core.capacity import Resources
from sentinels.core.dossier import NOTHING_SAID, Cause, Dossier, LastLines
from sentinels.core.dossier import Testimony as Said
from sentinels.core.job import JobId, JobState, Move, Outcome, Reason, ReasonClass
from sentinels.core.notice import end_notices
from sentinels.core.observation import Finished, Usage
from sentinels.core.ports import TrackerRun
from sentinels.core.queueing import LiveAttempt
from sentinels.core.submission import Notify, Submission
from sentinels.core.workload import Image, ImageKind, WorkloadRef

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
SIZE = Resources(1000, 3 * 2**29)
RUN = TrackerRun("run", "1", "http://mlflow/run", "http://mlflow/outputs")
CAN_FAIL = [reason for reason in Reason if reason.outcome is not Outcome.CANCEL]
UNMEASURED = Usage()
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
    code: int | None = None,
    said: Said = NOTHING_SAID,
    usage: Usage = UNMEASURED,
) -> str:
    """The notice of an end after three seconds."""
    ended = NOW + timedelta(seconds=3)
    seen = Finished("uid", reason, code, NOW, ended, usage=usage, outputs_complete=complete)
    dossier = Dossier(Cause(reason, "what happened") if reason else None, code, said)
    [notice] = end_notices(attempt(run), move, seen, dossier)
    return notice.body


def printed(*lines: str) -> Said:
    """What a program left that printed these."""
    return Said(LastLines(lines, "its log"))


def test_there_is_advice_for_exactly_the_reasons_that_can_fail_a_job() -> None:
    assert set(ADVICE) == set(CAN_FAIL)


@pytest.mark.parametrize("reason", CAN_FAIL)
def test_a_failure_is_told_with_what_happened_what_to_do_and_where_the_rest_is(
    reason: Reason,
) -> None:
    happened, advice, more, page = told(Move.FAIL, reason).splitlines()
    blamed = " (the infrastructure's fault)"
    assert happened.startswith("✘ job 12 digits (ann) failed after 3s: what happened")
    assert happened.endswith(blamed) == (reason.reason_class is ReasonClass.INFRASTRUCTURE)
    assert not {"{", "}"} & set(advice.replace("{oom: {memory: x1.5, tries: 2}}", ""))
    assert more == "More: sentinels explain 12"
    assert page == "MLflow: http://mlflow/run"


def test_a_failure_carries_its_exit_code_its_use_and_the_lines_that_say_most() -> None:
    usage = Usage(peak_memory_bytes=3 * 2**28, peak_cpu_cores=0.5, mean_gpu_percent=None)
    said = printed(
        "epoch 1", "Traceback (most recent call last):", '  File "a.py", line 3', "KeyError"
    )
    text = told(Move.FAIL, Reason.EXITED_NONZERO, code=1, said=said, usage=usage)
    assert text.splitlines()[:4] == [
        "✘ job 12 digits (ann) failed after 3s: what happened (exit code 1)",
        "used: memory 768Mi of 1536Mi (50%), CPU 0.5 of 1 (50%)",
        '> File "a.py", line 3',
        "> KeyError",
    ]


def test_a_program_that_says_nothing_in_particular_is_quoted_with_its_last_lines() -> None:
    said = printed("one", "two", "three", "", "four", "🏃 View run x at: http://mlflow")
    lines = told(Move.FAIL, Reason.EXITED_NONZERO, code=1, said=said).splitlines()
    assert lines[1:4] == ["> two", "> three", "> four"]


def test_what_a_program_prints_steers_nothing_and_fills_no_message() -> None:
    said = printed("\x1b[31mred\x1b]8;;http://evil\x07 \u202e<!channel>", "x" * 10**6)
    text = told(Move.FAIL, Reason.EXITED_NONZERO, code=1, said=said)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text) < 1000


def test_a_programs_lines_have_no_say_where_the_cluster_let_it_go() -> None:
    assert "> " not in told(Move.FAIL, Reason.PREEMPTED, said=printed("epoch 1"))


def test_a_retry_needs_no_lines() -> None:
    text = told(Move.REQUEUE, Reason.OUT_OF_MEMORY, code=137, said=printed("epoch 1"))
    assert "> " not in text
    assert "explain" not in text


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
