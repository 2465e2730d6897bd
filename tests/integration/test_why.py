"""Why a job waits, over PostgreSQL and dispatch: do what it says, and the next pass starts it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sentinels.clock import utc_now
from sentinels.core.capacity import Node, Resources
from sentinels.core.errors import ClusterUnavailable
from sentinels.core.job import JobId, Reason
from sentinels.core.observation import Finished, Running
from sentinels.core.policy import TeamPolicy
from sentinels.core.queueing import Caller
from sentinels.core.quota import Quota
from sentinels.db.people import caller_of, ensure_user
from tests.conftest import TOKEN
from tests.integration.test_settling import ask_cancel
from tests.support.desk import Desk, ref
from tests.support.front import Client, FileTracker, LoggedCluster, make_door, serving
from tests.support.scripted import GIB

A100, T4 = Resources(32000, 256 * GIB, 4, "a100"), Resources(16000, 64 * GIB, 2, "t4")
OTHER = "other-token"


@dataclass
class Town:
    """A desk with two teams before a front door; what is launched runs where it was placed."""

    desk: Desk
    callers: dict[str, Caller]
    client: Client

    def nodes(self, **nodes: Resources) -> None:
        self.offered = nodes
        self.tick()

    def push(self, team: str = "default", **config: object) -> JobId:
        return replace(self.desk, caller=self.callers[team]).job(**config)

    def tick(self) -> set[int]:
        """One pass; the jobs that it launched."""
        before = {launch.ref for launch in self.desk.cluster.launches}
        self._occupy()
        self.desk.tick()
        new = [each for each in self.desk.cluster.launches if each.ref not in before]
        for each in new:
            place = each.placement.node or ""
            self.desk.cluster.seen[each.ref] = Running("uid", utc_now(), place)
        self._occupy()
        self.desk.tick() if new else None
        return {each.ref.job_id for each in new}

    def _occupy(self) -> None:
        held: dict[str, dict[str, Resources]] = {name: {} for name in self.offered}
        for each in self.desk.cluster.launches:
            if isinstance(self.desk.cluster.seen.get(each.ref), Running):
                held[each.placement.node or ""][each.ref.name] = each.resources
        self.desk.cluster.nodes = [
            Node(name, offered, workloads=held[name]) for name, offered in self.offered.items()
        ]

    def why(self, job: int, **query: object) -> dict[str, Any]:
        answer = self.client.get(f"/v1/jobs/{job}/why", **query)
        assert answer.status == 200, answer.body
        return answer.json

    def waiting(self, team: str = "default") -> list[int]:
        rows = self.desk.ask(
            "SELECT q.job_id FROM queue q JOIN jobs j ON j.id = q.job_id"
            " WHERE j.team_id = :team ORDER BY 1",
            team=self.callers[team].team_id,
        )
        return [int(str(row[0])) for row in rows]

    def anew(self, job: int, config: dict[str, Any]) -> JobId:
        """What it says to type: cancel, and push it again with this."""
        [[stored]] = self.desk.ask("SELECT config FROM jobs WHERE id = :id", id=job)
        assert isinstance(stored, dict)
        ask_cancel(self.desk, JobId(job))
        resources = {**stored["resources"], **config.get("resources", {})}
        changed = {**stored, **config, "resources": resources}
        return self.push(**changed)

    def do_what_it_says(self, draw: random.Random, job: int) -> int:
        """Take one of the ways out; how many were taken. What has none is given up now and then."""
        answer = self.why(job)
        if not answer["ways"]:
            ask_cancel(self.desk, JobId(job)) if draw.random() < 0.6 else None
            return 0
        way = draw.choice(answer["ways"])
        anew = self.anew(job, way["config"])
        assert anew in self.tick(), (answer["sentence"], way)
        return 1

    def end(self, draw: random.Random) -> None:
        """One of those that run ends."""
        seen = self.desk.cluster.seen
        runs = [each for each, how in seen.items() if isinstance(how, Running)]
        if runs:
            seen[draw.choice(runs)] = Finished("uid", None, 0, utc_now(), utc_now())

    def age(self, minutes: int) -> None:
        self.desk.change(
            "UPDATE queue SET enqueued_at = enqueued_at - make_interval(mins => :m)", m=minutes
        )


@pytest.fixture
def town(desk: Desk, database_url: str) -> Iterator[Town]:
    desk.cluster = LoggedCluster()
    ensure_user(database_url, team="nlp", user="bob", token=OTHER)
    other = caller_of(desk.engine, OTHER)
    assert other is not None
    with serving(make_door(desk, desk.cluster, FileTracker())) as port:
        callers = {"default": desk.caller, "nlp": other}
        yield Town(desk, callers, Client(port, TOKEN))


@pytest.mark.parametrize("seed", range(4))
def test_do_what_it_says_and_the_next_pass_starts_the_job(town: Town, seed: int) -> None:
    draw = random.Random(seed)
    quota = Quota(gpus=draw.choice([None, 7]), cpu_millis=draw.choice([None, 35000]))
    teams = {"default": TeamPolicy(quota=quota)}
    town.desk.policy = replace(town.desk.policy, teams=teams, reservations=draw.randint(0, 2))
    town.nodes(g1=A100, g2=A100, t1=T4)
    tried = 0
    for _ in range(36):
        team = draw.choice(["default", "default", "nlp"])
        job = town.push(team, **a_config(draw))
        while town.tick():
            pass
        if team == "default" and job in town.waiting():
            tried += town.do_what_it_says(draw, job)
        if draw.random() < 0.4:
            town.end(draw)
        if draw.random() < 0.2:
            town.age(10)
    assert tried >= 2


def a_config(draw: random.Random) -> dict[str, Any]:
    gpus = draw.choice([0, 1, 2, 2, 3])
    kind = {"gpu_type": draw.choice(["a100", "t4"])} if gpus in (1, 2) else {}
    size = {"cpu": draw.choice([2, 4, 8, 12]), "memory": f"{draw.randint(1, 60)}Gi", "gpu": gpus}
    return {
        "priority": draw.choice(["low", "normal", "high"]),
        "time_limit": draw.choice(["20m", "3h"]),
        "resources": {**size, **kind},
    }


def test_who_holds_what_is_what_the_tables_say(town: Town) -> None:
    town.nodes(g1=A100, g2=A100)
    one = {"cpu": 1, "memory": "1Gi"}
    town.push("nlp", resources={**one, "gpu": 4}, time_limit="2h")
    town.push("nlp", resources={**one, "gpu": 2}, time_limit="1h")
    mine = town.push(resources={**one, "gpu": 1})
    town.tick()
    job = town.push(resources={**one, "gpu": 2, "gpu_type": "a100"})
    town.tick()

    answer = town.why(job)
    crowd = answer["facts"]["crowd"]
    held = town.desk.ask(
        "SELECT t.name, CAST(sum(s.gpus) AS int), array_agg(a.job_id ORDER BY a.job_id)"
        "  FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN teams t ON t.id = j.team_id"
        "  JOIN shapes s ON s.id = a.shape_id WHERE a.live GROUP BY t.name ORDER BY 2 DESC"
    )
    assert [(each["team"], each["amount"], each["jobs"]) for each in crowd["held"]] == held
    assert (crowd["total"], crowd["free"], crowd["most_on_one_node"]) == (8, 1, 1)
    assert answer["sentence"] == (
        "Waiting for 2 a100 GPUs. 8 exist: team nlp holds 6 (2 jobs, job 2 ends within 59m);"
        f" team default holds 1 (job {mine}; when they end is not known);"
        " 1 free, at most 1 on one node. It would start now with 1 a100 GPU."
    )
    assert [way["command"] for way in answer["ways"]] == [
        f"sentinels cancel {job} && sentinels rerun {job} --gpu 1"
    ]
    assert answer["expected"]["early"] < answer["expected"]["late"]


def test_a_quota_is_told_with_what_the_team_holds(town: Town) -> None:
    policy = TeamPolicy(quota=Quota(running=1))
    town.desk.policy = replace(town.desk.policy, teams={"default": policy})
    town.nodes(g1=A100)
    first = town.push(time_limit="1h")
    town.tick()
    job = town.push()
    town.tick()
    assert town.why(job)["sentence"] == (
        f"Team default may have 1 running jobs and has 1: ann's job {first};"
        f" the first to end is job {first}, within 59m. No single change would start it now."
    )


def test_what_may_not_be_considered_yet_says_what_it_waits_for(town: Town) -> None:
    town.nodes(g1=A100)
    first = town.push(name="prepare", retry={"exit": {"3": 1}, "backoff": "10m..10m"})
    job = town.push(after=[first])
    town.tick()
    assert town.why(job)["sentence"] == f"It starts after job {first} prepare, which runs."

    town.desk.cluster.seen[ref(first)] = Finished(
        "uid", Reason.EXITED_NONZERO, 3, utc_now(), utc_now()
    )
    town.tick()
    said = town.why(first)["sentence"]
    assert said.startswith("It is tried again in ")
    assert town.why(job)["sentence"] == f"It starts after job {first} prepare, which waits itself."


def test_what_does_not_wait_says_so_and_where_to_look(town: Town) -> None:
    town.nodes(g1=A100)
    job = town.push()
    assert town.why(job)["sentence"] == "It fits: the next pass starts it."
    town.tick()
    answer = town.why(job)
    assert (answer["waits"], answer["sentence"]) == (
        False,
        f"It does not wait: it runs. See: sentinels status {job}",
    )
    town.desk.cluster.seen[ref(job)] = Finished("uid", None, 0, utc_now(), utc_now())
    town.tick()
    assert f"How it ended: sentinels explain {job}" in town.why(job)["sentence"]


def test_a_cluster_that_does_not_answer_is_told_as_the_trouble_that_it_is(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.nodes(g1=A100)
    job = town.push()

    def away() -> None:
        raise ClusterUnavailable("the Kubernetes API does not answer")

    monkeypatch.setattr(town.desk.cluster, "snapshot", away)
    with pytest.raises(ClusterUnavailable):
        town.desk.tick()
    assert "met with trouble: the Kubernetes API does not answer" in town.why(job)["trouble"]


def test_how_the_answer_changed_is_told_once_a_change(town: Town) -> None:
    town.nodes(g1=T4)
    town.push(resources={"cpu": 16, "memory": "1Gi"})
    town.tick()
    job = town.push(resources={"cpu": 4, "memory": "1Gi"})
    town.tick()
    town.tick()
    town.desk.cluster.nodes = []
    town.desk.tick()
    town.desk.tick()
    told = [each["sentence"] for each in town.why(job, history="true")["history"]]
    assert told == [
        "needs 4 CPUs; the freest node (g1) has 0 of 16 free",
        "no node is ready to take jobs",
    ]
    assert town.why(job)["history"] == []


def test_anothers_job_is_not_found(town: Town) -> None:
    town.nodes(g1=T4)
    job = town.push("nlp")
    assert town.client.get(f"/v1/jobs/{job}/why").status == 404
