"""What is full is told once, with advice, and its end; an idle node, too: over PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from sentinels.clock import utc_now
from sentinels.core.audience import NoticeRules
from sentinels.core.capacity import Node, Resources
from sentinels.core.job import JobId
from sentinels.core.meter import Series
from sentinels.core.notifying import deliver_due
from sentinels.core.observation import Finished, Running, Usage
from sentinels.core.reminding import Reminder
from sentinels.core.surveying import CLEAR_SECONDS, Surveyor
from sentinels.core.workload import WorkloadRef
from sentinels.db.conditions import PostgresSurvey
from sentinels.db.reading import PostgresReading
from sentinels.services.slack import SlackBot
from tests.integration.test_settling import finished
from tests.standins.slack import SlackStandIn
from tests.support.desk import Desk, ref
from tests.support.scripted import GIB

RULES = NoticeRules(oncall=("#oncall",))
FULL, IDLE = 1200.0, 21600.0
MINUTE = 60.0
OFFERED = Resources(8000, 32 * GIB, 2)
GPUS = {"cpu": 1, "memory": "1Gi", "gpu": 2}


@dataclass
class Gauge:
    """Says how much the GPUs of a job do."""

    percent: dict[int, float] = field(default_factory=dict)

    def gpu_percent(
        self, refs: Sequence[WorkloadRef], *, begin: datetime, end: datetime
    ) -> Mapping[WorkloadRef, float]:
        assert end - begin == timedelta(minutes=30)
        return {ref: self.percent[ref.job_id] for ref in refs if ref.job_id in self.percent}

    def series(self, ref: WorkloadRef, *, begin: datetime, end: datetime, points: int) -> Series:
        return {}

    def usage(self, ref: WorkloadRef, *, begin: datetime, end: datetime) -> Usage:
        return Usage()


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as stand_in:
        yield stand_in


@dataclass
class Town:
    """A desk with two nodes of GPUs, a surveyor, and time that can be let go by."""

    desk: Desk
    surveyor: Surveyor
    gauge: Gauge
    there: Mapping[str, tuple[str, Resources]] = field(default_factory=dict)

    def minutes(self, count: int) -> None:
        """Look once a minute."""
        for _ in range(count):
            for table, columns in (
                ("rounds", ("at",)),
                ("conditions", ("since", "seen_at")),
                ("attempts", ("started_at",)),
            ):
                moved = ", ".join(f"{c} = {c} - interval '1 minute'" for c in columns)
                self.desk.change(f"UPDATE {table} SET {moved}")
            self.desk.later(MINUTE)
            self.surveyor.look()

    def run(self, **config: object) -> JobId:
        """A job that runs where the plan put it."""
        job_id = self.desk.job(**config)
        self.desk.tick()
        [launch] = [each for each in self.desk.cluster.launches if each.ref == ref(job_id)]
        place = launch.placement.node or ""
        self.desk.cluster.seen[ref(job_id)] = Running("uid", utc_now(), place)
        self.occupy({**self.there, ref(job_id).name: (place, launch.resources)})
        self.desk.tick()
        return job_id

    def end(self, job_id: JobId, seen: Finished | None = None) -> None:
        """Its workload has ended, and is on no node any more."""
        self.desk.cluster.seen[ref(job_id)] = seen or finished()
        left = {name: at for name, at in self.there.items() if name != ref(job_id).name}
        self.occupy(left)
        self.desk.tick()

    def occupy(self, there: Mapping[str, tuple[str, Resources]]) -> None:
        """Let the nodes report these workloads."""
        self.there = there
        held: dict[str, dict[str, Resources]] = {"gpu-1": {}, "gpu-2": {}}
        for name, (node, resources) in there.items():
            held[node][name] = resources
        self.desk.cluster.nodes = [Node(node, OFFERED, workloads=on) for node, on in held.items()]

    def open_lines(self) -> list[str]:
        return list(PostgresReading(self.desk.engine, policy=lambda: self.desk.policy).conditions())


@pytest.fixture
def town(desk: Desk, slack: SlackStandIn) -> Town:
    desk.messenger = SlackBot("xoxb-test", "#experiments", slack.api_url)
    desk.limits = replace(desk.limits, rules=RULES)
    gauge = Gauge()
    survey = PostgresSurvey(desk.engine, lambda: desk.policy)
    surveyor = Surveyor(survey, gauge, utc_now, RULES, FULL, IDLE)
    made = Town(desk, surveyor, gauge)
    made.occupy({})
    desk.tick()
    return made


def test_what_is_full_for_long_is_told_once_with_advice_and_its_end(
    town: Town, slack: SlackStandIn
) -> None:
    silent = {"notify": {"on": []}}
    idle = town.run(name="sleeper", resources=GPUS, **silent)
    busy = town.run(name="worker", resources=GPUS, time_limit="3h", **silent)
    town.minutes(15)
    waiting = [town.desk.job(resources=GPUS, **silent) for _ in range(3)]
    town.desk.tick()
    town.gauge.percent = {idle: 1.6, busy: 93.0}
    town.minutes(19)
    deliver_due(town.desk.notify())
    assert (slack.messages, town.open_lines()) == ([], [])
    town.minutes(20)
    deliver_due(town.desk.notify())
    [told] = slack.messages
    assert told.channel == "#oncall"
    lines = told.text.splitlines()
    assert lines[0].startswith("■ GPUs are full: 3 jobs wait for 6 GPUs, the oldest for ")
    assert f"the oldest is job {waiting[0]} (team default)" in lines[1]
    assert "The next start is expected in 2h" in lines[2]
    assert f"when job {busy} worker (ann) ends." in lines[2]
    assert lines[3].startswith("One more node like gpu-")
    assert lines[3].endswith("would start 1 job now.")
    assert lines[4].startswith(f"Ending job {idle} sleeper (ann), whose GPUs idle (2 %")
    assert [line[:30] for line in town.open_lines()] == ["GPUs are full: 3 jobs wait for"]
    town.end(idle)
    town.end(busy)
    town.desk.change("DELETE FROM queue")
    town.minutes(int(CLEAR_SECONDS / MINUTE) - 1)
    assert len(town.open_lines()) == 1
    town.minutes(2)
    deliver_due(town.desk.notify())
    [_, over] = slack.messages
    assert over.channel == "#oncall"
    assert over.text.startswith("✔ GPUs are no longer full, after ")
    town.minutes(30)
    deliver_due(town.desk.notify())
    assert len(slack.messages) == 2
    assert town.open_lines() == []


def test_what_is_full_for_a_moment_now_and_then_is_told_to_nobody(
    town: Town, slack: SlackStandIn
) -> None:
    for _ in range(2):
        town.run(resources=GPUS, notify={"on": []})
    for _ in range(4):
        job_id = town.desk.job(resources=GPUS, notify={"on": []})
        town.desk.tick()
        town.minutes(15)
        town.desk.change("DELETE FROM queue WHERE job_id = :id", id=job_id)
        town.minutes(7)
    deliver_due(town.desk.notify())
    assert slack.messages == []


def test_a_short_gap_is_no_end_and_no_beginning(town: Town, slack: SlackStandIn) -> None:
    for _ in range(2):
        town.run(resources=GPUS, notify={"on": []})
    job_id = town.desk.job(resources=GPUS, notify={"on": []})
    for _ in range(6):
        town.desk.tick()
        town.minutes(5)
        town.desk.change("UPDATE queue SET lane_id = -lane_id WHERE job_id = :id", id=job_id)
        town.minutes(2)
        town.desk.change("UPDATE queue SET lane_id = -lane_id WHERE job_id = :id", id=job_id)
    deliver_due(town.desk.notify())
    assert len(slack.messages) == 1


def test_how_long_such_jobs_took_before_says_when_the_next_starts(
    town: Town, slack: SlackStandIn
) -> None:
    silent = {"notify": {"on": []}, "name": "nightly", "resources": GPUS}
    for _ in range(3):
        job_id = town.run(**silent)
        start = utc_now() - timedelta(hours=2)
        town.end(job_id, Finished("uid", None, 0, start, utc_now()))
    running = [town.run(**silent), town.run(**silent)]
    town.desk.job(**{**silent, "name": "next"})
    town.desk.tick()
    town.minutes(25)
    deliver_due(town.desk.notify())
    [told] = slack.messages
    assert f"when job {running[0]} nightly (ann) ends." in told.text
    assert "expected in 1h3" in told.text


def test_two_surveyors_tell_it_once(town: Town, slack: SlackStandIn) -> None:
    for _ in range(2):
        town.run(resources=GPUS, notify={"on": []})
    town.desk.job(resources=GPUS, notify={"on": []})
    town.desk.tick()
    town.minutes(19)
    for _ in range(5):
        town.desk.change("UPDATE rounds SET at = at - interval '1 minute'")
        town.desk.change("UPDATE conditions SET since = since - interval '1 minute'")
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: town.surveyor.look(), range(4)))
    deliver_due(town.desk.notify())
    assert len(slack.messages) == 1
    assert town.desk.ask("SELECT count(*) FROM outbox WHERE condition_id IS NOT NULL") == [(1,)]


def test_it_is_looked_at_once_a_minute_whoever_asks(town: Town) -> None:
    asked = [
        town.surveyor.queue.begin_round("conditions", every_seconds=60),
        town.surveyor.queue.begin_round("conditions", every_seconds=60),
        town.surveyor.queue.begin_round("reminders", every_seconds=60),
    ]
    assert asked == [True, False, True]


def test_a_node_without_work_for_hours_is_told_once_and_its_work_later_is_no_news(
    town: Town, slack: SlackStandIn
) -> None:
    job_id = town.run(resources={"cpu": 1, "memory": "1Gi"}, notify={"on": []})
    town.minutes(2)
    town.desk.change("UPDATE conditions SET since = since - interval '5 hours'")
    town.minutes(1)
    deliver_due(town.desk.notify())
    assert slack.messages == []
    town.desk.change("UPDATE conditions SET since = since - interval '1 hour'")
    town.minutes(2)
    deliver_due(town.desk.notify())
    [told] = slack.messages
    assert told.text.startswith("○ node gpu-2 has had nothing to do for 6h")
    assert "sentinels nodes retire gpu-2" in told.text
    assert town.open_lines() == ["node gpu-2 has nothing to do, and nothing waits"]
    town.desk.job(resources=GPUS)
    town.minutes(10)
    deliver_due(town.desk.notify())
    assert (len(slack.messages), town.open_lines()) == (1, [])
    town.end(job_id)


def test_without_on_call_the_default_channel_is_told(town: Town, slack: SlackStandIn) -> None:
    town.surveyor = replace(town.surveyor, rules=NoticeRules())
    town.run(resources={"cpu": 1, "memory": "1Gi"}, notify={"on": []})
    town.minutes(1)
    town.desk.change("UPDATE conditions SET since = since - interval '7 hours'")
    town.minutes(1)
    deliver_due(town.desk.notify())
    assert [message.channel for message in slack.messages] == ["#experiments"]


def test_a_job_that_says_nothing_and_one_near_its_end_are_told_once(
    town: Town, slack: SlackStandIn
) -> None:
    quiet, near = (town.run(name=name, time_limit="2h") for name in ("quiet", "near"))
    town.desk.change("UPDATE attempts SET started_at = now() - interval '100 minutes'")
    town.desk.cluster.printed[ref(near)] = utc_now()
    queue = PostgresSurvey(town.desk.engine, lambda: town.desk.policy)
    reminder = Reminder(queue, town.desk.cluster, None, utc_now, RULES, 3600)
    for _ in range(3):
        reminder.look()
        town.desk.change("UPDATE rounds SET at = at - interval '1 minute'")
    fresh = Reminder(queue, town.desk.cluster, None, utc_now, RULES, 3600)
    fresh.look()
    deliver_due(town.desk.notify())
    [told] = slack.messages
    assert told.text.count("has used 83% of its time limit of 2h") == 2
    assert told.text.count("has printed nothing for") == 1
    assert f"… job {quiet} quiet (ann) has printed nothing for 1h40m" in told.text
