"""What ``/metrics`` tells: every label bounded, zeros told, counts of what was committed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from sentinels.core.capacity import Node, Resources
from sentinels.core.census import OTHERS, TEAMS_BOUND
from sentinels.core.explaining import DecisionCode
from sentinels.core.job import Reason
from sentinels.core.observation import Finished, Running
from sentinels.core.vitals import EVENTS_JOBS, TICK_DISPATCH
from sentinels.db.census import PostgresCensus
from sentinels.db.people import ensure_user
from sentinels.db.reading import PostgresReading
from sentinels.db.vitals import PostgresVitals
from sentinels.functions.dispatch.handler import Passes
from sentinels.functions.gauges import PulseCollector, Surroundings
from sentinels.functions.notify.handler import DeadLetters
from sentinels.functions.telemetry import Telemetry
from tests.conftest import TOKEN
from tests.support.desk import Desk, ref
from tests.support.front import Client, LoggedCluster, make_door, serving
from tests.support.scripted import GIB, node

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
DOCUMENT = Path(__file__).parents[2] / "docs" / "monitoring.md"


def samples_in(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def telemetry_of(desk: Desk, surroundings: Surroundings | None = None) -> Telemetry:
    """Of a function that tells the gauges."""
    made = Telemetry()
    reading = PostgresReading(desk.engine, policy=lambda: desk.policy)
    census = PostgresCensus(desk.engine)
    PulseCollector(reading, made.registry, census, surroundings or Surroundings())
    return made


def gauges(desk: Desk, **surroundings: object) -> Samples:
    made = telemetry_of(desk, Surroundings(**surroundings))  # type: ignore[arg-type]
    return samples_in(made.page().get_data(as_text=True))


def value(found: Samples, name: str, **labels: str) -> float:
    return found[f"sentinels_{name}", tuple(sorted(labels.items()))]


def labels_of(found: Samples, name: str) -> set[str]:
    return {
        label
        for (told, labels), _ in found.items()
        if told == f"sentinels_{name}"
        for _, label in labels
    }


def counts(desk: Desk) -> Samples:
    return samples_in(desk.telemetry.page().get_data(as_text=True))


def test_what_waits_is_told_by_priority_and_by_why_and_zeros_are_told(desk: Desk) -> None:
    desk.cluster.nodes = (node(1),)
    for _ in range(3):
        desk.job(resources={"cpu": 1})
    desk.job(resources={"cpu": 1, "memory": "100Mi"}, priority="high")
    desk.tick()
    desk.change("UPDATE queue SET enqueued_at = now() - interval '10 minutes'")
    found = gauges(desk)
    assert value(found, "jobs", state="dispatched") == 1
    assert value(found, "queue_waiting", priority="normal") == 3
    assert value(found, "queue_waiting", priority="high") == 0
    assert value(found, "queue_waiting", priority="urgent") == 0
    assert 600 <= value(found, "queue_oldest_seconds", priority="normal") < 700
    assert value(found, "queue_oldest_seconds", priority="low") == 0
    assert value(found, "queue_blocked", why="no_cpu") == 3
    assert labels_of(found, "queue_blocked") == {code.value for code in DecisionCode}


def test_teams_are_told_with_what_they_hold_and_are_bounded(desk: Desk, database_url: str) -> None:
    job = desk.job(resources={"cpu": 2, "memory": "1Gi"})
    desk.job(resources={"cpu": 5, "memory": "1Gi"})
    desk.tick()
    desk.cluster.seen[ref(job)] = Running("uid", datetime.now(UTC), node="box")
    desk.tick()
    found = gauges(desk)
    team = desk.caller.team
    assert value(found, "team_jobs", team=team, state="live") == 1
    assert value(found, "team_jobs", team=team, state="waiting") == 1
    assert value(found, "team_cpu_cores", team=team) == 2
    assert value(found, "team_memory_bytes", team=team) == GIB
    assert value(found, "team_gpus", team=team) == 0
    for number in range(TEAMS_BOUND + 10):
        ensure_user(database_url, team=f"t{number}", user=f"u{number}", token=f"token-{number}")
        desk.change(
            "INSERT INTO lanes (team_id, priority, shape_id, ready)"
            " SELECT id, 20, (SELECT min(id) FROM shapes), true FROM teams WHERE name = :name",
            name=f"t{number}",
        )
        desk.change(
            "INSERT INTO queue (lane_id, job_id) SELECT max(id), :job FROM lanes", job=9000 + number
        )
    found = gauges(desk)
    teams = labels_of(found, "team_cpu_cores")
    assert len(teams) == TEAMS_BOUND + 1
    assert {team, OTHERS} <= teams
    assert value(found, "team_jobs", team=OTHERS, state="waiting") == 11


def test_the_cluster_is_told_in_parts_that_add_up(desk: Desk) -> None:
    big = Resources(8000, 32 * GIB, gpus=4, gpu_type="a100")
    desk.cluster.nodes = (
        node(4, "one"),
        Node("two", big, foreign=Resources(1000, GIB, gpus=1)),
        Node("gone", Resources(2000, 4 * GIB), ready=False, detail="cordoned"),
    )
    job = desk.job(resources={"cpu": 2, "memory": "4Gi", "gpu": 2})
    desk.tick()
    desk.cluster.seen[ref(job)] = Running("uid", datetime.now(UTC), node="two")
    desk.tick()
    found = gauges(desk)
    cores = {use: value(found, "cluster_cpu_cores", use=use) for use in ("held", "foreign")}
    assert cores == {"held": 2, "foreign": 1}
    assert value(found, "cluster_cpu_cores", use="free") == 9
    assert value(found, "cluster_cpu_cores", use="closed") == 2
    gpus = {
        use: value(found, "cluster_gpus", gpu_type="a100", use=use)
        for use in ("held", "foreign", "free")
    }
    assert gpus == {"held": 2, "foreign": 1, "free": 1}
    states = {state: value(found, "nodes", state=state) for state in ("ready", "not_ready")}
    assert states == {"ready": 2, "not_ready": 1}
    desk.change("UPDATE nodes SET wish = 'close' WHERE name = 'one'")
    found = gauges(desk)
    assert value(found, "nodes", state="retiring") == 1
    assert value(found, "cluster_cpu_cores", use="closed") == 6


def test_moments_are_told_as_moments(desk: Desk) -> None:
    begun = datetime.now(UTC)
    desk.tick()
    PostgresVitals(desk.engine).leave_sign(TICK_DISPATCH)
    PostgresVitals(desk.engine).leave_sign(EVENTS_JOBS)
    found = gauges(desk, tick_seconds=lambda: {TICK_DISPATCH: 300.0})
    now = datetime.now(UTC) + timedelta(seconds=1)
    for name, labels in (
        ("last_pass_timestamp_seconds", {}),
        ("source_heard_timestamp_seconds", {"source": TICK_DISPATCH}),
    ):
        told = value(found, name, **labels)
        assert begun.timestamp() - 1 <= told <= now.timestamp()
    assert value(found, "tick_seconds", source=TICK_DISPATCH) == 300


def test_the_outbox_is_told_by_channel_and_a_channel_that_has_nothing_with_zero(
    desk: Desk,
) -> None:
    job = desk.job()
    desk.tick()
    desk.cluster.seen[ref(job)] = Finished("uid", None, 0, None, datetime.now(UTC))
    desk.tick()
    desk.change("UPDATE outbox SET created_at = now() - interval '90 seconds', due_at = now()")
    found = gauges(desk, channels=("messenger", "usage"))
    assert value(found, "outbox_pending", channel="messenger") == 1
    assert 90 <= value(found, "outbox_lag_seconds", channel="messenger") < 120
    assert value(found, "outbox_pending", channel="usage") == 0
    assert value(found, "outbox_lag_seconds", channel="usage") == 0


def test_what_is_due_only_later_lags_only_where_it_was_tried(desk: Desk) -> None:
    job = desk.job()
    desk.tick()
    desk.cluster.seen[ref(job)] = Finished("uid", None, 0, None, datetime.now(UTC))
    desk.tick()
    ago, later = "created_at = now() - interval '1 hour'", "due_at = now() + interval '90 seconds'"
    desk.change(f"UPDATE outbox SET {ago}, {later}")
    assert value(gauges(desk), "outbox_lag_seconds", channel="messenger") == 0
    desk.change("UPDATE outbox SET tries = 7")
    assert value(gauges(desk), "outbox_lag_seconds", channel="messenger") >= 3600


def test_the_databases_size_is_told_and_its_volumes_where_it_is_known(desk: Desk) -> None:
    assert value(gauges(desk), "database_bytes") > 2**20
    assert ("sentinels_database_limit_bytes", ()) not in gauges(desk)
    assert value(gauges(desk, database_limit_bytes=10 * GIB), "database_limit_bytes") == 10 * GIB


def test_a_launch_is_counted_once_with_how_long_the_job_had_waited(desk: Desk) -> None:
    job = desk.job(priority="high")
    desk.change("UPDATE jobs SET submitted_at = now() - interval '40 seconds'")
    desk.tick()
    desk.cluster.seen[ref(job)] = Running("uid", datetime.now(UTC))
    desk.tick()
    found = counts(desk)
    assert value(found, "wait_seconds_count", priority="high") == 1
    assert 40 <= value(found, "wait_seconds_sum", priority="high") < 50
    assert value(found, "wait_seconds_bucket", priority="high", le="30.0") == 0
    assert value(found, "wait_seconds_bucket", priority="high", le="60.0") == 1


def test_an_end_is_counted_by_state_and_why_and_only_by_who_committed_it(desk: Desk) -> None:
    ended = (None, Reason.EXITED_NONZERO, Reason.NODE_LOST)
    for reason in ended:
        job = desk.job()
        desk.tick()
        desk.cluster.seen[ref(job)] = Finished("uid", reason, 1, None, datetime.now(UTC))
        desk.tick()
        desk.tick()
    found = counts(desk)
    assert value(found, "outcomes_total", state="succeeded", reason="") == 1
    assert value(found, "outcomes_total", state="failed", reason="exited_nonzero") == 1
    assert value(found, "outcomes_total", state="queued", reason="node_lost") == 1


def test_a_job_that_can_never_start_is_counted_as_cancelled(desk: Desk) -> None:
    first = desk.job()
    desk.job(after=[first])
    desk.tick()
    desk.cluster.seen[ref(first)] = Finished(
        "uid", Reason.EXITED_NONZERO, 1, None, datetime.now(UTC)
    )
    desk.tick()
    desk.tick()
    found = counts(desk)
    assert value(found, "outcomes_total", state="cancelled", reason="dependency_failed") == 1


def test_the_front_door_counts_pushes_once_and_the_cancelling_of_what_waits(desk: Desk) -> None:
    with serving(make_door(desk, LoggedCluster(), None)) as port:
        client = Client(port, TOKEN)
        client.push("a key", sweep={"x": [1, 2, 3]})
        client.push("a key", sweep={"x": [1, 2, 3]})
        client.post("/v1/jobs/1/cancel")
        found = samples_in(client.get("/metrics").body.decode())
    assert value(found, "pushed_jobs_total") == 3
    assert value(found, "outcomes_total", state="cancelled", reason="cancelled") == 1


def documented_rows() -> list[tuple[str, str, str]]:
    """Name, labels and type of every metric in the document."""
    pattern = r"^\| `(sentinels_\w+)(?:\{(.*?)\})?` \| (gauge|counter|histogram) \|"
    return re.findall(pattern, DOCUMENT.read_text(), re.MULTILINE)


def everything(desk: Desk) -> Iterator[tuple[str, str]]:
    """Every metric that a function tells, with its type."""
    made = telemetry_of(desk, Surroundings(database_limit_bytes=1))
    Passes(desk.tick, made.registry)
    DeadLetters(PostgresVitals(desk.engine), made.registry)
    for family in text_string_to_metric_families(made.page().get_data(as_text=True)):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield name, family.type


def test_the_document_has_every_metric_with_its_labels_and_no_other(desk: Desk) -> None:
    desk.tick()
    rows = documented_rows()
    assert sorted((name, kind) for name, _, kind in rows) == sorted(everything(desk))


def test_the_document_names_the_labels(desk: Desk) -> None:
    job = desk.job()
    desk.tick()
    desk.cluster.seen[ref(job)] = Finished("uid", None, 0, None, datetime.now(UTC))
    desk.tick()
    PostgresVitals(desk.engine).leave_sign(TICK_DISPATCH)
    with serving(make_door(desk, LoggedCluster(), None)) as port:
        client = Client(port, TOKEN)
        client.get("/healthz")
        served = samples_in(client.get("/metrics").body.decode())
    rows = documented_rows()
    documented = {name: {each for each in labels.split(", ") if each} for name, labels, _ in rows}
    for name, labels in [*served, *counts(desk)]:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        told = {label for label, _ in labels} - {"le"}
        assert documented[name if name in documented else base] == told, name
