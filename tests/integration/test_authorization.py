"""Every route and page × every caller × whose the thing is: who gets what, from one table.

A route without a row fails, so does a row without a route. A row says, for a member, a lead and an
operator, what becomes of what is their own, their team's and another team's: ``+`` they are let in,
``x`` it is not allowed, ``-`` there is no such thing. Nobody and an expired token get in nowhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sentinels.core.errors import NotFound
from sentinels.core.job import JobId
from sentinels.core.queueing import Caller
from sentinels.core.reading import JobFilter
from sentinels.core.rights import Role
from sentinels.db.intake import PostgresIntake
from sentinels.db.people import PostgresPeople, caller_of, ensure_user
from sentinels.db.reading import PostgresReading
from sentinels.db.sessions import PostgresSessions
from sentinels.functions.submit.handler import EVERY
from sentinels.functions.submit.pages.routes import Entrance, Page
from sentinels.functions.submit.routes import OpenRoute
from sentinels.settings import Settings
from tests.support.desk import Desk, nothing
from tests.support.front import Answer, Client, FileTracker, LoggedCluster, make_door, serving
from tests.support.people import promote
from tests.support.reporters import reporting
from tests.support.scripted import node

OF_OTHERS = ("hidden-7f3a", "eve", "far-off")
"""What no member or lead of another team may read anywhere: a job's name, its owner, their team."""


@dataclass(frozen=True)
class Rights:
    """What becomes of a member's, a lead's and an operator's request, for each of the things."""

    member: str
    lead: str
    operator: str

    def of(self, role: Role) -> list[str]:
        return getattr(self, role.value).split()


THE_JOB = "the job"
"""Stands for its id in a body."""
SEE = Rights("+ + -", "+ + -", "+ + +")
CHANGE = Rights("+ x -", "+ + -", "+ + +")
TOKENS = Rights("+ - -", "+ - -", "+ + +")
ALL = Rights("+", "+", "+")
LEADS = Rights("x", "+", "+")
OPERATORS = Rights("x", "x", "+")
OPEN = Rights("o", "o", "o")
"""Open to whoever comes."""


@dataclass(frozen=True)
class Row:
    """A route's rights; ``path`` where it needs a query, ``body`` what is posted."""

    rights: Rights
    body: object = None
    path: str = ""
    missing: str = ""
    """Where a let-in answer may be 404 or 503 for want of something else: what it says then."""
    costs: bool = False
    """Whether everybody may see at whose cost: who waits longer, of which team, and no more."""


