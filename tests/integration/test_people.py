"""Tokens, users and the audit, over HTTP and as commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sentinels.core.rights import Role
from sentinels.db.people import caller_of, ensure_user
from tests.conftest import TOKEN
from tests.support.desk import Desk
from tests.support.front import Client, LoggedCluster, make_door, serving
from tests.support.people import promote
from tests.support.scripted import node


@pytest.fixture
def client(desk: Desk) -> Iterator[Client]:
    desk.cluster = cluster = LoggedCluster(nodes=(node(4, "box"),))
    with serving(make_door(desk, cluster, None)) as port:
        yield Client(port, TOKEN)


@pytest.fixture
def operator(client: Client, database_url: str) -> Client:
    ensure_user(database_url, team="ops", user="opal", token="opal", role=Role.OPERATOR)
    return Client(client.port, "opal")


@dataclass(frozen=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


def typist(client: Client, folder: Path) -> Callable[..., Said]:
    """Types commands with the client's token."""
    place = {
        "SENTINELS_URL": f"http://127.0.0.1:{client.port}",
        "SENTINELS_TOKEN": client.token or "",
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "COLUMNS": "200",
    }
    script = "from sentinels.cli.main import run; run()"

    def typed(*words: str) -> Said:
        command = [sys.executable, "-c", script, *words]
        done = subprocess.run(
            command, env=place, capture_output=True, text=True, timeout=60, check=False
        )
        assert "Traceback" not in done.stderr
        return Said(done.returncode, done.stdout, done.stderr)

    return typed


def deeds(client: Client, **query: object) -> list[tuple[str, str, str]]:
    found = client.get("/v1/audit", **query).json["audit"]
    return [(deed["actor"], deed["act"], deed["subject"]) for deed in found]


def test_a_token_is_told_once_kept_as_a_digest_and_opens_what_its_user_may(
    client: Client, desk: Desk
) -> None:
    made = client.post("/v1/tokens", {"name": "laptop", "expires": "2h"}).json
    assert Client(client.port, made["token"]).get("/v1/jobs").status == 200
    assert made["token"] not in str(client.get("/v1/tokens").json)
    [kept] = desk.ask("SELECT digest FROM tokens WHERE id = :id", id=made["id"])
    assert made["token"].encode() not in bytes(kept[0])  # type: ignore[call-overload]  # a digest
    [mine, first] = client.get("/v1/tokens").json["tokens"]
    assert (mine["id"], mine["name"], mine["user"]) == (made["id"], "laptop", "ann")
    assert mine["last_used_at"] is not None
    assert (first["name"], first["expires_at"]) == ("", None)


def test_a_token_ends_in_ninety_days_if_nothing_else_is_said(client: Client, desk: Desk) -> None:
    made = client.post("/v1/tokens", {}).json
    days = desk.ask(
        "SELECT extract(day FROM expires_at - created_at) FROM tokens WHERE id = :id", id=made["id"]
    )
    assert days == [(90,)]
    assert client.post("/v1/tokens", {"expires": "never"}).json["expires_at"] is None


def test_a_revoked_token_opens_nothing_any_more_nor_do_its_users_sessions(
    client: Client, desk: Desk
) -> None:
    made = client.post("/v1/tokens", {"name": "lost"}).json
    code = client.post("/v1/sessions").json["path"]
    entered = client.ask("GET", code).headers["Set-Cookie"].partition(";")[0]
    assert client.ask("GET", "/jobs", None, {"Cookie": entered}).status == 200
    for _ in range(2):
        ended = client.post(f"/v1/tokens/{made['id']}/revoke")
        assert (ended.status, ended.json["revoked_at"] is None) == (200, False)
    assert Client(client.port, made["token"]).get("/v1/jobs").status == 401
    assert client.ask("GET", "/jobs", None, {"Cookie": entered}).status == 303
    assert client.get("/v1/jobs").status == 200, "another token of theirs is still good"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"expires": "soon"}, "is no length of time, such as 90s, 30m, 1h30m or 2d, or never"),
        ({"expires": "9999d"}, "over ten years"),
        ({"expires": "0s"}, "expires"),
        ({"expires": ["1d"]}, "expires"),
        ({"name": "a\nb"}, "name: must be 1 to 200 characters"),
        ({"name": ""}, "name: must be"),
        ({"name": 5}, "name: must be"),
        ({"name": "x" * 65536}, "name: must be"),
        ({"nmae": "x"}, "some of: name, expires, user"),
        ([], "must be an object"),
    ],
)
def test_a_token_that_cannot_be_is_refused_and_nothing_made(
    client: Client, body: object, said: str
) -> None:
    answer = client.post("/v1/tokens", body)
    assert (answer.status, said in answer.json["detail"]) == (400, True), answer.json["detail"]
    assert len(client.get("/v1/tokens").json["tokens"]) == 1


