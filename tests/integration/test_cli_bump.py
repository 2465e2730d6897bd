"""``sentinels bump``: the real command line and submit over a real PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinels.core.capacity import Node, Resources
from tests.conftest import TOKEN
from tests.integration.test_bumping import as_caller, person, places, run
from tests.integration.test_cli_canned import Person
from tests.support.desk import Desk
from tests.support.front import Client, LoggedCluster, make_door, serving
from tests.support.scripted import GIB

WHOLE = {"cpu": 4, "memory": "1Gi"}


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """One node, and a job that has it for an hour."""
    desk.cluster = LoggedCluster(nodes=(Node("box", Resources(4000, 8 * GIB)),))
    run(desk, desk.job(resources=WHOLE, time_limit="1h"))
    return desk


@pytest.fixture
def client(busy: Desk) -> Iterator[Client]:
    with serving(make_door(busy, busy.cluster, None)) as port:
        yield Client(port, TOKEN)


@pytest.fixture
def ann(client: Client, tmp_path: Path) -> Person:
    url = f"http://127.0.0.1:{client.port}"
    return Person(tmp_path, {"SENTINELS_URL": url, "SENTINELS_TOKEN": TOKEN})


def waiting(desk: Desk) -> tuple[int, int]:
    """A job of bob's, and one of ann's behind it."""
    bobs = as_caller(desk, person(desk, "bob")).job(resources=WHOLE, time_limit="30m")
    return bobs, desk.job(resources=WHOLE, time_limit="40m", name="mine")


def test_it_shows_whom_it_delays_before_it_asks(busy: Desk, ann: Person) -> None:
    bobs, mine = waiting(busy)
    with ann.at_terminal("bump", str(mine), "urgent") as terminal:
        seen = terminal.read_until("Do it? [y/N]: ")
        assert f"job {mine} mine: normal → urgent, starts about " in seen
        assert "it delays 1 job:\n" in seen
        assert f"{bobs}  bob" in seen
        assert "40m 00s" in seen
        terminal.type("n\n")
        terminal.read_to_end()
        assert terminal.process.returncode == 0
    assert places(busy, mine) == [(20, 20)]
    with ann.at_terminal("bump", str(mine), "urgent") as terminal:
        terminal.read_until("Do it? [y/N]: ")
        terminal.type("y\n")
        assert terminal.read_to_end().endswith(f"job {mine} is urgent now\n")
    assert places(busy, bobs, mine) == [(20, 20), (40, 40)]


def test_where_nobody_can_be_asked_it_wants_to_be_told(busy: Desk, ann: Person) -> None:
    _, mine = waiting(busy)
    said = ann.type("bump", str(mine), "urgent")
    assert said.code == 2
    assert said.err == (
        "error: bump asks before it acts, and here is nobody to ask\n"
        "  → do it without asking: -y    only see what it would do: --dry-run\n"
    )
    assert "it delays 1 job" in ann.type("bump", str(mine), "urgent", "--dry-run").out
    assert places(busy, mine) == [(20, 20)]
    said = ann.type("bump", "mine", "urgent", "-y")
    assert said.out.endswith(f"job {mine} is urgent now\n")
    assert places(busy, mine) == [(40, 40)]

    status = ann.type("status", str(mine)).out
    assert "priority urgent" in status
    assert "ann bumped it from normal to urgent" in status
    assert "ann bumped it from normal to urgent" in ann.type("history", str(mine)).out
    assert "urgent" in ann.type("queue").out


def test_jobs_are_bumped_by_label_by_sweep_and_by_user(busy: Desk, ann: Person) -> None:
    labelled = [busy.job(resources=WHOLE, labels={"ticket": "ML-1"}) for _ in range(2)]
    other = busy.job(resources=WHOLE, labels={"ticket": "ML-2"})
    swept = list(busy.push(resources=WHOLE, sweep={"C": [1, 2]}).job_ids)
    bobs, _ = waiting(busy)

    said = ann.type("bump", "--label", "ticket=ML-1", "high", "-y")
    assert said.out.endswith(f"jobs {labelled[0]}, {labelled[1]} are high now\n")
    assert places(busy, *labelled, other) == [(30, 30), (30, 30), (20, 20)]
    assert ann.type("bump", "low", "--sweep", str(swept[0]), "-y").code == 0
    assert places(busy, *swept) == [(10, 10), (10, 10)]
    assert ann.type("bump", "--user", "ann", "urgent", "-y").code == 0
    assert places(busy, *labelled, other, *swept, bobs) == [(40, 40)] * 5 + [(20, 20)]
    refused = ann.type("bump", "--user", "bob", "urgent", "-y")
    assert (refused.code, places(busy, bobs)) == (5, [(20, 20)])
    assert f"job {bobs} is bob's: a lead of the team may bump it" in refused.err
    assert ann.type("bump", "--user", "nobody", "urgent", "-y").code == 4


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["urgent"], 2, "which jobs is not said"),
        (["12", "urgent", "--user", "ann"], 2, "jobs and user are too much"),
        (["--label", "ticket", "urgent"], 2, "--label ticket has no value"),
        (["mine", "urgnt"], 2, "'urgnt': there is no such priority class"),
        (["nowhere", "urgent"], 4, "there is no job 'nowhere'"),
    ],
)
def test_what_cannot_be_is_refused(
    busy: Desk, ann: Person, words: list[str], code: int, told: str
) -> None:
    _, mine = waiting(busy)
    said = ann.type("bump", *words, "-y")
    assert (said.code, said.out) == (code, "")
    assert told in said.err
    assert places(busy, mine) == [(20, 20)]


def test_programs_get_the_whole(busy: Desk, ann: Person) -> None:
    bobs, mine = waiting(busy)
    seen = json.loads(ann.type("bump", str(mine), "urgent", "-o", "json", "--dry-run").out)
    assert seen["delayed"][0]["job"] == bobs
    assert seen["delayed"][0]["seconds"] == 2400
    done = json.loads(ann.type("bump", str(mine), "urgent", "-o", "json", "-y").out)
    assert [job["was"] for job in done["jobs"]] == ["normal"]
    assert places(busy, mine) == [(40, 40)]


def test_one_job_is_bumped_by_its_path(busy: Desk, client: Client) -> None:
    bobs, mine = waiting(busy)
    seen = client.post(f"/v1/jobs/{mine}/bump?dry_run=true", {"priority": "urgent"}).json
    assert ([each["job"] for each in seen["delayed"]], places(busy, mine)) == ([bobs], [(20, 20)])
    assert client.post("/v1/jobs/mine/bump", {"priority": "urgent"}).status == 200
    assert places(busy, bobs, mine) == [(20, 20), (40, 40)]
    assert client.post(f"/v1/jobs/{bobs}/bump", {"priority": "urgent"}).status == 403
    assert client.post(f"/v1/jobs/{mine}/bump", {"priority": "low", "user": "ann"}).status == 400


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"priority": "urgent"},
        {"priority": 7, "jobs": ["1"]},
        {"priority": "urgent", "jobs": []},
        {"priority": "urgent", "jobs": [1]},
        {"priority": "urgent", "jobs": ["1"] * 1001},
        {"priority": "urgent", "sweep": True},
        {"priority": "urgent", "sweep": 2**80},
        {"priority": "urgent", "labels": {}},
        {"priority": "urgent", "labels": {"a": 1}},
        {"priority": "urgent", "labels": {"a": "\u0000"}},
        {"priority": "urgent", "labels": {"\u0000": "a"}},
        {"priority": "urgent", "user": ""},
        {"priority": "urgent", "user": "ann", "more": 1},
    ],
)
def test_another_body_is_refused(client: Client, body: object) -> None:
    assert client.post("/v1/bump", body).status == 400
