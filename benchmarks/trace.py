"""Two weeks of three teams on forty GPU nodes, in simulated time: the planner against simple rules.

The same 20 users push the same jobs to each. FIFO starts the oldest job or nothing. Backfill (EASY)
keeps the place of the oldest job by the running jobs' time limits, and lets others start that end
before. Only the planner is asked, with the lanes that the queue would have: nothing else of
Sentinels runs.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import quantiles

from benchmarks.measure import Result
from sentinels.core.capacity import FreeNode, Resources, Tenant
from sentinels.core.job import JobId
from sentinels.core.planning import LaneHead, plan
from sentinels.core.policy import PRIORITY_CLASSES, Policy
from sentinels.core.quota import TeamUse, lately

SEED, DAYS, NODES, GPUS = 7, 14, 40, 8
WEIGHTS: Mapping[str, float] = {"vision": 2.0, "speech": 1.0, "robots": 1.0}
USERS: Mapping[str, int] = {"vision": 8, "speech": 7, "robots": 5}
_BEGIN = datetime(2026, 11, 2, tzinfo=UTC)
_HOUR = 3600.0
_PASS_SECONDS = 60.0


@dataclass(frozen=True)
class Job:
    """A push: ``seconds`` is how long it really runs, ``limit`` what its owner says at most."""

    id: int
    team: str
    priority: int
    gpus: int
    at: float
    seconds: float
    limit: int | None

    @property
    def request(self) -> Resources:
        return Resources(self.gpus * 8000, self.gpus * 64 * 2**30, self.gpus)


@dataclass
class Cluster:
    """What runs where; ``free`` in GPUs, by node, which all other kinds follow."""

    free: list[int] = field(default_factory=lambda: [GPUS] * NODES)
    running: dict[int, tuple[Job, int, float]] = field(default_factory=dict)

    def start(self, job: Job, node: int, now: float) -> None:
        assert self.free[node] >= job.gpus, "started where there is no room"
        self.free[node] -= job.gpus
        self.running[job.id] = (job, node, now)

    def end(self, job: Job) -> None:
        self.free[self.running.pop(job.id)[1]] += job.gpus

    def place(self, gpus: int) -> int | None:
        """The fullest node with room, as a packer would."""
        fitting = [node for node, free in enumerate(self.free) if free >= gpus]
        return min(fitting, key=lambda node: self.free[node]) if fitting else None


Scheduler = Callable[[list[Job], Cluster, float], list[tuple[Job, int]]]


def fifo(waiting: list[Job], cluster: Cluster, now: float) -> list[tuple[Job, int]]:  # noqa: ARG001
    """The oldest first; who does not fit holds up all behind."""
    started, free = [], list(cluster.free)
    for job in waiting:
        node = _packed(free, job.gpus)
        if node is None:
            break
        free[node] -= job.gpus
        started.append((job, node))
    return started


def backfill(waiting: list[Job], cluster: Cluster, now: float) -> list[tuple[Job, int]]:
    """EASY: the oldest has a place at a certain time; others may start that do not take it."""
    started, free = fifo(waiting, cluster, now), list(cluster.free)
    for job, node in started:
        free[node] -= job.gpus
    rest = waiting[len(started) :]
    if not rest:
        return started
    shadow, kept = _shadow(rest[0], cluster, free)
    for job in rest[1:]:
        ends_before = job.limit is not None and now + job.limit <= shadow
        fitting = [
            n for n, room in enumerate(free) if room >= job.gpus and (n != kept or ends_before)
        ]
        if fitting:
            node = min(fitting, key=lambda each: free[each])
            free[node] -= job.gpus
            started.append((job, node))
    return started


def _shadow(job: Job, cluster: Cluster, free: Sequence[int]) -> tuple[float, int]:
    """When and where the oldest fits at the latest; jobs without a limit count as endless."""
    best = (float("inf"), 0)
    for node in range(NODES):
        room = free[node]
        ends = sorted(
            (began + (one.limit or float("inf")), one.gpus)
            for one, at, began in cluster.running.values()
            if at == node
        )
        for end, gpus in ends:
            room += gpus
            if room >= job.gpus:
                best = min(best, (end, node))
                break
    return best


def _packed(free: Sequence[int], gpus: int) -> int | None:
    fitting = [node for node, room in enumerate(free) if room >= gpus]
    return min(fitting, key=lambda node: free[node]) if fitting else None


class Planner:
    """Sentinels' planner over the lanes of the waiting jobs."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._uses = {team: TeamUse() for team in WEIGHTS}
        self._looked = 0.0

    def __call__(self, waiting: list[Job], cluster: Cluster, now: float) -> list[tuple[Job, int]]:
        lanes: dict[tuple[str, int, int], list[Job]] = defaultdict(list)
        for job in waiting:
            lanes[job.team, job.priority, job.gpus].append(job)
        numbered = dict(enumerate(lanes.values()))
        planned = plan(
            heads=[_head(lane_id, line) for lane_id, line in numbered.items()],
            nodes=_nodes(cluster),
            uses=self._used(cluster, now),
            policy=self._policy,
            now=_moment(now),
            max_launches=NODES * GPUS,
        )
        return [
            (numbered[grant.lane_id][number], int(name))
            for grant in planned.grants
            for number, name in enumerate(grant.nodes)
        ]

    def _used(self, cluster: Cluster, now: float) -> dict[str, TeamUse]:
        seconds, self._looked = now - self._looked, now
        half_life = self._policy.half_life_seconds
        for team in WEIGHTS:
            held = TeamUse(average=self._uses[team].average)
            for job, _, _ in cluster.running.values():
                held = held.more(job.request, None) if job.team == team else held
            self._uses[team] = lately(held, seconds=seconds, half_life=half_life)
        return self._uses


