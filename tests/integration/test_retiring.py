"""Taking a node out of service: the real command line, submit and passes over a real PostgreSQL,
with a scripted cluster of several nodes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sentinels.clock import utc_now
from sentinels.core.capacity import Node, Resources
from sentinels.core.observation import Finished, Running
from sentinels.core.rights import Role
from sentinels.db.people import caller_of, ensure_user
from tests.conftest import TOKEN
from tests.integration.test_cli import SCRIPT, Terminal
from tests.support.desk import Desk, ref
from tests.support.front import Client, LoggedCluster, make_door, serving
from tests.support.people import promote
from tests.support.scripted import GIB, node

SECONDS = 30


@pytest.fixture
def cluster(desk: Desk) -> LoggedCluster:
    """A large node with GPUs and a small one without."""
    gpus = Resources(cpu_millis=16_000, memory_bytes=64 * GIB, gpus=8, gpu_type="a100")
    made = LoggedCluster(nodes=(Node("big", gpus), node(2, "small")))
    desk.cluster = made
    return made


@pytest.fixture
def client(desk: Desk, cluster: LoggedCluster) -> Iterator[Client]:
    promote(desk.engine, "ann", Role.OPERATOR)
    with serving(make_door(desk, cluster, None)) as port:
        desk.tick()
        yield Client(port, TOKEN)


@pytest.fixture
def terminal(client: Client, tmp_path: Path) -> Terminal:
    return Terminal(f"http://127.0.0.1:{client.port}", tmp_path)


def run_on(desk: Desk, place: str, **config: object) -> int:
    """A job that is seen running on a node."""
    job = desk.job(**config)
    desk.tick()
    seen = Running(f"uid-{ref(job).name}", utc_now(), node=place)
    desk.cluster.seen[ref(job)] = seen
    desk.tick()
    return job


def finish(desk: Desk, job: int) -> None:
    """A job's workload ends well."""
    now = utc_now()
    desk.cluster.seen[ref(job)] = Finished(f"uid-{ref(job).name}", None, 0, now, now)
    desk.tick()


def retire(client: Client, name: str = "big", **body: object) -> dict[str, object]:
    answer = client.post(f"/v1/nodes/{name}/retire", body)
    assert answer.status == 200
    return answer.json


def close_as_told(desk: Desk) -> None:
    """The cluster's nodes are as the last cordons of each left them."""
    closed = dict(desk.cluster.cordons)
    desk.cluster.nodes = tuple(
        replace(each, ready=not closed.get(each.name, False), detail="cordoned")
        for each in desk.cluster.nodes
    )


def test_a_retired_node_is_cordoned_once_and_gets_nothing_until_it_is_opened_again(
    client: Client, desk: Desk, cluster: LoggedCluster
) -> None:
    retire(client)
    job = desk.job(resources={"gpu": 1})
    desk.tick()
    assert cluster.cordons == [("big", True)]
    assert desk.state(job) == "queued"
    close_as_told(desk)
    desk.tick()
    assert cluster.cordons == [("big", True)]
    assert (desk.state(job), cluster.launches) == ("queued", [])
    retire(client, undo=True)
    desk.tick()
    assert cluster.cordons == [("big", True), ("big", False)]
    assert desk.ask("SELECT wish FROM nodes WHERE name = 'big'") == [(None,)]
    close_as_told(desk)
    desk.tick()
    assert cluster.cordons[2:] == []
    assert desk.state(job) == "dispatched"


def test_a_node_that_an_operator_of_the_cluster_opens_again_is_closed_again(
    client: Client, desk: Desk, cluster: LoggedCluster
) -> None:
    retire(client)
    desk.tick()
    desk.tick()  # the scripted cluster shows it open still, as after somebody's kubectl uncordon
    assert cluster.cordons == [("big", True)] * 2


def test_retiring_pokes_dispatch_and_may_be_repeated(client: Client, desk: Desk) -> None:
    before = desk.pokes.count
    first, again = retire(client), retire(client)
    assert first == again
    assert desk.pokes.count == before + 2