CONFIG = {"command": ["python", "main.py"], "name": "pushed"}
ROWS: Mapping[tuple[str, str], Row] = {
    ("POST", "/v1/jobs"): Row(ALL, {"image": "/code/digits", "config": CONFIG}),
    ("GET", "/v1/jobs"): Row(ALL),
    ("GET", "/v1/jobs/{ref}"): Row(SEE),
    ("GET", "/v1/jobs/{ref}/events"): Row(SEE),
    ("GET", "/v1/jobs/{ref}/logs"): Row(SEE),
    ("GET", "/v1/jobs/{ref}/dossier"): Row(SEE),
    ("GET", "/v1/jobs/{ref}/usage"): Row(SEE),
    ("GET", "/v1/jobs/{ref}/why"): Row(SEE),
    ("POST", "/v1/jobs/{ref}/cancel"): Row(CHANGE, {}),
    ("POST", "/v1/jobs/{ref}/bump"): Row(CHANGE, {"priority": "high"}, costs=True),
    ("POST", "/v1/bump"): Row(CHANGE, {"priority": "high", "jobs": [THE_JOB]}, costs=True),
    ("GET", "/v1/sweeps/{ref}"): Row(SEE, missing="is of no sweep"),
    ("POST", "/v1/sweeps/{ref}/cancel"): Row(CHANGE, {}, missing="is of no sweep"),
    ("POST", "/v1/jobs/{ref}/rerun"): Row(SEE, {}),
    ("GET", "/v1/jobs/{ref}/artifacts"): Row(SEE),
    ("GET", "/v1/jobs/{ref}/artifacts/{path}"): Row(SEE, missing="has no MLflow run"),
    ("GET", "/v1/queue"): Row(ALL),
    ("GET", "/v1/nodes"): Row(ALL),
    ("GET", "/v1/nodes/{name}"): Row(OPERATORS),
    ("POST", "/v1/nodes/{name}/retire"): Row(OPERATORS, {}),
    ("GET", "/v1/notices"): Row(ALL),
    ("POST", "/v1/sessions"): Row(ALL),
    ("GET", "/v1/metrics"): Row(Rights("+ + +", "+ + +", "+ + +"), path="/v1/metrics?job={ref}"),
    ("GET", "/v1/sql"): Row(ALL),
    ("POST", "/v1/sql"): Row(OPERATORS, {"query": "SELECT job, name FROM v_jobs"}),
    ("GET", "/v1/reports/{name}"): Row(ALL, path="/v1/reports/usage?by=user&since=1d"),
    ("GET", "/v1/preferences"): Row(ALL),
    ("POST", "/v1/preferences"): Row(LEADS, {"team": {"to": ["#vision"]}}),
    ("POST", "/v1/preferences/test"): Row(ALL, {}),
    ("GET", "/v1/tokens"): Row(ALL),
    ("POST", "/v1/tokens"): Row(ALL, {"name": "laptop"}),
    ("POST", "/v1/tokens/{id}/revoke"): Row(TOKENS, {}),
    ("GET", "/v1/users"): Row(ALL),
    ("POST", "/v1/users"): Row(OPERATORS, {"name": "new", "team": "default"}),
    ("GET", "/v1/audit"): Row(LEADS),
    ("GET", "/v1/policy"): Row(OPERATORS),
    ("PUT", "/v1/policy"): Row(OPERATORS, {"document": {}}),
    ("GET", "/v1/policy/versions"): Row(OPERATORS),
    ("GET", "/v1/health"): Row(ALL),
    ("GET", "/v1/openapi.json"): Row(OPEN),
    ("GET", "/healthz"): Row(OPEN),
    ("GET", "/readyz"): Row(OPEN),
    ("GET", "/metrics"): Row(OPEN),
    ("GET", "/"): Row(ALL),
    ("GET", "/jobs"): Row(ALL),
    ("GET", "/jobs/{ref}"): Row(SEE),
    ("GET", "/jobs/{ref}/log"): Row(SEE),
    ("GET", "/jobs/{ref}/artifacts/{path}"): Row(SEE, missing="has no MLflow run"),
    ("GET", "/nodes"): Row(ALL),
    ("GET", "/login"): Row(OPEN),
    ("POST", "/login"): Row(OPEN, {}),
    ("GET", "/enter"): Row(OPEN),
    ("POST", "/logout"): Row(OPEN, {}),
    ("GET", "/style.css"): Row(OPEN),
}


@dataclass(frozen=True)
class Known:
    """A caller, and somebody of the same team."""

    caller: Caller
    mate: Caller


@dataclass
class World:
    """Three teams, their people and a server."""

    desk: Desk
    port: int
    database_url: str
    known: Mapping[Role, Known]
    stranger: Caller

    def asked(self, method: str, template: str, who: Caller | None, **names: object) -> Answer:
        """What the caller, known by a token or by a session as the route wants it, is answered."""
        row = ROWS[method, template]
        path = (row.path or template).format(**names)
        token = f"token-{who.user}" if who else None
        headers = {"Content-Type": "application/json"}
        if any(isinstance(route, Page) and route.template == template for route in EVERY):
            session = PostgresSessions(self.desk.engine).begin(who) if who else ""
            headers["Cookie"] = f"sentinels_session={session}"
            token = None
        client = Client(self.port, token)
        if row.body is None:
            return client.ask(method, path, None, headers)
        body = json.dumps(row.body).replace(json.dumps(THE_JOB), f'"{names.get("ref")}"')
        return client.ask(method, path, body.encode(), headers)

    def job(self, of: Caller) -> JobId:
        name = OF_OTHERS[0] if of == self.stranger else "digits"
        return replace(self.desk, caller=of).job(name=name)

    def token(self, of: Caller) -> int:
        made, _ = PostgresPeople(self.desk.engine).make_token(of, user=of.user, name="", seconds=60)
        return made.id


@pytest.fixture
def world(desk: Desk, database_url: str) -> Iterator[World]:
    def user(name: str, team: str, role: Role = Role.MEMBER) -> Caller:
        ensure_user(database_url, team=team, user=name, token=f"token-{name}", role=role)
        found = caller_of(desk.engine, f"token-{name}")
        assert found is not None
        return found

    bob = user("bob", "default")
    known = {
        Role.MEMBER: Known(user("ann", "default"), bob),
        Role.LEAD: Known(user("lea", "default", Role.LEAD), bob),
        Role.OPERATOR: Known(user("opal", "ops", Role.OPERATOR), user("oscar", "ops")),
    }
    desk.cluster = cluster = LoggedCluster(nodes=(node(4, "box"),))
    with reporting(database_url) as asked:
        settings = Settings(report_database_url=asked.url)
        door = make_door(desk, cluster, FileTracker(), settings=settings)
        with serving(door) as port:
            desk.tick()
            yield World(desk, port, database_url, known, user("eve", "far-off"))