def _head(lane_id: int, line: Sequence[Job]) -> LaneHead:
    first = line[0]
    return LaneHead(
        lane_id,
        first.team,
        first.priority,
        first.request,
        JobId(first.id),
        _moment(first.at),
        len(line),
        first.limit,
    )


def _nodes(cluster: Cluster) -> list[FreeNode]:
    """The fullest first: the planner takes the first that has room."""
    tenants: dict[int, list[Tenant]] = defaultdict(list)
    for job, node, began in cluster.running.values():
        end = None if job.limit is None else _moment(began + job.limit)
        held = Tenant(job.id, 1, job.request, job.priority, _moment(began), end)
        tenants[node].append(held)
    whole = Resources(GPUS * 8000, GPUS * 64 * 2**30, GPUS)
    order = sorted(range(NODES), key=lambda node: cluster.free[node])
    return [
        FreeNode(str(node), _part(cluster.free[node]), whole, whole, None, tuple(tenants[node]))
        for node in order
    ]


def _part(gpus: int) -> Resources:
    return Resources(gpus * 8000, gpus * 64 * 2**30, gpus)


def _moment(seconds: float) -> datetime:
    return _BEGIN + timedelta(seconds=seconds)


def workload(seed: int = SEED) -> list[Job]:
    """What everybody pushes: more by day, some very large sweeps, and more in all than fits."""
    draw, jobs = random.Random(seed), list[Job]()
    for team, users in USERS.items():
        for _ in range(users):
            at = 0.0
            while at < DAYS * 24 * _HOUR:
                daytime = 8 <= at / _HOUR % 24 <= 19
                at += draw.expovariate(1 / ((0.24 if daytime else 1.4) * _HOUR))
                jobs.append(_job(draw, team, at))
    for day, team, count in ((2, "speech", 900), (6, "robots", 500), (9, "vision", 400)):
        jobs += [
            replace(_job(draw, team, (day * 24 + 9) * _HOUR), gpus=1, priority=20)
            for _ in range(count)
        ]
    jobs.sort(key=lambda job: job.at)
    return [replace(job, id=number) for number, job in enumerate(jobs)]


def _job(draw: random.Random, team: str, at: float) -> Job:
    classes = draw.choices(("low", "normal", "high", "urgent"), (20, 62, 14, 4))
    seconds = min(draw.lognormvariate(8.6, 1.1), 36 * _HOUR)
    limit = int(seconds * draw.uniform(1.05, 3)) + 60 if draw.random() < 0.75 else None
    gpus = draw.choices((1, 2, 4, 8), (52, 20, 16, 12))[0]
    return Job(0, team, PRIORITY_CLASSES[classes[0]], gpus, at, seconds, limit)


@dataclass
class Seen:
    """What became of a trace: waits by job, and GPU-seconds by team while all had jobs waiting."""

    waits: dict[int, float] = field(default_factory=dict)
    busy: float = 0.0
    wanted: float = 0.0
    contended: dict[str, float] = field(default_factory=lambda: dict.fromkeys(WEIGHTS, 0.0))


