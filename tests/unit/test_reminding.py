"""Who is reminded of what runs, how often, and how few are looked at for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.audience import NoticeRules
from sentinels.core.errors import ClusterUnavailable, LogStoreUnavailable
from sentinels.core.job import JobId, JobState
from sentinels.core.log_store import LogLine
from sentinels.core.ports import Cluster
from sentinels.core.queueing import Delivery
from sentinels.core.reminding import (
    MOST_FAILURES,
    MOST_LOOKS,
    SHORTEST_LIMIT,
    Reminder,
    Watched,
    near_limit,
)
from sentinels.core.submission import Notify
from sentinels.core.workload import WorkloadRef
from tests.support.scripted import ScriptedCluster
from tests.unit.test_notice import attempt

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = 3600


def watched(
    number: int = 1,
    *,
    ran: float = 2 * HOUR,
    limit: int | None = None,
    on: frozenset[str] | None = None,
    told: frozenset[str] = frozenset(),
) -> Watched:
    made = attempt()
    submission = replace(made.submission, time_limit=limit, notify=Notify(on))
    ref = WorkloadRef(JobId(number), 1)
    live = replace(made, ref=ref, state=JobState.RUNNING, submission=submission)
    return Watched(live, NOW - timedelta(seconds=ran), told)


@dataclass
class Rounds:
    """What runs, and what was posted; ``busy``: another process looks."""

    found: Sequence[Watched]
    busy: bool = False
    posted: list[Delivery] = field(default_factory=list)

    def begin_round(self, name: str, *, every_seconds: float) -> bool:
        return not self.busy

    def running(self, *, for_seconds: float) -> Sequence[Watched]:
        return self.found

    def remind(self, deliveries: Sequence[Delivery]) -> None:
        self.posted += deliveries


@dataclass
class Lines:
    """Last lines, by job; ``down``: it does not answer."""

    ago: Mapping[int, float] = field(default_factory=dict)
    down: bool = False

    def last_output(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime]:
        if self.down:
            raise LogStoreUnavailable("away")
        return {ref: ago(self.ago[ref.job_id]) for ref in refs if ref.job_id in self.ago}

    def lines(
        self, ref: WorkloadRef, *, after_ns: int | None, before_ns: int | None, limit: int
    ) -> Sequence[LogLine]:
        return []

    def last_lines(self, ref: WorkloadRef, count: int) -> Sequence[LogLine]:
        return []


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def reminder(queue: Rounds, cluster: Cluster | None = None, lines: Lines | None = None) -> Reminder:
    found = cluster or ScriptedCluster()
    return Reminder(queue, found, lines, lambda: NOW, NoticeRules(), HOUR)


def silent_jobs(queue: Rounds) -> list[int]:
    return [each.ref.job_id for each in queue.posted if each.kind == "silent"]


NEAR = [
    (0.79, None, False),
    (0.80, None, True),
    (0.99, None, True),
    (1.00, None, False),
    (0.90, "near_limit", False),
    (0.90, "silent", True),
]


@pytest.mark.parametrize(("part", "told", "reminded"), NEAR)
def test_the_end_of_a_time_limit_is_told_once_when_four_fifths_are_over(
    part: float, told: str | None, reminded: bool
) -> None:
    found = watched(ran=part * HOUR, limit=HOUR, told=frozenset({told} if told else ()))
    assert (near_limit(found, NOW) is not None) == reminded


def test_it_says_how_much_is_over_and_when_it_ends() -> None:
    notice = near_limit(watched(ran=0.85 * HOUR, limit=HOUR), NOW)
    assert notice is not None
    assert notice.body.startswith(
        "⏳ job 1 digits (ann) has used 85% of its time limit of 1h: "
        "it is ended at 12:09 UTC at the latest\n"
    )


@pytest.mark.parametrize("limit", [None, SHORTEST_LIMIT - 1])
def test_no_limit_or_a_very_short_one_reminds_of_nothing(limit: int | None) -> None:
    assert near_limit(watched(ran=250, limit=limit), NOW) is None


def test_what_has_printed_nothing_for_an_hour_is_told() -> None:
    queue = Rounds([watched(1), watched(2), watched(3, ran=0.9 * HOUR)])
    cluster = ScriptedCluster(printed={WorkloadRef(JobId(2), 1): ago(60)})
    reminder(queue, cluster).look()
    [notice] = queue.posted
    assert notice.body.splitlines()[0] == (
        "… job 1 digits (ann) has printed nothing for 2h, since it started"
    )
    assert "sentinels logs 1" in notice.body


def test_since_when_is_said_by_whoever_knows_of_a_later_line() -> None:
    queue = Rounds([watched(1, ran=9 * HOUR)])
    cluster = ScriptedCluster(printed={WorkloadRef(JobId(1), 1): ago(1.5 * HOUR)})
    reminder(queue, cluster, Lines({1: 3 * HOUR})).look()
    [notice] = queue.posted
    assert "printed nothing for 1h30m, since 10:30 UTC" in notice.body


def test_a_line_that_only_one_of_both_has_seen_is_a_line() -> None:
    for printed, kept in (({1: 60.0}, {}), ({}, {1: 60.0})):
        queue = Rounds([watched(1)])
        seen = {WorkloadRef(JobId(job), 1): ago(when) for job, when in printed.items()}
        reminder(queue, ScriptedCluster(printed=seen), Lines(kept)).look()
        assert queue.posted == []


def test_while_nobody_can_say_nobody_is_called_silent() -> None:
    @dataclass
    class Away(ScriptedCluster):
        tried: list[WorkloadRef] = field(default_factory=list)

        def last_output(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime]:
            self.tried += refs
            raise ClusterUnavailable("away")

    queue = Rounds([watched(number) for number in range(1, 20)])
    away = Away()
    made = reminder(queue, away, Lines(down=True))
    made.look()
    assert queue.posted == []
    assert len(away.tried) == MOST_FAILURES, "what does not answer is not asked for all of them"
    made.cluster = ScriptedCluster()
    made.look()
    assert len(silent_jobs(queue)) == 19


def test_only_what_seems_silent_is_asked_of_the_cluster_and_not_again_at_once() -> None:
    queue = Rounds([watched(1), watched(2)])
    cluster = ScriptedCluster(printed={WorkloadRef(JobId(1), 1): ago(60)})
    made = reminder(queue, cluster, Lines({2: 30}))
    for _ in range(3):
        made.look()
    assert cluster.asked_for_output == [[WorkloadRef(JobId(1), 1)]]


def test_a_thousand_silent_jobs_are_looked_at_a_few_at_a_time() -> None:
    queue = Rounds([watched(number) for number in range(1, 1001)])
    cluster = ScriptedCluster()
    reminder(queue, cluster).look()
    assert len(cluster.asked_for_output) == MOST_LOOKS
    assert len(silent_jobs(queue)) == MOST_LOOKS


def test_who_does_not_want_it_costs_no_look() -> None:
    queue = Rounds([watched(1, on=frozenset({"failed"})), watched(2, told=frozenset({"silent"}))])
    cluster = ScriptedCluster()
    reminder(queue, cluster).look()
    assert (queue.posted, cluster.asked_for_output) == ([], [])


def test_a_round_that_another_process_makes_is_not_made_here() -> None:
    queue = Rounds([watched(1)], busy=True)
    reminder(queue).look()
    assert queue.posted == []


@given(st.lists(st.floats(0, 5 * HOUR), min_size=1, max_size=30), st.data())
def test_nobody_is_called_silent_who_printed_something_within_the_hour(
    ran: list[float], data: st.DataObject
) -> None:
    queue = Rounds([watched(number, ran=seconds) for number, seconds in enumerate(ran)])
    lines = {
        number: data.draw(st.floats(0, seconds))
        for number, seconds in enumerate(ran)
        if data.draw(st.booleans())
    }
    reminder(queue, ScriptedCluster(), Lines(lines)).look()
    expected = [number for number, seconds in enumerate(ran) if lines.get(number, seconds) >= HOUR]
    assert silent_jobs(queue) == expected