def what_became(answer: Answer, row: Row) -> str:
    """One letter of the table."""
    text = answer.body.decode(errors="replace")
    if answer.status == 401 or "/login" in answer.headers.get("Location", ""):
        return "?"
    if answer.status == 403:
        return "x"
    if row.missing and row.missing in text:
        return "+"
    if answer.status == 404 and ("there is no job" in text or "there is no token" in text):
        return "-"
    return "+" if answer.status < 400 else f"{answer.status} {text[:200]}"


Made = Callable[[Caller], dict[str, object]]


def maker(world: World, template: str) -> Made:
    """How a thing of somebody's is made for a route; each request has a fresh one."""
    if "{id}" in template:
        return lambda of: {"id": world.token(of)}
    if "{ref}" in template or template in ("/v1/metrics", "/v1/bump"):
        return lambda of: {"ref": world.job(of), "path": "x.txt"}
    return lambda _: {"name": "box"}


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert {(route.method, route.template) for route in EVERY} == set(ROWS)
    free = {(r.method, r.template) for r in EVERY if isinstance(r, OpenRoute | Entrance)}
    assert free == {key for key, row in ROWS.items() if row.rights is OPEN}


def test_everybody_gets_what_their_role_allows_of_whose_it_is_and_nothing_else(
    world: World,
) -> None:
    wrong: list[str] = []
    world.job(world.stranger)
    for (method, template), row in ROWS.items():
        if row.rights is OPEN:
            continue
        make = maker(world, template)
        for role, known in world.known.items():
            holders = (known.caller, known.mate, world.stranger)
            for expected, holder in zip(row.rights.of(role), holders, strict=False):
                answer = world.asked(method, template, known.caller, **make(holder))
                got = what_became(answer, row)
                case = f"{method} {template}: a {role} of {holder.user}'s"
                if got != expected:
                    wrong.append(f"{case}: {got}, not {expected}")
                told = answer.body.decode(errors="replace")
                hidden = OF_OTHERS[:1] if row.costs else OF_OTHERS
                leaks = [word for word in hidden if re.search(rf"\b{word}\b", told)]
                if leaks and role is not Role.OPERATOR:
                    wrong.append(f"{case}: it tells of {leaks}")
    assert not wrong, "\n".join(wrong)


def test_nobody_and_who_has_an_expired_or_revoked_token_gets_in_nowhere(world: World) -> None:
    ann = world.known[Role.MEMBER].caller
    people = PostgresPeople(world.desk.engine)
    over, secret = people.make_token(ann, user="ann", name="old", seconds=60)
    gone, revoked = people.make_token(ann, user="ann", name="lost", seconds=None)
    world.desk.change("UPDATE tokens SET expires_at = now() WHERE id = :id", id=over.id)
    people.revoke(ann, gone.id)
    wrong = []
    for (method, template), row in ROWS.items():
        if row.rights is OPEN:
            continue
        names = maker(world, template)(ann)
        if what_became(world.asked(method, template, None, **names), row) != "?":
            wrong.append(f"{method} {template}: nobody")
        path = (row.path or template).format(**names)
        for token in (secret, revoked):
            client = Client(world.port, token)
            got = client.ask(method, path, b"{}" if method == "POST" else None)
            if what_became(got, row) != "?":
                wrong.append(f"{method} {template}: {got.status}")
    assert not wrong, "\n".join(wrong)
    told = Client(world.port, secret).get("/v1/jobs").json
    assert re.match(rf"token {over.id} \(old\) expired at \d{{4}}-", told["detail"])
    assert "sentinels token create" in told["remedy"]
    told = Client(world.port, revoked).get("/v1/jobs").json
    assert re.match(rf"token {gone.id} \(lost\) was revoked at ", told["detail"])


def test_another_teams_job_is_answered_like_one_that_is_not_there(world: World) -> None:
    job = world.job(world.stranger)
    client = Client(world.port, "token-lea")
    for ref in (str(job), OF_OTHERS[0], OF_OTHERS[0][:4]):
        there, nowhere = client.get(f"/v1/jobs/{ref}"), client.get("/v1/jobs/987654")
        assert (there.status, there.json) == (
            404,
            {**nowhere.json, "detail": nowhere.json["detail"].replace("987654", ref)},
        )


