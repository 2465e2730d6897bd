"""Many notices in one message: nothing is lost in it, and it is never long."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.addressing import ENDS, SWEPT
from sentinels.core.composing import (
    FEW,
    ROOM,
    Group,
    compose,
    compose_in_thread,
    facts_of,
    first_group,
    type_of,
)
from sentinels.core.digest import digest, ranges
from sentinels.core.job import JobId, JobState, Reason
from sentinels.core.notice_queue import DueNotice, NoticedCondition, NoticedJob
from sentinels.core.notify_reading import NOTICE_KINDS
from sentinels.core.ports import Thread
from sentinels.core.sweeps import MOST_FAILURES, SweepView, Unsuccessful, opening, summary

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def notice(
    number: int, kind: str = "succeeded", *, text: str = "", sweep: int | None = None
) -> DueNotice:
    job = NoticedJob(
        id=JobId(number),
        attempt=1,
        name="digits",
        user="ann",
        team="vision",
        state=JobState.SUCCEEDED,
        reason=Reason.EXITED_NONZERO if kind == "failed" else None,
        exit_code=1 if kind == "failed" else 0,
        sweep_id=None if sweep is None else JobId(sweep),
    )
    said = text or f"job {number} digits (ann) {kind}: why\nmore of it"
    return DueNotice(1000 + number, kind, said, NOW, 0, job)


def condition(number: int) -> DueNotice:
    about = NoticedCondition("full:gpu", NOW, {"jobs": 7})
    return DueNotice(2000 + number, "opened", "GPUs are full", NOW, 0, condition=about)


def swept(sweep: int, view: SweepView) -> DueNotice:
    return replace(notice(sweep, SWEPT, text=summary(view), sweep=sweep), sweep=view)


def sweep_view(**changes: object) -> SweepView:
    states = {JobState.SUCCEEDED: 10, JobState.FAILED: 2}
    failures = [
        Unsuccessful(JobId(7 + number), JobState.FAILED, {"C": number}, f"exit code {number}")
        for number in (1, 2)
    ]
    end = NOW + timedelta(minutes=12)
    made = SweepView(JobId(7), "digits", "ann", "vision", 12, states, NOW, end, failures)
    return SweepView(**{**{f: getattr(made, f) for f in made.__slots__}, **changes})  # type: ignore[arg-type]


def test_twelve_ends_are_one_message_that_names_what_failed_and_why() -> None:
    notices = [notice(n, "failed" if n in (4, 9) else "succeeded") for n in range(1, 13)]
    lines = digest(notices).splitlines()
    assert lines == [
        "✘ 12 jobs ended: 10 succeeded, 2 failed",
        "job 4 digits (ann) failed: why",
        "job 9 digits (ann) failed: why",
        "succeeded: 1–3, 5–8, 10–12",
        "See: sentinels logs 4 · sentinels jobs --state failed",
    ]


def test_when_all_is_well_it_is_three_lines() -> None:
    assert digest([notice(n) for n in range(1, 6)]).splitlines() == [
        "✔ 5 jobs ended: 5 succeeded",
        "succeeded: 1–5",
    ]


_NOTICES = st.lists(
    st.builds(
        lambda number, kind, text: notice(number, kind, text=text),
        st.integers(1, 10**12),
        st.sampled_from([*NOTICE_KINDS, SWEPT]),
        st.text(min_size=1, max_size=3000),
    ),
    min_size=1,
    max_size=300,
)


@given(_NOTICES)
def test_a_digest_is_never_long_and_counts_everything(notices: list[DueNotice]) -> None:
    text = digest(notices)
    assert len(text) <= ROOM
    ends = sum(each.kind in ENDS for each in notices)
    found = re.match(r". (\d+) jobs? ended", text)
    assert (int(found[1]) if found else 0) == ends
    counted = sum(map(int, re.findall(r"(?<=[:,;] )(\d+)(?= )", f"; {text.splitlines()[0][2:]}")))
    assert counted == len(notices) + ends
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", text)


@given(st.lists(st.integers(1, 400), min_size=1))
def test_ranges_say_the_same_numbers(numbers: list[int]) -> None:
    said = ranges(numbers, limit=10**6)
    found: set[int] = set()
    for word in said.split(", "):
        first, _, last = word.partition("–")
        found |= set(range(int(first), int(last or first) + 1))
    assert found == set(numbers)
    assert len(ranges(numbers, limit=20)) <= 24


def test_a_few_notices_are_told_in_full_one_under_the_other() -> None:
    due = [notice(n) for n in range(1, FEW + 1)]
    turn = compose("#vision", Group(due))
    assert turn.message.text == "\n\n".join(each.text for each in due)
    assert turn.message.title == f"job 1 digits (ann) succeeded: why (and {FEW - 1} more)"
    assert turn.tells == [each.id for each in due]


def test_what_has_no_room_is_told_next() -> None:
    due = [notice(1, text="a" * 2000), notice(2, text="b" * 2000)]
    assert compose(None, Group(due)).tells == [1001]
    assert compose(None, Group([notice(1, text="a" * 9000)])).tells == [1001]


@given(_NOTICES, st.booleans())
def test_every_notice_is_told_exactly_once(notices: list[DueNotice], threads: bool) -> None:
    left, told = list(notices), []
    for _ in range(len(notices)):
        if not left:
            break
        turn = compose(None, first_group(left, threads=threads))
        assert turn.tells
        told += turn.tells
        left = [each for each in left if each.id not in turn.tells]
    assert not left
    assert set(told) == {each.id for each in notices}


def test_conditions_are_told_apart_from_jobs() -> None:
    due = [notice(1), condition(1), notice(2), condition(2)]
    jobs = first_group(due, threads=True)
    assert [each.id for each in jobs.notices] == [1001, 1002]
    others = first_group(due[1:], threads=True)
    assert [each.id for each in others.notices] == [2001, 2002]


def test_a_sweep_is_a_thread_of_its_own_where_there_are_threads() -> None:
    due = [notice(8, sweep=7), notice(30), notice(9, sweep=7)]
    assert first_group(due, threads=True) == Group([due[0], due[2]], JobId(7))
    assert first_group(due, threads=False) == Group(due)


THREAD = Thread("#vision", "17.1")


def test_a_sweeps_story_begins_with_its_parent_goes_on_in_its_thread_and_ends_for_all() -> None:
    view = sweep_view(states={JobState.RUNNING: 2, JobState.SUCCEEDED: 10})
    replies = [notice(8, "failed", sweep=7), notice(9, sweep=7)]
    group = Group(replies, JobId(7))
    first = compose_in_thread("#vision", group, view, None)
    assert (first.tells, first.opens_thread, first.message.thread) == ((), True, None)
    assert first.message.text == opening(view)
    then = compose_in_thread("#vision", group, view, THREAD)
    assert then.tells == [1008, 1009]
    assert (then.message.thread, then.message.broadcast) == (THREAD, False)
    end = Group([swept(7, view)], JobId(7))
    last = compose_in_thread("#vision", end, view, THREAD)
    assert (last.message.thread, last.message.broadcast) == (THREAD, True)
    assert last.message.text == summary(view)


def test_the_summary_comes_after_the_last_reply() -> None:
    group = Group([swept(7, sweep_view()), notice(8, sweep=7)], JobId(7))
    assert compose_in_thread(None, group, sweep_view(), THREAD).tells == [1008]


def test_a_sweep_that_is_over_before_anything_was_told_is_one_message() -> None:
    view = sweep_view()
    group = Group([notice(8, sweep=7), swept(7, view), notice(9, sweep=7)], JobId(7))
    turn = compose_in_thread("#vision", group, view, None)
    assert turn.tells == [1008, 1007, 1009]
    assert (turn.message.text, turn.message.thread) == (summary(view), None)


def test_what_comes_after_the_summary_begins_no_thread() -> None:
    group = Group([notice(8, sweep=7)], JobId(7))
    turn = compose_in_thread("#vision", group, sweep_view(), None)
    assert (turn.tells, turn.opens_thread, turn.message.thread) == ([1008], False, None)


def test_a_thread_that_was_lost_is_not_begun_again() -> None:
    group = Group([notice(8, sweep=7)], JobId(7))
    turn = compose_in_thread("#vision", group, sweep_view(), Thread("", ""))
    assert (turn.tells, turn.message.thread) == ([1008], None)


def test_a_summary_says_how_many_ended_how_which_failed_and_how_to_compare() -> None:
    assert summary(sweep_view()).splitlines() == [
        "✘ sweep 7 digits (ann) is over after 12m: 12 jobs, 10 succeeded, 2 failed",
        "8 (C=1) failed: exit code 1",
        "9 (C=2) failed: exit code 2",
        "Compare them: sentinels sweep 7",
    ]


def test_a_summary_of_many_failures_names_some_and_counts_the_rest() -> None:
    failures = [
        Unsuccessful(JobId(n), JobState.FAILED, {"p" * 50: "x" * 900}, "y" * 900)
        for n in range(1, MOST_FAILURES + 1)
    ]
    view = sweep_view(jobs=1000, states={JobState.FAILED: 1000}, unsuccessful=failures)
    text = summary(view)
    assert "… and 990 more that did not succeed" in text
    assert len(text) <= ROOM


def test_programs_are_told_the_same_as_facts() -> None:
    failed = notice(12, "failed", sweep=7)
    assert type_of(failed) == "job.failed"
    assert facts_of(failed) == {
        "job": 12,
        "attempt": 1,
        "name": "digits",
        "user": "ann",
        "team": "vision",
        "sweep": 7,
        "state": "succeeded",
        "reason": "exited_nonzero",
        "reason_class": "user",
        "exit_code": 1,
        "text": failed.text,
    }
    over = swept(7, sweep_view())
    assert type_of(over) == "sweep.ended"
    assert facts_of(over)["states"] == {"succeeded": 10, "failed": 2}
    full = condition(1)
    assert type_of(full) == "condition.opened"
    assert facts_of(full) == {
        "condition": "full:gpu",
        "since": "2026-11-23T12:00:00+00:00",
        "facts": {"jobs": 7},
        "text": "GPUs are full",
    }
