"""``sentinels policy``: the real command line and submit over a real PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sentinels.core.capacity import Node, Resources
from sentinels.core.policy import Policy
from sentinels.core.policy_reading import read_policy
from sentinels.core.rights import Role
from sentinels.db.policies import PostgresPolicies
from tests.conftest import TOKEN
from tests.integration.test_bumping import as_caller, person, run
from tests.integration.test_cli import Terminal
from tests.support.desk import Desk
from tests.support.front import Client, LoggedCluster, make_door, serving
from tests.support.people import promote
from tests.support.scripted import GIB

WHOLE = {"cpu": 4, "memory": "1Gi"}


@contextmanager
def front(desk: Desk, role: Role) -> Iterator[Client]:
    """The front door, for a caller of this role."""
    promote(desk.engine, "ann", role)
    with serving(make_door(desk, LoggedCluster(), None)) as port:
        yield Client(port, TOKEN)


@pytest.fixture
def client(desk: Desk) -> Iterator[Client]:
    with front(desk, Role.OPERATOR) as found:
        yield found


@pytest.fixture
def terminal(client: Client, tmp_path: Path) -> Terminal:
    return Terminal(f"http://127.0.0.1:{client.port}", tmp_path)


def write(terminal: Terminal, text: str) -> str:
    (terminal.folder / "policy.yaml").write_text(text)
    return "policy.yaml"


def test_the_usual_policy_is_shown_edited_applied_and_told_of(
    terminal: Terminal, engine: Engine
) -> None:
    shown, _ = terminal.type("policy", "show")
    assert shown.startswith("# The usual policy: nobody has applied another.")
    said, _ = terminal.type("policy", "apply", write(terminal, shown))
    assert said == "version 0 of the policy is in force already: nothing is different\n"
    edited = shown.replace("at_most: 30", "at_most: 20")
    said, _ = terminal.type("policy", "apply", write(terminal, edited))
    assert said == "ageing.at_most: 30 → 20\nversion 1 of the policy is in force\n"

    shown, _ = terminal.type("policy", "show")
    assert shown.startswith("# Version 1, by ann, ")
    edited = shown.replace("every: 6h", "every: 3h").replace("teams: {}", "teams: {a: {weight: 2}}")
    said, _ = terminal.type("policy", "apply", write(terminal, edited))
    assert said == (
        "teams.a: (not set) → {weight: 2.0}\n"
        "ageing.every: 6h → 3h\n"
        "version 2 of the policy is in force\n"
    )
    assert PostgresPolicies(engine).current().ageing_seconds == 3 * 3600

    told, _ = terminal.type("policy", "history", "-o", "csv")
    assert [line.split(",")[0] for line in told.splitlines()] == ["version", "2", "1"]
    assert "ageing.every: 6h → 3h" in told
    earlier, _ = terminal.type("policy", "show", "--version", "1", "-o", "json")
    assert json.loads(earlier)["document"]["ageing"]["every"] == "6h"
    _, complaint = terminal.type("policy", "show", "--version", "9", code=4)
    assert "there is no version 9" in complaint


def test_every_fault_of_a_file_is_told_with_its_line_and_nothing_is_changed(
    terminal: Terminal, engine: Engine
) -> None:
    faulty = (
        "clases: {normal: 20}\n"
        "default_class: norml\n"
        "rules:\n"
        "  - {user: ann, priority: urgnt}\n"
        "access:\n"
        "  urgent: {roles: [operater]}\n"
        "teams:\n"
        "  vision: {quota: {gpus: many}}\n"
        "ageing: {every: 1h, every: 2h}\n"
    )
    _, complaint = terminal.type("policy", "apply", write(terminal, faulty), code=2)
    assert complaint.startswith("error: nothing was applied; 6 faults:\n")
    for told in (
        "line 1: clases: unknown key\n    → did you mean classes?",
        "line 2: default_class: is no class (it is norml)\n    → did you mean normal?",
        "line 4: rules[0].priority: is no class (it is urgnt)\n    → did you mean urgent?",
        "line 6: access.urgent.roles: is no role (it is operater)\n    → did you mean operator?",
        "line 8: teams.vision.quota.gpus: must be a whole number",
        "line 9: ageing.every: stands on line 9 already",
    ):
        assert told in complaint
    assert PostgresPolicies(engine).versions(limit=1) == []


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "\n \n"])
def test_what_is_no_policy_changes_nothing(terminal: Terminal, engine: Engine, text: str) -> None:
    PostgresPolicies(engine).apply({"ageing": {"at_most": 10}}, actor="bob", seen=0)
    _, complaint = terminal.type("policy", "apply", write(terminal, text), code=2)
    assert complaint.startswith("error: nothing was applied; 1 fault:\n")
    terminal.type("policy", "apply", "nowhere.yaml", code=2)
    assert PostgresPolicies(engine).current().ageing_limit == 10


def test_a_change_of_a_version_that_is_not_the_newest_changes_nothing(
    terminal: Terminal, engine: Engine
) -> None:
    write(terminal, "ageing: {every: 1h}\n")
    terminal.type("policy", "apply", "policy.yaml")
    mine, _ = terminal.type("policy", "show")
    PostgresPolicies(engine).apply({}, actor="bob", seen=1)

    edited = mine.replace("1h", "2h")
    _, complaint = terminal.type("policy", "apply", write(terminal, edited), code=2)
    assert "the policy is at version 2 by bob, and yours was made from version 1" in complaint
    assert "→ see what is in force: sentinels policy show" in complaint
    assert PostgresPolicies(engine).current() == Policy()


def test_of_changes_made_at_once_from_one_version_exactly_one_comes_in(
    client: Client, engine: Engine
) -> None:
    def change(number: int) -> int:
        body = {"document": {"ageing": {"at_most": number}}, "version": 0}
        return client.ask("PUT", "/v1/policy", json.dumps(body).encode()).status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(change, range(8)))
    assert statuses == [200] + [409] * 7
    assert len(PostgresPolicies(engine).versions(limit=9)) == 1


def test_an_apply_may_be_repeated(client: Client, engine: Engine) -> None:
    body = json.dumps({"document": {"ageing": {"at_most": 10}}, "version": 0}).encode()
    first, again = (client.ask("PUT", "/v1/policy", body).json for _ in range(2))
    assert (first["version"], first["changes"]) == (1, ["ageing.at_most: 30 → 10"])
    assert (again["version"], again["changes"]) == (1, [])
    audit = client.get("/v1/audit").json["audit"]
    assert [(deed["act"], deed["subject"]) for deed in audit] == [("policy.apply", "version 1")]


@pytest.mark.parametrize(
    "body", [{}, [], {"document": {}, "more": 1}, {"document": {}, "version": "1"}, 7]
)
def test_another_body_is_refused(client: Client, engine: Engine, body: object) -> None:
    assert client.ask("PUT", "/v1/policy", json.dumps(body).encode()).status == 400
    assert PostgresPolicies(engine).versions(limit=1) == []


@pytest.mark.parametrize("document", [{"x": 1}, [], "text", {"classes": {}}])
def test_the_server_takes_no_faulty_policy(
    client: Client, engine: Engine, document: object
) -> None:
    body = json.dumps({"document": document}).encode()
    answer = client.ask("PUT", "/v1/policy", body)
    assert answer.status == 422
    assert answer.json["type"] == "/problems/invalid-policy"
    assert PostgresPolicies(engine).versions(limit=1) == []


@pytest.mark.parametrize("role", [Role.MEMBER, Role.LEAD])
def test_the_policy_is_for_operators(desk: Desk, engine: Engine, role: Role) -> None:
    with front(desk, role) as client:
        body = json.dumps({"document": {}}).encode()
        answers = [
            client.get("/v1/policy"),
            client.get("/v1/policy/versions"),
            client.ask("PUT", "/v1/policy", body),
        ]
    assert [answer.status for answer in answers] == [403, 403, 403]
    assert "only an operator may see to the policy" in answers[0].json["detail"]
    assert PostgresPolicies(engine).versions(limit=1) == []


def test_a_policy_that_is_read_is_the_one_that_was_applied(client: Client, engine: Engine) -> None:
    document = {"teams": {"default": {"quota": {"cpu": 3}}}, "classes": {"b": 2, "a": 1}}
    body = json.dumps({"document": document}).encode()
    assert client.ask("PUT", "/v1/policy", body).status == 200
    shown = client.get("/v1/policy").json["document"]
    assert json.dumps(shown) == json.dumps(document)
    assert PostgresPolicies(engine).current() == read_policy(document)


@pytest.fixture
def crowded(desk: Desk) -> list[int]:
    """One node, a job that has it for an hour, and one of each team that wait for it."""
    desk.cluster.nodes = [Node("box", Resources(4000, 8 * GIB))]
    running = desk.job(resources=WHOLE, time_limit="1h")
    run(desk, running)
    eve = person(desk, "eve", "speech")
    mine = desk.job(resources=WHOLE, time_limit="30m")
    hers = as_caller(desk, eve).job(resources=WHOLE, time_limit="20m", priority="high")
    return [running, mine, hers]


def test_a_dry_run_shows_what_would_change_and_for_whom_and_changes_nothing(
    terminal: Terminal, engine: Engine, crowded: list[int]
) -> None:
    _, mine, hers = crowded
    write(
        terminal,
        "classes: {normal: 20, mid: 30, top: 50}\n"
        "teams:\n"
        "  default: {quota: {cpu: 2}}\n"
        "  speech: {weight: 4}\n",
    )
    said, _ = terminal.type("policy", "apply", "policy.yaml", "--dry-run")
    told = said.splitlines()
    assert "classes.top: (not set) → 50" in told
    assert "teams.default: (not set) → {quota: {cpu: 2}}" in told
    assert (
        "team default holds 4 CPUs and may hold 2: it gets nothing more until it holds less" in told
    )
    assert f"job {mine}: can never start, more than team default may hold: 2 CPUs" in told
    assert f"job {hers}: class high is called mid then" in told
    place = told.index("1 waiting job would move:")
    assert told[place + 1].split() == ["JOB", "OWNER", "TEAM", "PLACE", "STARTS", "ABOUT"]
    assert told[place + 2].split()[:6] == [str(mine), "ann", "default", "2", "→", "?"]
    assert PostgresPolicies(engine).versions(limit=1) == []


def test_a_dry_run_of_what_is_in_force_moves_nobody(terminal: Terminal, crowded: list[int]) -> None:
    said, _ = terminal.type("policy", "apply", write(terminal, "{}\n"), "--dry-run")
    assert said == "no waiting job would move, as far as can be foreseen\n"


def test_a_dry_run_shows_how_places_change(client: Client, crowded: list[int], desk: Desk) -> None:
    _, mine, hers = crowded
    desk.change(
        "UPDATE queue SET enqueued_at = now() - interval '200m' WHERE job_id = :id", id=mine
    )
    body = json.dumps({"document": {"ageing": {"every": "30m", "at_most": 60}}}).encode()
    answer = client.ask("PUT", "/v1/policy?dry_run=true", body).json
    moves = answer["effects"]["moves"]
    assert [(each["job"], each["place_before"], each["place_after"]) for each in moves] == [
        (hers, 1, 2),
        (mine, 2, 1),
    ]
    assert answer["effects"]["troubles"] == []
    assert answer["version"] == 0


def test_a_dry_run_of_an_overtaken_version_says_so(client: Client, engine: Engine) -> None:
    PostgresPolicies(engine).apply({}, actor="bob", seen=0)
    body = json.dumps({"document": {"ageing": {"every": "30m"}}, "version": 0}).encode()
    assert client.ask("PUT", "/v1/policy?dry_run=true", body).status == 409