def test_sql_is_the_second_lock_behind_the_handlers_check(world: World) -> None:
    """What the handlers let through by mistake, the statements would not find."""
    desk, stranger = world.desk, world.stranger
    member, lead = world.known[Role.MEMBER], world.known[Role.LEAD]
    reading, intake = PostgresReading(desk.engine), PostgresIntake(desk.engine, nothing)
    hidden, mates = world.job(stranger), world.job(member.mate)
    desk.tick()
    assert {desk.state(hidden), desk.state(mates)} == {"dispatched"}
    waiting = world.job(member.mate)
    for caller, job in (
        (member.caller, hidden),
        (member.caller, mates),
        (member.caller, waiting),
        (lead.caller, hidden),
    ):
        with pytest.raises(NotFound):
            intake.cancel(caller, job)
    assert intake.cancel(lead.caller, waiting) == "cancelled"
    for caller in (member.caller, lead.caller):
        assert reading.jobs(caller, [hidden]) == []
        assert hidden not in reading.list_ids(caller, JobFilter(), before=None, limit=99)
        assert hidden not in reading.list_ids(
            caller, JobFilter(team="far-off"), before=None, limit=9
        )
        assert hidden not in [
            *reading.live_ids(caller, limit=9),
            *reading.next_ids(caller, limit=9),
        ]
        assert intake.job_states(caller, [hidden]) == {}
    operator = world.known[Role.OPERATOR].caller
    assert reading.list_ids(operator, JobFilter(team="far-off"), before=None, limit=9) == [hidden]
    assert hidden in reading.live_ids(operator, limit=9)
    assert reading.live_ids(operator, limit=9, team="ops") == []


def test_a_page_names_another_teams_job_as_such(world: World) -> None:
    world.job(world.stranger)
    opal = world.known[Role.OPERATOR].caller
    told = world.asked("GET", "/jobs", opal).body.decode()
    assert "eve · far-off" in told
    assert 'name="team"' in told
    assert 'name="team"' not in world.asked("GET", "/jobs", world.stranger).body.decode()


def test_what_becomes_of_a_user_holds_from_their_next_request_on(world: World) -> None:
    ann = Client(world.port, "token-ann")
    job = world.job(world.stranger)
    assert ann.get(f"/v1/jobs/{job}").status == 404
    opal = Client(world.port, "token-opal")
    assert opal.post("/v1/users", {"name": "ann", "role": "operator"}).status == 200
    assert ann.get(f"/v1/jobs/{job}").status == 200
    promote(world.desk.engine, "ann", Role.MEMBER)
    assert ann.get(f"/v1/jobs/{job}").status == 404


SQL = Path(__file__).parents[2] / "src" / "sentinels" / "db"
ANSWERS_CALLERS = ("reading.py", "intake.py", "people.py")
OF_ONE_JOB = "of a job that was found for the caller by a statement that filters"
OF_NO_JOB = "tells nothing of anybody's job"
UNFILTERED: Mapping[str, str] = {
    "read_attempts": OF_ONE_JOB,
    "read_image_seen": OF_ONE_JOB,
    "read_dossier": OF_ONE_JOB,
    "read_events": OF_ONE_JOB,
    "read_late": OF_ONE_JOB,
    "read_answers": OF_ONE_JOB,
    "tally_sweeps": OF_ONE_JOB,
    "unended_push": "of the caller's own pushes, which were found by who they are",
    "read_deferred": OF_ONE_JOB,
    "leave_queue": OF_ONE_JOB,
    "leave_deferred": OF_ONE_JOB,
    "read_places": "the jobs' own places, and how many wait in all",
    "read_node_jobs": "for operators alone",
    "lane_heads": "for operators alone",
    "wish_node": "for operators alone",
    "read_pulse": OF_NO_JOB,
    "read_conditions": OF_NO_JOB,
    "list_nodes": OF_NO_JOB,
    "find_caller": OF_NO_JOB,
}


def test_every_statement_that_answers_callers_filters_by_whose_it_is_or_says_why_not() -> None:
    text = "".join((SQL / name).read_text("utf-8") for name in ANSWERS_CALLERS)
    used = set(re.findall(r'(?:statement|_rows)\(\s*"(\w+)"', text))
    filters = re.compile(r":(team_id|user_id)\b")
    free = {
        name
        for name in used
        if not filters.search((SQL / "sql" / f"{name}.sql").read_text("utf-8"))
    }
    assert free == set(UNFILTERED)