def test_it_says_what_is_still_there_of_every_team_and_until_when(
    client: Client, desk: Desk, database_url: str
) -> None:
    limited = run_on(desk, "big", time_limit="2h")
    ensure_user(database_url, team="vision", user="eve", token="eve-token")
    eve = caller_of(desk.engine, "eve-token")
    assert eve is not None
    endless = run_on(replace(desk, caller=eve), "big", name="a-secret-name")
    run_on(desk, "small")
    found = client.get("/v1/nodes/big").json
    first, second = found["running"]
    assert (first["job"], first["user"], first["team"]) == (limited, "ann", "default")
    started, by = map(datetime.fromisoformat, (first["started_at"], first["ends_by"]))
    assert by - started == timedelta(hours=2)
    assert (second["job"], second["user"], second["ends_by"]) == (endless, "eve", None)
    assert "a-secret-name" not in str(found)
    assert found["node"]["jobs"] == [limited, endless]
    assert (found["closed"], found["empty"]) == (False, False)


def test_it_says_which_waiting_jobs_only_this_node_could_take(
    client: Client, desk: Desk, cluster: LoggedCluster
) -> None:
    cluster.nodes = tuple(replace(each, ready=False) for each in cluster.nodes)
    desk.tick()
    desk.push(sweep={"C": [1, 2, 3]}, resources={"gpu": 2, "gpu_type": "a100"})
    large = desk.job(resources={"cpu": 8})
    desk.job(resources={"cpu": 2})
    cluster.nodes = tuple(replace(each, ready=True) for each in cluster.nodes)
    desk.max_launches = 0
    desk.tick()
    stranded = retire(client)["stranded"]
    assert isinstance(stranded, list)
    assert [(each["job"], each["waiting"], each["why"]) for each in stranded] == [
        (1, 3, "needs 2 a100 GPUs; no ready node has GPUs of that type"),
        (large, 1, "needs 8 CPUs; the largest ready node (small) has 2"),
    ]
    retire(client, "small")
    stranded = retire(client)["stranded"]
    assert isinstance(stranded, list)
    assert {each["why"] for each in stranded} == {"no node is ready to take jobs"}
    assert len(stranded) == 3


def test_it_is_empty_once_closed_with_nothing_on_it_and_nothing_on_the_way(
    client: Client, desk: Desk
) -> None:
    on_the_way = desk.job(resources={"gpu": 1})
    desk.tick()
    asked = retire(client)
    assert ([row["job"] for row in asked["launching"]], asked["closed"]) == ([on_the_way], False)  # type: ignore[attr-defined]  # JSON
    desk.tick()
    found = client.get("/v1/nodes/big").json
    assert (found["closed"], found["empty"]) == (True, False)
    finish(desk, on_the_way)
    assert client.get("/v1/nodes/big").json["empty"] is True
    assert client.get("/v1/nodes/small").json["empty"] is False


def test_nodes_and_the_queue_tell_retiring_from_cordoned_from_not_ready(
    client: Client, desk: Desk, cluster: LoggedCluster
) -> None:
    down = Node("down", Resources(1000), ready=False, detail="its kubelet is silent", slots=0)
    held = Node("held", Resources(1000), ready=False, detail="cordoned")
    cluster.nodes = (*cluster.nodes, down, held)
    desk.tick()
    retire(client)
    for path in ("/v1/nodes", "/v1/queue"):
        nodes = {each["name"]: each for each in client.get(path).json["nodes"]}
        states = {name: (each["state"], each["ready"]) for name, each in nodes.items()}
        assert states == {
            "big": ("retiring", False),
            "small": ("ready", True),
            "down": ("not ready", False),
            "held": ("cordoned", False),
        }
        assert nodes["down"]["detail"] == "its kubelet is silent"
        assert (nodes["down"]["slots"], nodes["small"]["slots"]) == (0, None)


BODIES = [b"[]", b'{"undo": 1}', b'{"undo": null}', b'{"redo": true}', b"{", b"\xff"]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_means_nothing_changes_nothing(client: Client, desk: Desk, body: bytes) -> None:
    assert client.ask("POST", "/v1/nodes/big/retire", body).status == 400
    assert desk.ask("SELECT name FROM nodes WHERE wish IS NOT NULL") == []


def test_a_node_that_is_not_there_is_answered_with_those_that_are(client: Client) -> None:
    for answer in (client.post("/v1/nodes/bog/retire", {}), client.get("/v1/nodes/bog")):
        assert answer.status == 404
        assert answer.json["detail"] == "there is no node 'bog'"
        assert answer.json["remedy"] == "there is: big, small"
    assert client.post("/v1/nodes/%00/retire", {}).status == 400
    assert Client(client.port).post("/v1/nodes/big/retire", {}).status == 401