def test_only_an_operator_makes_lists_and_revokes_tokens_of_others(
    client: Client, operator: Client, desk: Desk
) -> None:
    assert client.post("/v1/tokens", {"user": "opal"}).status == 403
    made = operator.post("/v1/tokens", {"user": "ann", "name": "spare"})
    assert (made.status, made.json["user"]) == (201, "ann")
    assert caller_of(desk.engine, made.json["token"]) == desk.caller
    assert operator.post("/v1/tokens", {"user": "nobody"}).status == 404
    assert {token["user"] for token in operator.get("/v1/tokens").json["tokens"]} == {"ann", "opal"}
    assert {t["user"] for t in operator.get("/v1/tokens", user="ann").json["tokens"]} == {"ann"}
    assert client.get("/v1/tokens", user="opal").json["tokens"] == []
    assert operator.post(f"/v1/tokens/{made.json['id']}/revoke").status == 200
    assert client.post("/v1/tokens/99/revoke").status == 404
    assert client.post("/v1/tokens/x/revoke").status == 404


def test_an_operator_makes_people_and_changes_what_they_are(
    client: Client, operator: Client
) -> None:
    made = operator.post("/v1/users", {"name": "zoe", "team": "default", "role": "lead"})
    assert (made.json["team"], made.json["role"], made.json["last_seen_at"]) == (
        *("default", "lead"),
        None,
    )
    again = operator.post("/v1/users", {"name": "zoe", "team": "ops"}).json
    assert (again["team"], again["role"]) == ("ops", "lead")
    assert [user["name"] for user in client.get("/v1/users").json["users"]] == ["ann"]
    assert [u["name"] for u in operator.get("/v1/users").json["users"]] == ["ann", "opal", "zoe"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"name": "zoe"}, 400, "zoe is new, so needs a team"),
        ({"name": "zoe", "role": "lead"}, 400, "zoe is new, so needs a team"),
        ({"name": "zoe", "team": "vsion"}, 404, "there is no team 'vsion'"),
        ({"name": "ann", "role": "king"}, 400, "'king' is none of member, lead, operator"),
        ({"name": "ann", "role": ["lead"]}, 400, "is none of"),
        ({"team": "ops"}, 400, "name: whose?"),
        ({"name": "a\u202eb", "team": "ops"}, 400, "without control characters"),
        ({"name": "'; DROP TABLE users", "team": "ops"}, 200, ""),
    ],
)
def test_a_user_that_cannot_be_is_refused(
    operator: Client, body: object, status: int, said: str
) -> None:
    answer = operator.post("/v1/users", body)
    assert answer.status == status
    assert said in answer.json.get("detail", "")


