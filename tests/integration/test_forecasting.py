"""Starts are foretold at the push and each minute, compared with what came, and slips are told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sentinels.clock import utc_now
from sentinels.core.audience import NoticeRules
from sentinels.core.capacity import Node, Resources
from sentinels.core.forecasting import Forecaster
from sentinels.core.observation import Finished, Running
from sentinels.core.reporting import Grouping, ReportRequest
from sentinels.db.conditions import PostgresSurvey
from sentinels.db.foresight import PostgresForesight
from tests.conftest import TOKEN
from tests.support.desk import Desk, ref
from tests.support.front import Client, FileTracker, LoggedCluster, make_door, serving
from tests.support.reporters import reporting
from tests.support.scripted import GIB

WHOLE = {"cpu": 4, "memory": "1Gi"}


@pytest.fixture
def client(desk: Desk) -> Iterator[Client]:
    desk.cluster = LoggedCluster(nodes=[Node("box", Resources(4000, 8 * GIB))])
    desk.tick()
    with serving(make_door(desk, desk.cluster, FileTracker())) as port:
        yield Client(port, TOKEN)


def look(desk: Desk) -> None:
    """A minute later, notify foretells."""
    desk.change("UPDATE rounds SET at = at - interval '1 minute'")
    foresight = PostgresForesight(desk.engine, lambda: desk.policy)
    survey = PostgresSurvey(desk.engine, lambda: desk.policy)
    Forecaster(survey, foresight, utc_now, NoticeRules(), time.monotonic).look()


def run(desk: Desk, **config: object) -> int:
    job = desk.job(resources=WHOLE, **config)
    desk.tick()
    desk.cluster.seen[ref(job)] = Running("uid", utc_now(), "box")
    desk.tick()
    return job


def minutes_from_now(text: str) -> float:
    return (datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds() / 60


def test_a_push_is_told_when_it_is_expected_to_start(desk: Desk, client: Client) -> None:
    run(desk, time_limit="1h")
    pushed = client.push(resources=WHOLE, time_limit="1h").json["jobs"][0]
    expected = pushed["queue"]["expected"]
    assert 14 < minutes_from_now(expected["early"]) <= 15
    assert 59 < minutes_from_now(expected["late"]) <= 60
    shown = client.get("/v1/queue").json["waiting"][0]["queue"]["expected"]
    assert shown == expected
    behind = client.push(resources=WHOLE).json["jobs"][0]["queue"]["expected"]
    assert 119 < minutes_from_now(behind["late"]) <= 120


def test_what_fits_now_is_expected_now_and_what_waits_for_ever_has_no_end(
    desk: Desk, client: Client
) -> None:
    first = client.push(resources=WHOLE).json["jobs"][0]["queue"]["expected"]
    assert abs(minutes_from_now(first["late"])) < 0.5
    desk.tick()
    second = client.push(resources=WHOLE).json["jobs"][0]["queue"]["expected"]
    assert second["late"] is None


def test_a_slip_is_told_once_and_a_job_that_asks_for_silence_is_not_told(desk: Desk) -> None:
    desk.cluster.nodes = [Node("box", Resources(4000, 8 * GIB))]
    desk.tick()
    runs = run(desk, time_limit="30m")
    late = desk.job(resources=WHOLE)
    silent = desk.job(resources=WHOLE, notify={"on": []})
    look(desk)
    assert told(desk) == []

    longer = "CAST(jsonb_set(CAST(config AS jsonb), '{time_limit}', '\"10h\"') AS json)"
    desk.change(f"UPDATE jobs SET config = {longer} WHERE id = :id", id=runs)
    for _ in range(3):
        look(desk)
    assert told(desk) == [(late, 0)]
    rows = desk.ask("SELECT job, is_first, outcome FROM v_predictions WHERE job = :id", id=late)
    assert rows == [(late, True, "waits"), (late, False, "waits")]
    assert silent != late


def told(desk: Desk) -> list[tuple[object, ...]]:
    return desk.ask("SELECT job_id, attempt FROM outbox WHERE kind = 'slipped'")


def test_the_report_says_how_often_the_first_range_held(
    desk: Desk, client: Client, database_url: str
) -> None:
    ends = run(desk, time_limit="1h")
    jobs = [
        client.push(resources=WHOLE, time_limit="1h", name=name).json["jobs"][0]["id"]
        for name in ("held", "later", "sooner")
    ]
    desk.cluster.seen[ref(ends)] = Finished("uid", None, 0, utc_now(), utc_now())
    shift = "UPDATE predictions SET early = early - :by, late = late - :by WHERE job_id = :id"
    desk.change(shift, by=timedelta(minutes=30), id=jobs[0])
    desk.change(shift, by=timedelta(hours=5), id=jobs[1])
    for job in jobs:
        desk.tick()
        desk.cluster.seen[ref(job)] = Finished("uid", None, 0, utc_now(), utc_now())
    desk.tick()

    gone = client.push(name="gone").json["jobs"][0]["id"]
    client.post(f"/v1/jobs/{gone}/cancel")
    jobs.append(gone)
    outcomes = desk.ask("SELECT job, outcome FROM v_predictions WHERE is_first ORDER BY job")
    assert outcomes == list(zip(jobs, ["held", "later", "sooner", "never started"], strict=True))
    day = timedelta(days=1)
    request = ReportRequest("eta", Grouping.TEAM, utc_now() - day, utc_now() + day)
    with reporting(database_url) as asked:
        found = asked.asking.report(request)
    named = dict(zip((column.name for column in found.columns), found.rows[0], strict=True))
    assert (named["who"], named["started"], named["held"]) == ("default", 3, 1)
    assert (named["sooner"], named["later"], named["latest_job"]) == (1, 1, jobs[1])