def run_trace(jobs: Sequence[Job], schedule: Scheduler, *, days: int = DAYS) -> Seen:
    """Run the trace to the end of its last day; a pass whenever something came or ended."""
    cluster, seen, waiting = Cluster(), Seen(), list[Job]()
    events = [(job.at, 1, job.id) for job in jobs]
    heapq.heapify(events)
    by_id = {job.id: job for job in jobs}
    now, end = 0.0, days * 24 * _HOUR
    while events and events[0][0] < end:
        at = events[0][0]
        _account(seen, cluster, waiting, at - now)
        now = at
        while events and events[0][0] <= now + _PASS_SECONDS:
            at, kind, number = heapq.heappop(events)
            job = by_id[number]
            if kind:
                waiting.append(job)
            else:
                cluster.end(job)
        now = max(now, at)
        for job, node in schedule(waiting, cluster, now):
            cluster.start(job, node, now)
            seen.waits[job.id] = now - job.at
            heapq.heappush(events, (now + job.seconds, 0, job.id))
        waiting = [job for job in waiting if job.id not in seen.waits]
    seen.waits |= {job.id: now - job.at for job in waiting}
    return seen


def _account(seen: Seen, cluster: Cluster, waiting: Sequence[Job], seconds: float) -> None:
    if not waiting:
        return
    seen.wanted += seconds * NODES * GPUS
    seen.busy += seconds * (NODES * GPUS - sum(cluster.free))
    if {job.team for job in waiting} == set(WEIGHTS):
        for job, _, _ in cluster.running.values():
            seen.contended[job.team] += seconds * job.gpus


def run() -> list[Result]:
    """A row a question, a figure a scheduler; then the shares of teams that all want all of it."""
    jobs = workload()
    seen = {name: run_trace(jobs, make()) for name, make in SCHEDULERS.items()}
    rows = [
        Result(what, "   ".join(f"{name} {figure(each)}" for name, each in seen.items()))
        for what, figure in _rows(jobs).items()
    ]
    return [*rows, *_shares()]


SCHEDULERS: Mapping[str, Callable[[], Scheduler]] = {
    "sentinels": lambda: Planner(Policy(team_weights=WEIGHTS)),
    "backfill": lambda: backfill,
    "fifo": lambda: fifo,
}


def _shares() -> list[Result]:
    """Each team pushes a fortnight's work at once, the lightest first and most of it."""
    draw = random.Random(SEED)
    crowd = {"robots": 6000, "speech": 5000, "vision": 4000}
    jobs = [
        replace(_job(draw, team, 60.0 * turn), priority=20)
        for turn, (team, count) in enumerate(crowd.items())
        for _ in range(count)
    ]
    jobs = [replace(job, id=number) for number, job in enumerate(jobs)]
    figures = []
    for name, make in SCHEDULERS.items():
        seen = run_trace(jobs, make(), days=3)
        whole = sum(seen.contended.values())
        parts = "/".join(f"{seen.contended[team] / whole:.0%}" for team in WEIGHTS)
        figures.append(f"{name} {parts}")
    wanted = "/".join(f"{weight / sum(WEIGHTS.values()):.0%}" for weight in WEIGHTS.values())
    what = f"shares of {'/'.join(WEIGHTS)} that all want all of it"
    return [Result(what, "   ".join(figures), wanted)]


def _rows(jobs: Sequence[Job]) -> dict[str, Callable[[Seen], str]]:
    def of(choose: Callable[[Job], bool]) -> Callable[[Seen], str]:
        def told(seen: Seen) -> str:
            waits = [
                seen.waits[job.id] / _HOUR for job in jobs if choose(job) and job.id in seen.waits
            ]
            cuts = quantiles(waits, n=20)
            return f"{cuts[9]:.2f}/{cuts[18]:.1f}/{max(waits):.1f}"

        return told

    return {
        "hours of waiting (p50 p95 max), all jobs": of(lambda _: True),
        **{
            f"… class {name}": of(lambda job, value=value: job.priority == value)
            for name, value in PRIORITY_CLASSES.items()
        },
        "… of 8 GPUs": of(lambda job: job.gpus == GPUS),
        **{f"… team {team}": of(lambda job, team=team: job.team == team) for team in WEIGHTS},
        "use of GPUs while jobs wait": lambda seen: f"{seen.busy / seen.wanted:.1%}",
    }
