"""The demo's verdict on how its jobs ended."""

from __future__ import annotations

from sentinels.local.demo import EXAMPLES, wrong_ends
from sentinels.local.demo_shell import Job, examples_folder


def as_they_should() -> list[Job]:
    kinds = [example for example in EXAMPLES for _ in range(example.jobs)]
    return [
        {
            "id": number,
            "name": example.folder,
            "image": str(examples_folder() / example.folder),
            "state": example.state,
            "reason": example.reason,
        }
        for number, example in enumerate(kinds, start=1)
    ]


def test_jobs_that_ended_as_they_should_are_fine() -> None:
    assert wrong_ends(as_they_should()) == []


def test_another_state_is_said() -> None:
    jobs = as_they_should()
    jobs[0] = {**jobs[0], "state": "failed", "reason": "out_of_memory"}
    assert wrong_ends(jobs) == [
        "job 1 digits should be succeeded (no reason), but is failed (out_of_memory)"
    ]


def test_a_failure_for_another_reason_is_said() -> None:
    jobs = as_they_should()
    jobs[-1] = {**jobs[-1], "reason": "exited_nonzero"}
    assert wrong_ends(jobs) == [
        "job 9 overtime should be failed (deadline_exceeded), but is failed (exited_nonzero)"
    ]


def test_a_missing_job_is_said() -> None:
    assert wrong_ends(as_they_should()[1:]) == ["digits made 5 jobs instead of 6"]
