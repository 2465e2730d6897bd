"""The front door over real HTTP and PostgreSQL: what is pushed can be seen, followed, cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sentinels.clock import utc_now
from sentinels.core.capacity import Resources
from sentinels.core.job import Reason
from sentinels.core.observation import Finished, Running, Usage
from sentinels.core.planning import WaitingRow, queue_order
from sentinels.core.policy import Policy
from sentinels.core.vitals import TICK_DISPATCH, TICK_NOTIFY
from sentinels.db.people import caller_of, ensure_user
from sentinels.db.reading import PostgresReading
from sentinels.db.vitals import PostgresVitals
from tests.conftest import TOKEN
from tests.support.desk import Desk, ref
from tests.support.front import Client, FileTracker, LoggedCluster, make_door, serving
from tests.support.scripted import GIB, node

BIG = {"cpu": 4, "memory": "1Gi"}


@pytest.fixture
def cluster(desk: Desk) -> LoggedCluster:
    made = LoggedCluster()
    desk.cluster = made
    return made


@pytest.fixture
def tracker(desk: Desk) -> FileTracker:
    made = FileTracker()
    desk.tracker = made
    return made


@pytest.fixture
def client(desk: Desk, cluster: LoggedCluster, tracker: FileTracker) -> Iterator[Client]:
    with serving(make_door(desk, cluster, tracker)) as port:
        yield Client(port, TOKEN)


@pytest.fixture
def stranger(database_url: str, client: Client) -> Client:
    """Somebody of another team."""
    ensure_user(database_url, team="others", user="eve", token="eve-token")
    return Client(client.port, "eve-token")


def end(desk: Desk, job_id: int, reason: Reason | None = None, code: int = 0) -> None:
    """The workload of a launched job runs, then ends so."""
    now, uid = utc_now(), f"uid-{ref(job_id).name}"
    desk.cluster.seen[ref(job_id)] = Finished(
        uid, reason, code, now, now, node="box", usage=Usage(peak_memory_bytes=2**40)
    )
    desk.tick()


def run(desk: Desk, job_id: int) -> None:
    """The workload of a launched job is seen running."""
    uid = f"uid-{ref(job_id).name}"
    desk.cluster.seen[ref(job_id)] = Running(uid, utc_now(), node="box")
    desk.tick()


def test_a_push_is_answered_with_the_job_and_its_place(client: Client, desk: Desk) -> None:
    first = client.push(name="one", labels={"ticket": "ML-12"}, params={"C": 0.1})
    second = client.push(name="two")
    assert (first.status, second.status) == (201, 201)
    assert second.json["queue"] == {"position": 2, "waiting": 2}
    job = first.json["jobs"][0]
    assert job["state"] == "queued"
    assert (job["user"], job["team"], job["priority"]) == ("ann", "default", "normal")
    assert job["resources"] == {"cpu": "1", "memory": "1Gi", "gpu": 0, "gpu_type": None}
    assert (job["labels"], job["params"]) == ({"ticket": "ML-12"}, {"C": 0.1})
    assert job["queue"]["why"] is None
    assert desk.pokes.count == 2


def test_a_sweep_is_pushed_whole(client: Client) -> None:
    pushed = client.push(name="sweep", sweep={"C": [0.1, 1, 10]}).json
    ids = [job["id"] for job in pushed["jobs"]]
    assert len(ids) == 3
    assert {job["sweep"] for job in pushed["jobs"]} == {ids[0]}
    assert [job["queue"]["position"] for job in pushed["jobs"]] == [1, 2, 3]
    listed = client.get("/v1/jobs", sweep=ids[0]).json
    assert [job["id"] for job in listed["jobs"]] == ids[::-1]


def test_the_same_key_brings_the_same_job_and_another_push_under_it_conflicts(
    client: Client,
) -> None:
    first, again = client.push(key="k1", name="one"), client.push(key="k1", name="one")
    assert (first.status, again.status) == (201, 200)
    assert again.json["replayed"] is True
    assert again.json["jobs"][0]["id"] == first.json["jobs"][0]["id"]
    assert client.push(key="k1", name="other").status == 409
    assert len(client.get("/v1/jobs").json["jobs"]) == 1


def test_a_job_is_found_by_id_name_and_the_beginning_of_one_name(client: Client) -> None:
    old, new = (client.push(name="digits-a").json["jobs"][0]["id"] for _ in range(2))
    client.push(name="digits-b")
    assert client.get(f"/v1/jobs/{old}").json["id"] == old
    assert client.get("/v1/jobs/digits-a").json["id"] == new
    assert client.get("/v1/jobs/digits-b").json["name"] == "digits-b"
    ambiguous = client.get("/v1/jobs/digi")
    assert ambiguous.status == 409
    assert ambiguous.json["candidates"] == ["digits-a", "digits-b"]
    client.push(name="unique-name")
    assert client.get("/v1/jobs/uni").json["name"] == "unique-name"


def test_what_does_not_exist_is_not_found(client: Client) -> None:
    client.push(name="digits")
    for wanted in ("999", "99999999999999999999999", "nobody", "²", "%25", "_"):
        for path in ("", "/events", "/logs", "/artifacts", "/artifacts/a"):
            assert client.get(f"/v1/jobs/{wanted}{path}").status == 404
        assert client.post(f"/v1/jobs/{wanted}/cancel").status == 404


def test_at_most_ten_candidates_are_named(client: Client) -> None:
    for number in range(12):
        client.push(name=f"many-{number:02}")
    candidates = client.get("/v1/jobs/many").json["candidates"]
    assert candidates == [f"many-{number:02}" for number in range(10)]


def test_another_teams_jobs_are_as_good_as_none(client: Client, stranger: Client) -> None:
    job = client.push(name="secret").json["jobs"][0]["id"]
    for wanted in (job, "secret", "sec"):
        for path in ("", "/events", "/logs", "/artifacts"):
            assert stranger.get(f"/v1/jobs/{wanted}{path}").status == 404
        assert stranger.post(f"/v1/jobs/{wanted}/cancel").status == 404
    assert stranger.get("/v1/jobs").json["jobs"] == []
    queue = stranger.get("/v1/queue").json
    assert (queue["waiting"], queue["running"]) == ([], [])
    assert stranger.get("/v1/notices").json["notices"] == []
    assert stranger.push(name="mine").json["queue"] == {"position": 2, "waiting": 2}


def test_the_statements_themselves_keep_teams_apart(
    client: Client, stranger: Client, desk: Desk, engine: Engine
) -> None:
    job = client.push(name="secret").json["jobs"][0]["id"]
    reading, eve = PostgresReading(engine, policy=Policy), caller_of(engine, "eve-token")
    assert eve is not None
    assert [view.id for view in reading.jobs(desk.caller, [job])] == [job]
    assert reading.jobs(eve, [job]) == []


def test_a_job_is_seen_through_to_its_end(client: Client, desk: Desk) -> None:
    job = client.push(name="one").json["jobs"][0]["id"]
    desk.tick()
    detail = client.get(f"/v1/jobs/{job}").json
    assert detail["state"] == "dispatched"
    assert detail["queue"] is None
    assert detail["attempts"][0]["state"] == "pending"
    run(desk, job)
    detail = client.get(f"/v1/jobs/{job}").json
    assert (detail["state"], detail["attempts"][0]["state"]) == ("running", "running")
    assert detail["links"]["mlflow"] == f"http://mlflow/run-sentinels-{job}-1"
    end(desk, job)
    detail = client.get(f"/v1/jobs/{job}").json
    assert (detail["state"], detail["exit_code"], detail["message"]) == ("succeeded", 0, None)
    attempt = detail["attempts"][0]
    assert (attempt["state"], attempt["outputs"]) == ("finished", "complete")
    assert attempt["usage"]["peak_memory_bytes"] == 2**40
    assert detail["config"]["name"] == "one"
    events = client.get(f"/v1/jobs/{job}/events").json["events"]
    moves = [(event["from"], event["to"]) for event in events]
    assert moves == [
        (None, "queued"),
        ("queued", "dispatched"),
        ("dispatched", "running"),
        ("running", "succeeded"),
    ]
    assert detail["event"] == events[-1]["id"]


def test_a_failure_says_why_and_whose_doing_it_was(client: Client, desk: Desk) -> None:
    job = client.push(name="one", notify={"on": ["failed"]}).json["jobs"][0]["id"]
    desk.tick()
    end(desk, job, Reason.EXITED_NONZERO, 3)
    detail = client.get(f"/v1/jobs/{job}").json
    assert (detail["state"], detail["reason"]) == ("failed", "exited_nonzero")
    assert (detail["reason_class"], detail["exit_code"]) == ("user", 3)
    assert "exit code" in detail["message"]
    notices = client.get("/v1/notices", job=job).json["notices"]
    assert [(n["kind"], n["state"], n["channel"]) for n in notices] == [("failed", "pending", None)]


def test_cancel_ends_a_waiting_job_asks_a_live_one_and_refuses_an_ended_one(
    client: Client, desk: Desk
) -> None:
    waiting = client.push(name="one").json["jobs"][0]["id"]
    cancelled = client.post(f"/v1/jobs/{waiting}/cancel").json
    assert (cancelled["effect"], cancelled["job"]["state"]) == ("cancelled", "cancelled")
    assert "cancelled by ann" in cancelled["job"]["message"]
    refused = client.post(f"/v1/jobs/{waiting}/cancel")
    assert (refused.status, refused.json["type"]) == (409, "/problems/conflict")
    live = client.push(name="two").json["jobs"][0]["id"]
    desk.tick()
    asked = client.post(f"/v1/jobs/{live}/cancel").json
    assert (asked["effect"], asked["job"]["state"]) == ("requested", "dispatched")
    assert asked["job"]["cancel_requested_at"]
    assert "ann" in asked["job"]["message"]


def test_lists_are_filtered_and_come_in_pages(client: Client, desk: Desk) -> None:
    ids = [client.push(name=f"job-{i}", experiment="digits").json["jobs"][0]["id"] for i in "abcde"]
    other = client.push(name="other", labels={"t": "1"}, priority="high").json["jobs"][0]["id"]
    client.post(f"/v1/jobs/{ids[0]}/cancel")

    def listed(**query: object) -> list[int]:
        return [job["id"] for job in client.get("/v1/jobs", **query).json["jobs"]]

    assert listed(experiment="digits") == ids[::-1]
    assert listed(name="job-") == ids[::-1]
    assert listed(name="job%") == []
    assert listed(label="t=1") == [other]
    assert listed(label=["t=1", "u=2"]) == []
    assert listed(state="cancelled") == [ids[0]]
    assert listed(state=["cancelled", "queued"]) == [other, *ids[::-1]]
    assert listed(user="ann") == [other, *ids[::-1]]
    assert listed(user="nobody") == []
    seen: list[int] = []
    query: dict[str, object] = {"limit": 4}
    while True:
        page = client.get("/v1/jobs", **query).json
        seen += [job["id"] for job in page["jobs"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == [other, *ids[::-1]]


def test_the_queue_is_in_planner_order_and_every_job_knows_its_place(
    client: Client, desk: Desk
) -> None:
    pushes = [("low", 99), ("low", 25), ("low", 13), ("high", 0), ("normal", 7), ("normal", 0)]
    pushes += [("low", 0), ("urgent", 0)]
    ids = []
    for priority, hours in pushes:
        job = client.push(name="one", priority=priority).json["jobs"][0]["id"]
        ids.append(job)
        desk.change(
            "UPDATE queue SET enqueued_at = enqueued_at - make_interval(hours => :h)"
            " WHERE job_id = :id",
            h=hours,
            id=job,
        )
    queue = client.get("/v1/queue").json
    shown = [job["id"] for job in queue["waiting"]]
    policy, now = Policy(), utc_now()
    rows = [
        WaitingRow(
            job, "default", policy.priority_classes[priority], now - timedelta(hours=h) + tick
        )
        for job, (priority, h), tick in zip(
            ids, pushes, (timedelta(milliseconds=i) for i in range(len(ids))), strict=True
        )
    ]
    assert shown == [row.job_id for row in queue_order(rows, policy, now)]
    assert [job["queue"]["position"] for job in queue["waiting"]] == [*range(1, 9)]
    assert queue["total"] == 8
    assert [job["id"] for job in client.get("/v1/queue", limit=2).json["waiting"]] == shown[:2]


def test_the_queue_says_why_and_the_nodes_say_what_is_used(client: Client, desk: Desk) -> None:
    running = client.push(name="one", resources=BIG).json["jobs"][0]["id"]
    desk.tick()
    run(desk, running)
    held = {ref(running).name: Resources(4000, GIB)}
    desk.cluster.nodes = [replace(node(), workloads=held)]
    waiting = client.push(name="two", resources=BIG).json["jobs"][0]["id"]
    assert client.get(f"/v1/jobs/{waiting}").json["queue"]["why"] is None
    desk.tick()
    queue = client.get("/v1/queue").json
    assert [job["id"] for job in queue["running"]] == [running]
    assert "4 CPUs" in queue["waiting"][0]["queue"]["why"]
    shown = client.get("/v1/nodes").json["nodes"][0]
    assert (shown["name"], shown["cpu"], shown["used"]["cpu"]) == ("box", "4", "4")
    assert shown["jobs"] == [running]


def test_a_job_that_may_not_start_yet_says_what_it_waits_for(client: Client, desk: Desk) -> None:
    first = client.push(name="one").json["jobs"][0]["id"]
    pushed = client.push(name="two", after=[first]).json
    assert pushed["queue"] == {"position": None, "waiting": 1}
    assert pushed["jobs"][0]["queue"]["why"] == f"starts after job {first} (queued)"
    third = client.push(name="three", retry={"exit": {1: 1}, "backoff": "30s..10m"}).json
    third_id = third["jobs"][0]["id"]
    desk.tick()
    end(desk, third_id, Reason.EXITED_NONZERO, 1)
    detail = client.get(f"/v1/jobs/{third_id}").json
    assert detail["state"] == "queued"
    assert detail["queue"]["why"].startswith("retries in ")
    assert "retry 1 of 1" in detail["message"]
    shown = [job["id"] for job in client.get("/v1/queue").json["waiting"]]
    assert set(shown) == {pushed["jobs"][0]["id"], third_id}


def test_a_long_poll_returns_with_the_event_it_waited_for(client: Client, desk: Desk) -> None:
    pushed = client.push(name="one").json["jobs"][0]
    timer = threading.Timer(0.3, desk.tick)
    timer.start()
    try:
        begin = time.monotonic()
        detail = client.get(f"/v1/jobs/{pushed['id']}", wait=20, after_event=pushed["event"]).json
        assert detail["event"] > pushed["event"]
        assert detail["state"] == "dispatched"
        assert time.monotonic() - begin < 10
    finally:
        timer.join(10)


def test_a_long_poll_ends_when_its_time_is_over(client: Client) -> None:
    pushed = client.push(name="one").json["jobs"][0]
    begin = time.monotonic()
    detail = client.get(f"/v1/jobs/{pushed['id']}", wait=0.5, after_event=pushed["event"]).json
    assert detail["event"] == pushed["event"]
    assert 0.5 <= time.monotonic() - begin < 5


def test_health_names_what_is_wrong_and_what_to_do(
    client: Client, desk: Desk, tracker: FileTracker
) -> None:
    def checks() -> dict[str, dict[str, object]]:
        return {check["name"]: check for check in client.get("/v1/health").json["checks"]}

    assert checks()["dispatch"]["ok"] is False
    desk.tick()
    assert checks()["dispatch"]["ok"] is True
    assert checks()["sources"]["ok"] is False
    for tick in (TICK_DISPATCH, TICK_NOTIFY):
        PostgresVitals(desk.engine).leave_sign(tick)
    assert client.get("/v1/health").json["ok"] is True
    tracker.down = True
    assert (checks()["mlflow"]["ok"], client.get("/v1/health").json["ok"]) == (False, False)
    desk.change("UPDATE passes SET at = now() - interval '1 hour'")
    assert checks()["dispatch"]["remedy"]
    job = client.push(name="one").json["jobs"][0]["id"]
    desk.tick()
    end(desk, job)
    desk.change("UPDATE outbox SET due_at = now() - interval '1 hour'")
    assert checks()["outbox"]["ok"] is False
    desk.change("UPDATE alembic_version SET version_num = '0001'")
    assert checks()["migrations"]["remedy"] == "run: sentinels db upgrade"
    assert Client(client.port).get("/readyz").status == 503
    desk.change("UPDATE alembic_version SET version_num = '0999'")
    assert checks()["database"]["ok"] is True
    assert Client(client.port).get("/readyz").status == 200


def test_the_pages_of_every_function_need_no_token(client: Client) -> None:
    anybody = Client(client.port)
    client.push(name="one")
    assert anybody.get("/healthz").json == {"ok": True}
    assert anybody.get("/readyz").status == 200
    assert anybody.get("/v1/openapi.json").json["openapi"] == "3.1.0"
    samples = anybody.get("/metrics").body.decode()
    assert 'sentinels_jobs{state="queued"} 1.0' in samples
    assert 'route="/v1/jobs",status="201"' in samples
    assert "sentinels_database_up 1.0" in samples


def test_artifacts_are_listed_and_read(client: Client, desk: Desk, tracker: FileTracker) -> None:
    job = client.push(name="one").json["jobs"][0]["id"]
    empty = client.get(f"/v1/jobs/{job}/artifacts").json
    assert (empty["artifacts"], empty["complete"]) == ([], False)
    desk.tick()
    tracker.files = {"model.pkl": b"\x00\x01", "plots/loss 1.png": b"png"}
    listed = client.get(f"/v1/jobs/{job}/artifacts").json
    assert listed["complete"] is False
    assert listed["artifacts"] == [
        {"path": "model.pkl", "size_bytes": 2},
        {"path": "plots/loss 1.png", "size_bytes": 3},
    ]
    end(desk, job)
    assert client.get(f"/v1/jobs/{job}/artifacts").json["complete"] is True
    read = client.get(f"/v1/jobs/{job}/artifacts/plots/loss 1.png")
    assert (read.body, read.headers["Content-Type"]) == (b"png", "application/octet-stream")
    assert client.get(f"/v1/jobs/{job}/artifacts/none").status == 404
    assert client.get(f"/v1/jobs/{job}/artifacts/plots/../model.pkl").status == 404
    assert client.get(f"/v1/jobs/{job}/artifacts", attempt=2).status == 404
    tracker.down = True
    away = client.get(f"/v1/jobs/{job}/artifacts")
    assert (away.status, away.headers["Retry-After"]) == (503, "7")


def test_a_sweep_is_shown_folded_and_cancelled_by_any_of_its_jobs(
    client: Client, desk: Desk
) -> None:
    config = {"sweep": {"C": [1, 2, 3]}, "params": {"D": 4}, "at_once": 1}
    ids = [job["id"] for job in client.push(**config).json["jobs"]]
    desk.tick()
    shown = client.get(f"/v1/sweeps/{ids[1]}").json
    assert (shown["sweep"], shown["states"]) == (ids[0], {"queued": 2, "dispatched": 1})
    assert [each["params"] for each in shown["members"]] == [{"C": 1}, {"C": 2}, {"C": 3}]
    counts = [{"sweep": ids[0], "jobs": 3, "states": {"queued": 2, "dispatched": 1}}]
    listed = client.get("/v1/jobs?fold=true").json
    assert ([job["id"] for job in listed["jobs"]], listed["sweeps"]) == ([ids[2]], counts)
    queue = client.get("/v1/queue?fold=true").json
    assert ([job["id"] for job in queue["waiting"]], queue["sweeps"]) == ([ids[1]], counts)
    assert queue["waiting"][0]["queue"]["why"] == "its sweep may have 1 at once: 1 runs"
    done = client.post(f"/v1/sweeps/{ids[2]}/cancel").json
    assert (done["cancelled"], done["requested"]) == (2, 1)
    end(desk, ids[0], Reason.CANCELLED, None)
    assert client.post(f"/v1/sweeps/{ids[0]}/cancel").status == 409
    alone = client.push().json["jobs"][0]["id"]
    assert client.get(f"/v1/sweeps/{alone}").status == 404


def test_a_cancel_names_what_was_to_start_after_the_job(client: Client, desk: Desk) -> None:
    first = client.push(name="one").json["jobs"][0]["id"]
    second = client.push(name="two", after=[first]).json["jobs"][0]["id"]
    third = client.push(name="three", after=[second]).json["jobs"][0]["id"]
    assert client.post(f"/v1/jobs/{first}/cancel").json["dependents"] == [second]
    desk.tick()
    desk.tick()
    assert [desk.state(each) for each in (second, third)] == ["cancelled", "cancelled"]