def test_every_change_is_in_the_audit_with_who_made_it(
    client: Client, operator: Client, desk: Desk, database_url: str
) -> None:
    desk.tick()
    first = client.push(name="one").json["jobs"][0]["id"]
    swept = [job["id"] for job in client.push(name="many", sweep={"C": [1, 2, 3]}).json["jobs"]]
    client.push(key="k", name="once")
    client.push(key="k", name="once")
    client.post(f"/v1/jobs/{first}/cancel")
    client.post(f"/v1/jobs/{first}/rerun", {})
    client.post("/v1/preferences", {"user": {"on": ["failed"]}})
    client.post("/v1/preferences", {"user": {"on": ["failed"]}})
    operator.post("/v1/nodes/box/retire", {})
    operator.post("/v1/nodes/box/retire", {"undo": True})
    token = operator.post("/v1/tokens", {"user": "ann"}).json["id"]
    client.post(f"/v1/tokens/{token}/revoke")
    operator.post("/v1/users", {"name": "zoe", "team": "default"})
    operator.post("/v1/users", {"name": "zoe", "team": "default"})
    operator.post(f"/v1/jobs/{swept[1]}/cancel")
    assert deeds(operator)[::-1] == [
        ("ann", "push", "one"),
        ("ann", "push", "many"),
        ("ann", "push", "once"),
        ("ann", "cancel", "one"),
        ("ann", "rerun", "one"),
        ("ann", "notify.user", "ann"),
        ("opal", "node.close", "box"),
        ("opal", "node.open", "box"),
        ("opal", "token.create", "ann"),
        ("ann", "token.revoke", "ann"),
        ("opal", "user.set", "zoe"),
        ("opal", "cancel", "many"),
    ]
    assert deeds(operator, job=first)[::-1] == [("ann", "push", "one"), ("ann", "cancel", "one")]
    assert deeds(operator, job=swept[1])[::-1] == [
        ("ann", "push", "many"),
        ("opal", "cancel", "many"),
    ]
    assert deeds(operator, job=swept[2]) == [("ann", "push", "many")]
    assert {actor for actor, _, _ in deeds(operator, user="opal")} == {"opal"}
    assert deeds(operator, since="1h") == deeds(operator)
    assert deeds(operator, since="2999-01-01") == []
    promote(desk.engine, "ann", Role.LEAD)
    theirs = deeds(client)
    assert ("opal", "cancel", "many") in theirs, "whoever did it to the team's things"
    assert ("opal", "node.close", "box") not in theirs
    page = operator.get("/v1/audit", limit=5).json
    rest = operator.get("/v1/audit", cursor=page["next_cursor"]).json
    assert len(page["audit"]) + len(rest["audit"]) == 12


def test_what_was_not_changed_is_not_in_the_audit(client: Client, operator: Client) -> None:
    assert client.push(name="bad", resources={"cpu": "many"}).status == 422
    assert client.post("/v1/nodes/box/retire", {}).status == 403
    assert operator.post("/v1/nodes/elsewhere/retire", {}).status == 404
    assert operator.post("/v1/users", {"name": "zoe", "team": "none"}).status == 404
    assert deeds(operator) == []


def test_an_operator_sees_every_teams_queue_and_one_teams_where_they_say_which(
    client: Client, operator: Client
) -> None:
    client.push(name="anns")
    operator.push(name="opals")
    assert {job["name"] for job in operator.get("/v1/queue").json["waiting"]} == {"anns", "opals"}
    assert [j["name"] for j in operator.get("/v1/queue", team="default").json["waiting"]] == [
        "anns"
    ]
    assert [j["name"] for j in operator.get("/v1/jobs", team="ops").json["jobs"]] == ["opals"]
    assert operator.get("/v1/jobs", team="nowhere").json["jobs"] == []
    assert client.get("/v1/jobs", team="ops").json["jobs"] == []
    assert client.get("/v1/queue", team="ops").json["waiting"] == []


def test_the_commands_say_it_in_words(client: Client, tmp_path: Path) -> None:
    typed = typist(client, tmp_path)
    made = typed("token", "create", "--name", "laptop")
    token, about, _ = made.out.splitlines()
    assert Client(client.port, token).get("/v1/jobs").status == 200
    assert "of ann, good until " in about
    listed = typed("token", "list").out
    assert "laptop" in listed
    assert token not in listed
    token_id = client.get("/v1/tokens").json["tokens"][0]["id"]
    assert typed("token", "revoke", str(token_id)).out == f"token {token_id} of ann is revoked\n"
    refused = typed("user", "set", "zoe", "--team", "default")
    assert refused.code == 5
    assert "only an operator may change people; you are a member of team default" in refused.err
    assert typed("audit").code == 5
    assert "ann" in typed("user", "list").out


def test_an_operators_commands(operator: Client, tmp_path: Path) -> None:
    typed = typist(operator, tmp_path)
    set_ = typed("user", "set", "zoe", "--team", "default", "--role", "lead").out
    assert set_ == (
        "zoe is lead in team default\n  they need a token: sentinels token create --user zoe\n"
    )
    assert "zoe" in typed("user", "list").out
    shown = typed("audit").out
    assert "user.set" in shown
    assert "role=lead team=default" in shown
