"""Reports and views say what a history says that was reckoned by other means."""

from __future__ import annotations

import json
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sentinels.core.asking import Answered
from sentinels.core.job import Reason
from sentinels.core.reporting import REPORTS, Grouping, ReportRequest
from sentinels.db.engine import transaction
from tests.support.reporters import Asked, reporting

GIB = 2**30
END = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
BEGIN = END - timedelta(days=10)
PRICES = {"cpu": 0.03, "memory": 0.004, "gpu": 1.2, "a100": 2.5}
SHAPES = [
    (1000, 2 * GIB, 0, ""),
    (500, GIB // 2, 0, ""),
    (8000, 64 * GIB, 1, ""),
    (4000, 32 * GIB, 2, "a100"),
    (4000, 32 * GIB, 1, "t4"),
]
TEAMS = {"nlp": ["ann", "bob"], "vision": ["eve"]}
OWNER = {user: team for team, users in TEAMS.items() for user in users}


@dataclass
class Attempt:
    """One launch; ``end`` None: it still runs. ``became`` is the state of its job after it."""

    shape: int
    launched: datetime | None
    started: datetime | None
    end: datetime | None
    reason: str | None
    message: str | None
    memory: int | None
    cpu_seconds: float | None
    peak_cpus: float | None
    gpu_percent: float | None
    became: str

    def held(self, since: datetime, until: datetime) -> float:
        """Hours between two moments."""
        begun = min(filter(None, (self.launched, self.started)), default=None)
        if begun is None:
            return 0.0
        ended = max(begun, self.end or datetime.max.replace(tzinfo=UTC))
        return max(0.0, (min(ended, until) - max(begun, since)).total_seconds() / 3600)

    @property
    def whole(self) -> float:
        """Hours in all."""
        return self.held(BEGIN - timedelta(days=99), END + timedelta(days=99))


@dataclass
class Job:
    """A job with its attempts."""

    id: int
    user: str
    name: str
    experiment: str
    pushed: datetime
    state: str
    after: list[int]
    attempts: list[Attempt] = field(default_factory=list)

    def who(self, by: Grouping) -> str:
        team = OWNER[self.user]
        return {"team": team, "user": self.user, "experiment": self.experiment}[by]


def make_job(chance: random.Random, number: int) -> Job:
    """A job of some length, some luck."""
    pushed = BEGIN + timedelta(seconds=chance.randrange(-86400, 10 * 86400))
    state = chance.choice(["succeeded", "succeeded", "failed", "cancelled", "queued", "running"])
    job = Job(
        number,
        chance.choice(list(OWNER)),
        chance.choice(["fit", "tune"]),
        chance.choice(["digits", "faces"]),
        pushed,
        state,
        [1] if chance.random() < 0.2 else [],
    )
    tries = {"queued": 0, "cancelled": chance.choice([0, 1])}.get(
        state, chance.choice([1, 1, 2, 3])
    )
    moment = pushed
    shape = chance.randrange(len(SHAPES))
    for nth in range(1, tries + 1):
        last = nth == tries
        moment += timedelta(seconds=chance.randrange(0, 40_000))
        job.attempts.append(make_attempt(chance, moment, shape, job.state if last else "queued"))
        moment = job.attempts[-1].end or moment
    return job


def make_attempt(chance: random.Random, launched: datetime, shape: int, became: str) -> Attempt:
    """An attempt that was launched at this moment and made its job ``became``."""
    reason = None
    if became not in ("succeeded", "running"):
        wanted = (
            ["cancelled"] if became == "cancelled" else ["node_lost", "out_of_memory", "killed"]
        )
        reason = chance.choice(wanted)
    started = (
        launched + timedelta(seconds=chance.randrange(0, 600)) if chance.random() < 0.9 else None
    )
    ran = timedelta(seconds=chance.choice([0, 60, 3600, 90_000]))
    end = None if became == "running" else (started or launched) + ran
    known = chance.random() < 0.8 and end is not None
    return Attempt(
        shape=shape,
        launched=launched,
        started=started,
        end=end,
        reason=reason,
        message=chance.choice(["it broke", "it broke", "it tore", None]) if reason else None,
        memory=chance.randrange(SHAPES[shape][1] * 5 // 4) if known else None,
        cpu_seconds=round(chance.random() * 9_000, 3) if known else None,
        peak_cpus=chance.choice([None, 0.3, 1.7, 9.0]) if known else None,
        gpu_percent=chance.choice([0.0, 12.5, 90.0]) if known and SHAPES[shape][2] else None,
        became=became,
    )


def keep(engine: Engine, jobs: Sequence[Job]) -> None:
    """Store them, past the queue."""
    with transaction(engine) as connection:
        run = connection.execute
        for team, users in TEAMS.items():
            [team_id] = run(
                text("INSERT INTO teams (name) VALUES (:n) RETURNING id"), {"n": team}
            ).one()
            for user in users:
                run(
                    text("INSERT INTO users (name, team_id) VALUES (:n, :t)"),
                    {"n": user, "t": team_id},
                )
        for cpu, memory, gpus, kind in SHAPES:
            row = {"cpu": cpu, "memory": memory, "gpus": gpus, "kind": kind}
            run(
                text(
                    "INSERT INTO shapes (cpu_millis, memory_bytes, gpus, gpu_type)"
                    " VALUES (:cpu, :memory, :gpus, :kind)"
                ),
                row,
            )
        for job in jobs:
            _keep_job(run, job)


def _keep_job(run: Callable[..., Any], job: Job) -> None:
    last = job.attempts[-1] if job.attempts else None
    ended = job.state in ("succeeded", "failed", "cancelled")
    finished = (last.end if last else job.pushed + timedelta(hours=1)) if ended else None
    config = {"params": {}} | ({"after": job.after} if job.after else {})
    run(
        text(
            "INSERT INTO jobs (id, team_id, user_id, name, experiment, image, config, priority,"
            " shape_id, state, reason, attempt, submitted_at, started_at, finished_at)"
            " OVERRIDING SYSTEM VALUE"
            " SELECT :id, u.team_id, u.id, :name, :experiment, '{}', CAST(:config AS json), 0,"
            " :shape, CAST(:state AS job_state), CAST(:reason AS reason), :attempt, :pushed,"
            " :started, :finished"
            " FROM users u WHERE u.name = :user"
        ),
        {
            "id": job.id, "user": job.user, "name": job.name, "experiment": job.experiment,
            "config": json.dumps(config), "shape": (last.shape if last else 0) + 1,
            "state": job.state, "attempt": len(job.attempts), "pushed": job.pushed,
            "reason": last.reason if last and job.state != "succeeded" else None,
            "started": last.started if last else None, "finished": finished,
        },
    )  # fmt: skip
    for nth, each in enumerate(job.attempts, 1):
        run(
            text(
                "INSERT INTO attempts (job_id, attempt, lane_id, shape_id, live, launched_at,"
                " started_at, finished_at, reason, message, peak_memory_bytes, cpu_seconds,"
                " peak_cpu_cores, mean_gpu_percent)"
                " VALUES (:job, :nth, 1, :shape, :live, :launched, :started, :end,"
                " CAST(:reason AS reason), :message, :memory, :cpu_seconds, :peak_cpus,"
                " :gpu_percent)"
            ),
            {
                **vars(each),
                "job": job.id,
                "nth": nth,
                "shape": each.shape + 1,
                "live": not each.end,
            },
        )
        run(
            text(
                "INSERT INTO job_events (job_id, attempt, from_state, to_state, actor)"
                " VALUES (:job, :nth, 'running', CAST(:became AS job_state), 'test')"
            ),
            {"job": job.id, "nth": nth, "became": each.became},
        )


@dataclass(frozen=True)
class Past:
    """A history, and who may ask about it."""

    jobs: Sequence[Job]
    asked: Asked

    def report(self, name: str, by: Grouping, **words: object) -> dict[str, dict[str, Any]]:
        """A report's rows by their first column."""
        return {row["who"]: row for row in self.rows(name, by, **words)}

    def rows(self, name: str, by: Grouping, **words: object) -> list[dict[str, Any]]:
        request = ReportRequest(name, by, BEGIN, END, prices=PRICES, **words)  # type: ignore[arg-type]
        return records(self.asked.asking.report(request))

    def grouped(self, by: Grouping) -> dict[str, list[Job]]:
        found: dict[str, list[Job]] = defaultdict(list)
        for job in self.jobs:
            found[job.who(by)].append(job)
        return found


@pytest.fixture(params=range(4))
def past(request: pytest.FixtureRequest, engine: Engine, database_url: str) -> Iterator[Past]:
    """Sixty jobs of some days, each time others."""
    chance = random.Random(request.param)
    jobs = [make_job(chance, number) for number in range(1, 61)]
    keep(engine, jobs)
    with reporting(database_url) as asked:
        yield Past(jobs, asked)


def close(value: float) -> Any:
    return pytest.approx(value, abs=0.006)


@pytest.mark.parametrize("by", Grouping)
def test_usage_is_what_was_held_between_two_moments(past: Past, by: Grouping) -> None:
    found = past.report("usage", by)
    for who, jobs in past.grouped(by).items():
        held = [
            (job, each, each.held(BEGIN, END), SHAPES[each.shape])
            for job in jobs
            for each in job.attempts
            if each.launched and each.launched < END and (each.end is None or each.end >= BEGIN)
        ]
        if not held:
            assert who not in found
            continue
        row = found[who]
        by_type: dict[str, float] = defaultdict(float)
        for _, _, hours, (_, _, gpus, kind) in held:
            by_type[kind or "any"] += hours * gpus
        cpu = sum(hours * shape[0] / 1000 for _, _, hours, shape in held)
        memory = sum(hours * shape[1] / GIB for _, _, hours, shape in held)
        assert row["jobs"] == len({job.id for job, *_ in held})
        assert row["attempts"] == len(held)
        assert row["cpu_hours"] == close(cpu)
        assert row["gib_hours"] == close(memory)
        assert row["gpu_hours"] == close(sum(by_type.values()))
        assert row["gpu_hours_by_type"] == {
            kind: close(hours) for kind, hours in by_type.items() if hours
        }
        price = {kind: PRICES.get(kind, PRICES["gpu"]) for kind in by_type}
        gpu_cost = sum(hours * price[kind] for kind, hours in by_type.items())
        assert row["cost"] == close(cpu * PRICES["cpu"] + memory * PRICES["memory"] + gpu_cost)


@pytest.mark.parametrize("by", Grouping)
def test_waits_are_from_the_push_to_the_first_start(past: Past, by: Grouping) -> None:
    found = past.report("waits", by)
    now = datetime.now(UTC)
    for who, jobs in past.grouped(by).items():
        waited = {}
        for job in jobs:
            starts = [each.started for each in job.attempts if each.started]
            over = job.state in ("succeeded", "failed", "cancelled")
            if BEGIN <= job.pushed < END and not job.after and (starts or not over):
                waited[job.id] = (min(starts, default=now) - job.pushed).total_seconds()
        if not waited:
            assert who not in found
            continue
        row, seconds = found[who], sorted(waited.values())
        assert row["started"] + row["waiting"] == len(seconds)
        for name, share in (("p50_seconds", 0.5), ("p95_seconds", 0.95), ("max_seconds", 1.0)):
            assert row[name] == pytest.approx(percentile(seconds, share), abs=30)
        assert waited[row["longest_job"]] == pytest.approx(seconds[-1], abs=30)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Between the two nearest, in proportion."""
    place = share * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


@pytest.mark.parametrize("by", Grouping)
def test_failures_are_counted_by_reason_with_the_hours_lost(past: Past, by: Grouping) -> None:
    expected: dict[tuple[str, str], list[tuple[Job, Attempt]]] = defaultdict(list)
    for job in past.jobs:
        for each in job.attempts:
            if each.reason and each.reason != "cancelled" and each.end and BEGIN <= each.end < END:
                expected[job.who(by), each.reason].append((job, each))
    found = {(row["who"], row["reason"]): row for row in past.rows("failures", by)}
    assert found.keys() == expected.keys()
    for key, failed in expected.items():
        row, reason = found[key], Reason(key[1])
        assert row["reason_class"] == reason.reason_class.value
        assert row["attempts"] == len(failed)
        assert row["jobs"] == len({job.id for job, _ in failed})
        assert row["jobs_failed"] == len({job.id for job, one in failed if one.became == "failed"})
        assert row["lost_hours"] == close(sum(one.whole for _, one in failed))
        cpu = sum(one.whole * SHAPES[one.shape][0] / 1000 for _, one in failed)
        assert row["lost_cpu_hours"] == close(cpu)
        said = Counter(one.message or reason.sentence for _, one in failed)
        assert said[row["mostly"]] == max(said.values())


@pytest.mark.parametrize("by", Grouping)
def test_waste_is_what_was_asked_for_and_not_used(past: Past, by: Grouping) -> None:
    expected: dict[tuple[str, str, int], list[Attempt]] = defaultdict(list)
    for job in past.jobs:
        for each in job.attempts:
            measured = (each.memory, each.cpu_seconds, each.gpu_percent) != (None, None, None)
            if each.end and BEGIN <= each.end < END and each.whole > 0 and measured:
                expected[job.who(by), job.name, each.shape].append(each)
    shapes = {(cpu / 1000, memory, gpus): at for at, (cpu, memory, gpus, _) in enumerate(SHAPES)}
    rows = past.rows("waste", by)
    found = {
        (row["who"], row["name"], shapes[row["cpus"], row["memory_bytes"], row["gpus"]]): row
        for row in rows
    }
    assert found.keys() == expected.keys()
    for key, ended in expected.items():
        row, (cpu, memory, gpus, _) = found[key], SHAPES[key[2]]
        assert row["attempts"] == len(ended)
        assert row["idle_cpu_hours"] == close(
            sum(max(one.whole * cpu / 1000 - (one.cpu_seconds or 0) / 3600, 0) for one in ended)
        )
        assert row["idle_gib_hours"] == close(
            sum(one.whole * max(memory - (one.memory or 0), 0) / GIB for one in ended)
        )
        assert row["idle_gpu_hours"] == close(
            sum(one.whole * gpus * (1 - (one.gpu_percent or 0) / 100) for one in ended)
        )
        peak = max(one.memory or 0 for one in ended)
        assert row["peak_memory_bytes"] == peak
        if any(one.reason == "out_of_memory" for one in ended):
            assert row["enough_memory_bytes"] is None
        else:
            assert min(peak * 1.2, memory) <= row["enough_memory_bytes"] <= memory
        assert 0.5 <= row["enough_cpus"] <= max(cpu / 1000, 0.5)
    costs = [row["cost"] for row in rows]
    assert costs == sorted(costs, reverse=True)


def test_days_together_hold_what_was_held_cut_at_midnight(past: Past) -> None:
    answer = past.asked.asking.ask(
        'SELECT day, team, "user", experiment, attempts, held_hours, cpu_hours, gpu_hours'
        " FROM v_usage_daily WHERE day < current_date"
    )
    found = {tuple(row[:4]): row[4:] for row in answer.rows}
    expected: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0.0])
    today = datetime.now(UTC).date()
    for job in past.jobs:
        for each in job.attempts:
            for day in days(each, today):
                midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
                hours = each.held(midnight, midnight + timedelta(days=1))
                if (
                    not hours
                    and midnight.date() != min(filter(None, (each.launched, each.started))).date()
                ):
                    continue
                cpu, _, gpus, _ = SHAPES[each.shape]
                row = expected[day.isoformat(), OWNER[job.user], job.user, job.experiment]
                for at, more in enumerate((1, hours, hours * cpu / 1000, hours * gpus)):
                    row[at] += more
    assert found.keys() == expected.keys()
    for key, numbers in expected.items():
        assert found[key] == [close(number) for number in numbers]


def days(attempt: Attempt, before: date) -> Iterator[date]:
    """The days that it held something on, in UTC."""
    begun = min(filter(None, (attempt.launched, attempt.started)), default=None)
    if begun is None:
        return
    day, end = begun.date(), max(begun, attempt.end or datetime.now(UTC)).date()
    while day <= end and day < before:
        yield day
        day += timedelta(days=1)


def records(answer: Answered) -> list[dict[str, Any]]:
    """The rows by their columns."""
    names = [column.name for column in answer.columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]


def settled(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what grows while a job waits."""
    growing = ("p50_seconds", "p95_seconds", "max_seconds")
    return {name: value for name, value in row.items() if name not in growing}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_of_one_team_is_that_teams_part(past: Past, name: str) -> None:
    users = past.rows(name, Grouping.USER, team="vision")
    every = [row for row in past.rows(name, Grouping.USER) if row["who"] in TEAMS["vision"]]
    assert {row["who"] for row in users} <= set(TEAMS["vision"])
    assert list(map(settled, users)) == list(map(settled, every))


@pytest.mark.parametrize("name", REPORTS)
def test_what_is_printed_of_a_report_can_be_asked_as_it_is(past: Past, name: str) -> None:
    odd = {"a'; DROP TABLE jobs; --": 1.0, 'b"\\': 2.0}
    for words in ({"team": "o'nlp\\"}, {"prices": odd}, {}):
        request = ReportRequest(name, Grouping.USER, BEGIN, END, **words)  # type: ignore[arg-type]
        asking = past.asked.asking
        typed, run = asking.ask(asking.report_text(request)), asking.report(request)
        assert typed.columns == run.columns
        assert list(map(settled, records(typed))) == list(map(settled, records(run)))


def test_reasons_are_the_programs(past: Past) -> None:
    answer = past.asked.asking.ask("SELECT reason, reason_class, sentence FROM v_reasons")
    assert answer.rows == [[each.value, each.reason_class.value, each.sentence] for each in Reason]
