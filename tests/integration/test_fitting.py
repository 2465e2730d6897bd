"""The right size at a push: what the last runs of its name used, and what less would gain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sentinels.clock import utc_now
from sentinels.core.capacity import Node, Resources
from sentinels.core.observation import Finished, Running, Usage
from tests.conftest import TOKEN
from tests.support.desk import Desk, ref
from tests.support.front import Client, FileTracker, LoggedCluster, make_door, serving
from tests.support.scripted import GIB

LARGE = {"cpu": 4, "memory": "8Gi"}
ASKS = {"name": "bert", "resources": LARGE}


@pytest.fixture
def client(desk: Desk) -> Iterator[Client]:
    desk.cluster = LoggedCluster(nodes=[Node("box", Resources(8000, 16 * GIB))])
    desk.tick()
    with serving(make_door(desk, desk.cluster, FileTracker())) as port:
        yield Client(port, TOKEN)


def ran(desk: Desk, times: int, *, cores: float = 0.9, gib: float = 1.0) -> None:
    for _ in range(times):
        job = desk.job(**ASKS)
        desk.tick()
        used = Usage(peak_memory_bytes=int(gib * GIB), peak_cpu_cores=cores)
        desk.cluster.seen[ref(job)] = Finished("uid", None, 0, utc_now(), utc_now(), usage=used)
        desk.tick()


def test_a_push_is_told_what_sufficed_before_and_how_much_sooner_it_would_start(
    desk: Desk, client: Client
) -> None:
    ran(desk, 3)
    for name in ("a", "b"):
        job = desk.job(name=name, resources={"cpu": 3, "memory": "1Gi"}, time_limit="2h")
        desk.tick()
        desk.cluster.seen[ref(job)] = Running("uid", utc_now(), "box")
        desk.tick()
    fit = client.push(**ASKS).json["fit"]
    assert fit["sentences"] == [
        "cpu: asked 4, used up to 0.9 (22 %): 0.9 would have sufficed",
        "memory: asked 8Gi, used 1Gi at most (12 %): 1.25Gi would have sufficed",
    ]
    assert (fit["runs"], fit["taken"]) == (3, False)
    assert fit["resources"] == {"cpu": "0.9", "memory": "1280Mi", "gpu": 0, "gpu_type": None}
    assert 7100 < fit["sooner_seconds"] <= 7200


def test_fit_takes_it_and_says_so(desk: Desk, client: Client) -> None:
    ran(desk, 3)
    body = {"image": "/code/digits", "config": {"command": ["x"], **ASKS}, "fit": True}
    answer = client.post("/v1/jobs", body, Idempotency_Key="once").json
    assert answer["fit"]["taken"] is True
    assert answer["jobs"][0]["resources"] == answer["fit"]["resources"]
    assert answer["jobs"][0]["resources"]["memory"] == "1280Mi"
    again = client.post("/v1/jobs", body, Idempotency_Key="once").json
    assert (again["replayed"], again["jobs"][0]["id"]) == (True, answer["jobs"][0]["id"])


def test_two_runs_are_no_experience_and_what_suits_is_left_alone(
    desk: Desk, client: Client
) -> None:
    ran(desk, 2)
    assert client.push(**ASKS).json["fit"] is None
    ran(desk, 1, cores=3.9, gib=7.5)
    assert client.push(**ASKS).json["fit"] is None
    body = {"image": "/code/digits", "config": {"command": ["x"], **ASKS}, "fit": True}
    answer = client.post("/v1/jobs", body).json
    assert (answer["fit"], answer["jobs"][0]["resources"]["memory"]) == (None, "8Gi")


def test_what_another_job_asked_for_is_nobodys_size(desk: Desk, client: Client) -> None:
    ran(desk, 3)
    assert client.push(name="other", resources=LARGE).json["fit"] is None
    assert client.post("/v1/jobs", {"image": "/code/x", "fit": 3}).status == 400