def test_a_node_without_a_slot_takes_nothing_and_the_decision_says_so(
    desk: Desk, cluster: LoggedCluster
) -> None:
    cluster.nodes = (replace(node(4, "full"), slots=0),)
    job = desk.job()
    desk.tick()
    assert (desk.state(job), cluster.launches) == ("queued", [])
    assert desk.ask("SELECT code, sentence FROM decisions") == [
        ("no_slot", "would fit full, which takes no more workloads of any size")
    ]
    cluster.nodes = (replace(node(4, "full"), slots=2),)
    desk.push(sweep={"C": [1, 2, 3]})
    desk.tick()
    assert len(cluster.launches) == 2


def test_the_command_says_all_of_it_in_words(
    terminal: Terminal, client: Client, desk: Desk, cluster: LoggedCluster
) -> None:
    run_on(desk, "big", time_limit="2h", resources={"gpu": 8})
    run_on(desk, "big")
    desk.job(resources={"gpu": 4})
    said, _ = terminal.type("nodes", "retire", "big")
    lines = said.splitlines()
    assert lines[0] == "node big takes no new work from the next pass on"
    assert lines[2].split() == ["JOB", "OWNER", "TEAM", "STARTED", "ENDS", "BY"]
    assert lines[3].split()[:3] == ["1", "ann", "default"]
    assert "no time limit" in lines[4]
    assert lines[5] == "these waiting jobs fit no other node that takes work:"
    assert "1 CPU 1Gi 4×GPU" in lines[7]
    assert lines[8] == "node big is not empty yet: 2 running, the next pass closes it"
    assert "--undo" in lines[9]
    said, _ = terminal.type("nodes")
    assert "retiring" in said
    said, _ = terminal.type("nodes", "retire", "big", "--undo")
    assert said == "node big is given work again from the next pass on\n"
    _, complaint = terminal.type("nodes", "retire", "bog", code=4)
    assert "there is: big, small" in complaint


@contextmanager
def typed(terminal: Terminal, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs; ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *words],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(terminal.folder),
            "SENTINELS_URL": terminal.url,
            "SENTINELS_TOKEN": TOKEN,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """The line that says so."""
    assert process.stdout is not None
    watchdog = threading.Timer(SECONDS, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            if text in line:
                return line
    finally:
        watchdog.cancel()
    raise AssertionError(f"never said {text!r}")


def test_waiting_returns_when_what_ran_there_and_what_was_on_the_way_has_ended(
    terminal: Terminal, client: Client, desk: Desk
) -> None:
    job = run_on(desk, "big")
    on_the_way = desk.job(resources={"gpu": 1})
    desk.tick()
    with typed(terminal, "nodes", "retire", "big", "--wait") as process:
        read_until(process, "1 running, 1 launched and not seen on any node yet, the next pass")
        desk.tick()
        read_until(process, "1 running, 1 launched and not seen on any node yet\n")
        finish(desk, job)
        read_until(process, "not empty yet: 1 launched")
        elsewhere = desk.job(resources={"cpu": 1})
        desk.tick()
        assert desk.state(elsewhere) == "dispatched"
        finish(desk, on_the_way)
        out, complaint = process.communicate(timeout=SECONDS)
    assert (out, complaint, process.returncode) == ("node big is empty\n", "", 0)


def test_waiting_that_is_broken_off_leaves_the_node_retired(
    terminal: Terminal, client: Client, desk: Desk
) -> None:
    run_on(desk, "big")
    with typed(terminal, "nodes", "retire", "big", "--wait") as process:
        read_until(process, "1 running")
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "stays retired; open it again: sentinels nodes retire big --undo" in complaint
    assert "Traceback" not in complaint
    assert desk.ask("SELECT wish FROM nodes WHERE name = 'big'") == [("close",)]


def test_waiting_for_a_node_that_goes_away_ends_well(
    terminal: Terminal, client: Client, desk: Desk, cluster: LoggedCluster
) -> None:
    run_on(desk, "big")
    with typed(terminal, "nodes", "retire", "big", "--wait", "-o", "json") as process:
        end = time.monotonic() + SECONDS
        while desk.ask("SELECT wish FROM nodes WHERE name = 'big'") == [(None,)]:
            assert time.monotonic() < end
            time.sleep(0.05)
        desk.change("UPDATE nodes SET seen_at = now() - interval '1 minute'")
        cluster.nodes = (node(2, "small"),)
        desk.tick()
        out, complaint = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert "is gone from the cluster" in complaint
    assert json.loads(out)["empty"] is True
