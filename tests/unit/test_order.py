"""The order over days: passes, pushes and ends of random queues, and what is promised of them.

A pass is planned every five minutes; jobs start where it says and end when their time is over. What
one pass does is compared with the book in ``test_planning``; here is what comes of many.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from sentinels.core.capacity import FreeNode, Resources, Tenant
from sentinels.core.job import JobId
from sentinels.core.planning import LaneHead, Plan, plan
from sentinels.core.policy import Policy, Preemption, TeamPolicy
from sentinels.core.quota import Quota, TeamUse, lately

BEGIN = datetime(2026, 11, 2, tzinfo=UTC)
STEP = 5
"""Minutes between two passes."""
NODES, CORES = 4, 8
LONGEST = 60
"""Minutes that a job takes at most."""
WEIGHTS = {"red": 1.0, "green": 2.0, "blue": 1.0}
LOW, NORMAL, HIGH, URGENT = 10, 20, 30, 40


@dataclass
class Job:
    """A push, in minutes; without a limit nobody but this test knows how long it takes."""

    id: int
    team: str
    priority: int
    cores: int
    at: int
    minutes: int
    has_limit: bool
    started: int | None = None
    node: str = ""
    leaves_for: int | None = None

    @property
    def request(self) -> Resources:
        return Resources(self.cores * 1000, self.cores * 2**30)

    @property
    def lane(self) -> tuple[str, int, int]:
        return self.team, self.priority, self.cores

    @property
    def limit(self) -> int | None:
        return LONGEST * 60 if self.has_limit else None

    def tenant(self) -> Tenant:
        assert self.started is not None
        began = moment(self.started)
        ends = began + timedelta(minutes=LONGEST) if self.has_limit else None
        return Tenant(self.id, 1, self.request, self.priority, began, ends, self.leaves_for)


def moment(minute: float) -> datetime:
    return BEGIN + timedelta(minutes=minute)


@dataclass
class Days:
    """The queue and the cluster as time goes by; ``waits`` are those of jobs that have started."""

    policy: Policy
    now: int = 0
    waiting: list[Job] = field(default_factory=list)
    running: list[Job] = field(default_factory=list)
    uses: dict[str, TeamUse] = field(default_factory=dict)
    held: Counter[str] = field(default_factory=Counter)
    waits: dict[int, int] = field(default_factory=dict)
    owed: set[int] = field(default_factory=set)
    _pushed: int = 0

    def push(self, team: str, priority: int, cores: int, minutes: int, **more: bool) -> Job:
        self._pushed += 1
        has_limit = more.get("has_limit", True)
        job = Job(self._pushed, team, priority, cores, self.now, minutes, has_limit)
        self.waiting.append(job)
        return job

    def tick(self) -> Plan:
        """Those whose time is over end, those who were asked leave, and a pass is made."""
        self._end()
        planned = plan(
            heads=self._heads(),
            nodes=self.nodes(),
            uses=self.uses,
            policy=self.policy,
            now=moment(self.now),
            max_launches=50,
        )
        lanes = self._lanes()
        for grant in planned.grants:
            line = next(line for index, line in enumerate(lanes.values()) if index == grant.lane_id)
            for job, node in zip(line, grant.nodes, strict=False):
                self._start(job, node)
        asked = {(t.job_id): c.job_id for c in planned.clearances for t in c.asked}
        for job in self.running:
            job.leaves_for = asked.get(job.id, job.leaves_for)
        self.owed |= {clearance.job_id for clearance in planned.clearances}
        self.now += STEP
        self._remember()
        return planned

    def nodes(self) -> list[FreeNode]:
        whole = Resources(CORES * 1000, CORES * 2**30)
        boxes = [FreeNode(f"n{index}", whole, whole, whole) for index in range(NODES)]
        return [self._filled(box) for box in boxes]

    def oldest(self) -> int:
        """Minutes that the one that has waited longest waits, in the queue or till its start."""
        return max([self.now - job.at for job in self.waiting] + list(self.waits.values()))

    def _filled(self, box: FreeNode) -> FreeNode:
        tenants = [job for job in self.running if job.node == box.name]
        for job in tenants:
            box = box.less(job.request)
        return replace(box, tenants=tuple(job.tenant() for job in tenants))

    def _lanes(self) -> dict[tuple[str, int, int], list[Job]]:
        lanes: dict[tuple[str, int, int], list[Job]] = defaultdict(list)
        for job in sorted(self.waiting, key=lambda each: each.id):
            lanes[job.lane].append(job)
        return lanes

    def _heads(self) -> list[LaneHead]:
        return [
            LaneHead(
                index,
                line[0].team,
                line[0].priority,
                line[0].request,
                JobId(line[0].id),
                moment(line[0].at),
                len(line),
                line[0].limit,
                owed=line[0].id in self.owed,
            )
            for index, line in enumerate(self._lanes().values())
        ]

    def _start(self, job: Job, node: str) -> None:
        [box] = [each for each in self.nodes() if each.name == node]
        assert box.free.cpu_millis >= job.request.cpu_millis, "started where there is no room"
        self.waiting.remove(job)
        job.started, job.node = self.now, node
        self.owed.discard(job.id)
        self.waits.setdefault(job.id, self.now - job.at)
        self.running.append(job)

    def _end(self) -> None:
        for job in list(self.running):
            assert job.started is not None
            if job.leaves_for is not None:
                self.running.remove(job)
                self.waiting.append(replace(job, started=None, leaves_for=None))
            elif self.now - job.started >= job.minutes:
                self.running.remove(job)
        self._hold()

    def _hold(self) -> None:
        for team in WEIGHTS:
            mine = [job for job in self.running if job.team == team]
            held = sum(job.cores for job in mine)
            use = self.uses.get(team, TeamUse())
            whole = Resources(held * 1000, held * 2**30)
            self.uses[team] = replace(use, held=whole, running=len(mine))

    def _remember(self) -> None:
        self._hold()
        for team, use in self.uses.items():
            self.held[team] += use.held.cpu_millis // 1000
            half_life = self.policy.half_life_seconds
            self.uses[team] = lately(use, seconds=60 * STEP, half_life=half_life)


POLICY = Policy(
    ageing_seconds=1800,
    ageing_limit=20,
    reserve_after_seconds=900,
    half_life_seconds=3600,
    team_weights=WEIGHTS,
    teams={"blue": TeamPolicy(quota=Quota(cpu_millis=12_000, running=4))},
)
BACKLOG = 6
"""Jobs that each team keeps waiting: whenever one has started the next is pushed."""


def days_of(seed: int, policy: Policy, *, passes: int, cores: Sequence[int]) -> Iterator[Days]:
    """Every team always wants more than there is; one push in five is urgent to its owner."""
    draw, days = random.Random(seed), Days(policy)
    for _ in range(passes):
        for team in WEIGHTS:
            while sum(job.team == team for job in days.waiting) < BACKLOG:
                minutes = draw.randint(1, LONGEST)
                priority = draw.choice((LOW, LOW, NORMAL, NORMAL, HIGH))
                days.push(
                    team, priority, draw.choice(cores), minutes, has_limit=draw.random() < 0.7
                )
        days.tick()
        yield days


MIXED = (1, 1, 2, 4, 8)


@pytest.mark.parametrize("seed", range(6))
def test_every_job_starts_within_a_bound_whatever_is_pushed_after_it(seed: int) -> None:
    """Each team always wants more than there is, and one push in five is of a higher class.

    A job that fits an empty node and its team's quota waits no longer than: twice as long as it
    takes to reach its full age (a team that holds more than its part ages at half the pace); four
    half-lives, after which what its team held counts for nothing; the time until a node is kept;
    and one longest run for each job that its team may have waiting, since a kept node is empty
    after one. Here 12 hours and a quarter; 9 and a third were seen, and 15 and more where nothing
    ages or no node is kept.
    """
    steps = POLICY.ageing_limit / 10
    bound = (
        2 * steps * POLICY.ageing_seconds / 60
        + 4 * POLICY.half_life_seconds / 60
        + POLICY.reserve_after_seconds / 60
        + BACKLOG * LONGEST
    )
    for days in days_of(seed, POLICY, passes=600, cores=MIXED):
        assert days.oldest() <= bound
    assert len(days.waits) > 500


@pytest.mark.parametrize("seed", range(3))
def test_no_team_ever_holds_more_than_its_quota(seed: int) -> None:
    most = 0
    for days in days_of(seed, POLICY, passes=400, cores=MIXED):
        held = days.uses["blue"]
        assert held.held.cpu_millis <= 12_000
        assert held.running <= 4
        most = max(most, held.held.cpu_millis)
    assert most == 12_000, "it was put to the test"


@pytest.mark.parametrize("seed", range(3))
def test_what_teams_hold_over_days_is_as_their_weights(seed: int) -> None:
    """Within a tenth of the cluster, however long their jobs take and of whatever class."""
    *_, days = days_of(seed, replace(POLICY, teams={}), passes=600, cores=(1, 2))
    whole = sum(days.held.values())
    parts = {team: weight / sum(WEIGHTS.values()) for team, weight in WEIGHTS.items()}
    found = {team: round(days.held[team] / whole, 3) for team in parts}
    assert all(abs(found[team] - parts[team]) < 0.1 for team in parts), found


ASKING = replace(
    POLICY,
    preemption=Preemption(
        by=frozenset({"high", "urgent"}), of=frozenset({"low", "high"}), spare_seconds=300
    ),
)


def urgent_days(seed: int, policy: Policy) -> Iterator[tuple[Days, Plan]]:
    """A full cluster of jobs of all classes, into which an urgent one comes now and then."""
    draw, days = random.Random(seed), Days(policy)
    for number in range(400):
        while len(days.waiting) < 3 * BACKLOG:
            team, priority = draw.choice(list(WEIGHTS)), draw.choice((LOW, LOW, NORMAL, HIGH))
            days.push(team, priority, draw.choice(MIXED), draw.randint(10, LONGEST))
        if number % 12 == 0:
            days.push("red", URGENT, draw.choice((2, 4, 8)), draw.randint(10, LONGEST))
        yield days, days.tick()


@pytest.mark.parametrize("seed", range(4))
def test_only_whom_the_policy_names_are_asked_to_leave_and_only_by_more_urgent_jobs(
    seed: int,
) -> None:
    asked = 0
    for days, planned in urgent_days(seed, ASKING):
        jobs = {job.id: job for job in [*days.waiting, *days.running]}
        for clearance in planned.clearances:
            asker = jobs[clearance.job_id].priority
            assert asker in (HIGH, URGENT)
            assert jobs[clearance.job_id].started is None
            for tenant in clearance.asked:
                began = jobs[tenant.job_id].started
                assert tenant.priority in (LOW, HIGH)
                assert tenant.priority < asker
                assert began is not None
                assert days.now - STEP - began >= 5
                asked += 1
    assert asked > 5, "it was put to the test"


@pytest.mark.parametrize("seed", range(4))
def test_nobody_is_ever_asked_to_leave_where_the_policy_does_not_say_so(seed: int) -> None:
    assert all(not planned.clearances for _, planned in urgent_days(seed, POLICY))


@pytest.mark.parametrize("seed", range(4))
def test_who_had_others_leave_starts_as_soon_as_they_have_left_and_they_run_again(
    seed: int,
) -> None:
    asked: dict[int, int] = {}
    left: set[int] = set()
    count = 0
    for days, planned in urgent_days(seed, ASKING):
        waiting = {job.id for job in days.waiting}
        assert not [job for job, at in asked.items() if job in waiting and at < days.now]
        asked = {clearance.job_id: days.now for clearance in planned.clearances}
        left |= {tenant.job_id for each in planned.clearances for tenant in each.asked}
        count += len(asked)
    live = {job.id for job in [*days.waiting, *days.running]}
    assert count > 5, "it was put to the test"
    assert len(left - live) > len(left) / 2, "they have run to their end"
