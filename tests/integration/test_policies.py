"""The administrator's policy, from the table to what a push gets and what a pass admits."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from sentinels.core.errors import InvalidSubmission
from sentinels.core.policy import Policy
from sentinels.core.policy_reading import read_policy
from sentinels.db.policies import PostgresPolicies
from sentinels.install.checklist import Checklist
from sentinels.install.governing import ensure_policy
from tests.support.desk import Desk

ALL = {
    "rules": [{"experiment": "prod-*", "priority": "high"}],
    "access": {"urgent": {"users": ["somebody-else"]}},
    "teams": {"default": {"quota": {"cpu": 3, "memory": "8Gi", "queued": 4, "running": 2}}},
    "time_limit": {"default": "1h", "longest": "2h"},
}


@pytest.fixture
def governed(desk: Desk) -> Desk:
    desk.policy = read_policy(ALL)
    return desk


def test_the_newest_version_is_in_force_and_the_older_ones_are_kept(engine: Engine) -> None:
    now = [0.0]
    store = PostgresPolicies(engine, stopwatch=lambda: now[0])
    other = PostgresPolicies(engine, stopwatch=lambda: now[0])
    assert store.current() == other.current() == Policy()

    store.apply({"ageing": {"at_most": 10}}, actor="ann", seen=0)
    store.apply({"ageing": {"at_most": 20}}, actor="bob", seen=1)
    assert store.current().ageing_limit == 20
    assert other.current().ageing_limit == Policy().ageing_limit
    now[0] += 2
    assert other.current().ageing_limit == 20
    assert [(version.actor, version.document) for version in store.versions(limit=5)] == [
        ("bob", {"ageing": {"at_most": 20}}),
        ("ann", {"ageing": {"at_most": 10}}),
    ]


def test_a_push_gets_what_the_policy_gives_where_it_names_nothing(governed: Desk) -> None:
    job = governed.job(experiment="prod-digits")
    other = governed.job(experiment="prod-digits", priority="low", time_limit="90m")

    stored = governed.ask("SELECT id, priority, config->>'time_limit' FROM jobs ORDER BY id")
    assert stored == [(job, 30, "1h"), (other, 10, "1h30m")]


@pytest.mark.parametrize(
    ("config", "field", "message"),
    [
        ({"priority": "urgent"}, "priority", "is not for you to use"),
        ({"time_limit": "3h"}, "time_limit", "is above the greatest"),
        ({"resources": {"cpu": 4}}, "resources", "is more than team default may hold: 3 CPUs"),
        (
            {"resources": {"memory": "9Gi"}},
            "resources",
            "is more than team default may hold: 8Gi of memory",
        ),
        (
            {"sweep": {"a": [1, 2, 3, 4, 5]}},
            "sweep",
            "team default may have 4 jobs waiting, and 0 wait already",
        ),
    ],
)
def test_a_push_that_the_policy_forbids_is_refused_at_once(
    governed: Desk, config: dict[str, object], field: str, message: str
) -> None:
    with pytest.raises(InvalidSubmission) as refused:
        governed.push(**config)

    assert [(fault.field, fault.message) for fault in refused.value.faults] == [(field, message)]
    assert governed.ask("SELECT count(*) FROM jobs") == [(0,)]


def test_no_more_jobs_wait_than_the_quota_lets(governed: Desk) -> None:
    for _ in range(4):
        governed.job()
    with pytest.raises(InvalidSubmission, match="4 wait already"):
        governed.job()
    governed.tick()
    governed.job()


def test_a_pass_admits_no_more_than_the_quota_and_says_so(governed: Desk) -> None:
    jobs = [governed.job() for _ in range(3)]
    governed.tick()

    assert [governed.state(job) for job in jobs] == ["dispatched", "dispatched", "queued"]
    [(code, sentence)] = governed.ask(
        "SELECT code, sentence FROM decisions ORDER BY id DESC LIMIT 1"
    )
    assert code == "quota"
    assert sentence == "team default may have 2 running jobs and has 2"


def test_the_charts_policy_is_put_in_force_where_another_is(
    engine: Engine, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store, checklist = PostgresPolicies(engine), Checklist()
    ensure_policy(checklist, {}, database_url)
    assert store.versions(limit=9) == []

    for _ in range(2):
        ensure_policy(Checklist(), {"ageing": {"every": "3h"}}, database_url)
    assert [(each.id, each.actor) for each in store.versions(limit=9)] == [(1, "helm")]
    store.apply({}, actor="ann", seen=1)
    ensure_policy(checklist, {"ageing": {"every": "3h"}}, database_url)
    assert [each.actor for each in store.versions(limit=9)] == ["helm", "ann", "helm"]
    assert checklist.ok
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "✔ policy version 1, ageing.every: 6h → 3h",
        "✔ policy version 1, as it should be",
        "✔ policy version 3, ageing.every: 6h → 3h",
    ]


def test_every_fault_of_the_charts_policy_is_in_the_checklist(
    engine: Engine, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    checklist = Checklist()
    ensure_policy(checklist, {"ageing": {"evry": "3h"}, "default_class": "x"}, database_url)
    assert not checklist.ok
    told = capsys.readouterr().out
    assert "ageing.evry: unknown key (did you mean every?)" in told
    assert "default_class: is no class" in told
    assert PostgresPolicies(engine).versions(limit=9) == []
