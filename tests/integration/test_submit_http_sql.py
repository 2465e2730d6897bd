"""The front door asked in SQL: answers, reports, and what may be wrong with a question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sentinels.core.reporting import REPORTS
from sentinels.core.rights import Role
from sentinels.db.people import caller_of, ensure_user
from sentinels.settings import Settings
from tests.conftest import TOKEN
from tests.support.desk import Desk
from tests.support.front import Client, FileTracker, LoggedCluster, make_door, serving
from tests.support.people import promote
from tests.support.reporters import Asked, reporting


@pytest.fixture
def asked(database_url: str) -> Iterator[Asked]:
    with reporting(database_url) as asked:
        yield asked


def client_at(desk: Desk, **settings: str) -> Iterator[Client]:
    door = make_door(desk, LoggedCluster(), FileTracker(), settings=Settings(**settings))  # type: ignore[arg-type]
    with serving(door) as port:
        yield Client(port, TOKEN)


@pytest.fixture
def client(desk: Desk, asked: Asked) -> Iterator[Client]:
    promote(desk.engine, "ann", Role.OPERATOR)
    yield from client_at(desk, report_database_url=asked.url)


@pytest.fixture
def paying(desk: Desk, asked: Asked) -> Iterator[Client]:
    promote(desk.engine, "ann", Role.OPERATOR)
    yield from client_at(desk, report_database_url=asked.url, prices="cpu=2,gpu=1")


def test_an_answer_has_columns_with_types_and_rows_of_json(client: Client, desk: Desk) -> None:
    desk.job(params={"C": 0.1})
    query = (
        'SELECT job, "user", params, submitted_at, cpus, gpu_type, true AS yes, 1 AS job'
        " FROM v_jobs;"
    )
    answer = client.post("/v1/sql", {"query": query}).json
    assert [(each["name"], each["type"]) for each in answer["columns"]] == [
        ("job", "bigint"),
        ("user", "text"),
        ("params", "jsonb"),
        ("submitted_at", "timestamp with time zone"),
        ("cpus", "numeric"),
        ("gpu_type", "text"),
        ("yes", "boolean"),
        ("job_2", "integer"),
    ]
    [[job, user, params, pushed, cpus, kind, yes, again]] = answer["rows"]
    assert (job, user, params, cpus, kind, yes, again) == (1, "ann", {"C": 0.1}, 1.0, None, True, 1)
    assert pushed.endswith("+00:00")
    assert (answer["cut"], answer["notes"]) == (None, [])


def test_numbers_come_as_they_are_or_as_text_where_json_would_lose_them(client: Client) -> None:
    query = (
        "SELECT 0.10, 1e300::float8, 12345678901234567890, 0.1234567890123456789::numeric,"
        " 1234567890123456.5, 'NaN'::float8, '-Infinity'::float8, 1e60::numeric,"
        " 'infinity'::timestamptz"
    )
    [row] = client.post("/v1/sql", {"query": query}).json["rows"]
    assert row == [
        *(0.1, "1e+300", 12345678901234567890, 0.12345678901234568),
        *("1234567890123456.5", "NaN", "-Infinity", "1" + "0" * 60, "infinity"),
    ]


@pytest.mark.parametrize(
    ("query", "detail", "remedy", "position"),
    [
        ("SELECT jb FROM v_jobs", 'column "jb" does not exist', '"v_jobs.job"', 8),
        ("SELECT 1\nFROM v_jbos", 'relation "v_jbos" does not exist', "sql --views", 15),
        ("SELEC 1", 'syntax error at or near "SELEC"', None, 1),
        ("SELECT 'ä', fr", 'column "fr" does not exist', None, 13),
        ("SELECT 1/0", "division by zero", None, None),
        ("SELECT * FROM jobs", "permission denied for table jobs", "sql --views", None),
        ("SELECT", "this is no query", "SELECT job, state", None),
        ("", "this is no query", "SELECT job, state", None),
        ("SELECT 1; SELECT 2", "these are several statements", "one at a time", None),
    ],
)
def test_what_is_wrong_with_a_query_is_said_with_its_place(
    client: Client, query: str, detail: str, remedy: str | None, position: int | None
) -> None:
    answer = client.post("/v1/sql", {"query": query})
    told = answer.json
    assert (answer.status, told["type"]) == (400, "/problems/invalid-query")
    assert detail in told["detail"]
    assert told.get("position") == position
    assert (remedy or "") in (told["remedy"] or "")


@pytest.mark.parametrize("body", [{}, {"query": 1}, {"query": "SELECT 1", "limit": 2}, [], "x"])
def test_a_body_that_is_no_question_is_refused(client: Client, body: object) -> None:
    answer = client.post("/v1/sql", body)
    assert answer.status == 400
    assert answer.json["detail"] == 'the body must be {"query": "SELECT …"}'


def test_who_means_the_column_user_is_told_of_its_quotes(client: Client) -> None:
    answer = client.post("/v1/sql", {"query": "SELECT user FROM v_jobs"}).json
    assert answer["notes"] == [
        'user without quotes is PostgreSQL\'s word for a role; the column is "user", in quotes'
    ]


def test_only_somebody_with_a_token_may_ask(client: Client) -> None:
    nobody = Client(client.port)
    assert nobody.post("/v1/sql", {"query": "SELECT 1"}).status == 401
    assert nobody.get("/v1/sql").status == 401
    assert nobody.get("/v1/reports/usage").status == 401


def test_the_views_are_listed_with_every_columns_meaning(client: Client) -> None:
    views = {view["name"]: view for view in client.get("/v1/sql").json["views"]}
    assert {"v_jobs", "v_attempts", "v_queue", "v_events", "v_waits", "v_usage_daily"} <= set(views)
    for view in views.values():
        assert view["about"].endswith("Version 1.")
        assert all(column["about"] for column in view["columns"]), view["name"]


def test_where_no_role_is_set_up_it_is_said_what_an_administrator_does(desk: Desk) -> None:
    promote(desk.engine, "ann", Role.OPERATOR)
    for client in client_at(desk):
        for answer in (
            client.post("/v1/sql", {"query": "SELECT 1"}),
            client.get("/v1/sql"),
            client.get("/v1/reports/usage"),
        ):
            assert (answer.status, answer.json["type"]) == (503, "/problems/not-set-up")
            assert "SENTINELS_REPORT_DATABASE_URL is not set" in answer.json["detail"]
            assert "docs/sql.md" in answer.json["remedy"]


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("by", ["team", "user", "experiment"])
def test_every_report_answers_with_its_query(
    client: Client, desk: Desk, name: str, by: str
) -> None:
    desk.job()
    desk.tick()
    answer = client.get(f"/v1/reports/{name}", by=by, since="1h").json
    assert (answer["report"], answer["by"], answer["team"]) == (name, by, None)
    assert answer["columns"][0]["name"] == by
    assert "cost" not in [each["name"] for each in answer["columns"]]
    asked = client.post("/v1/sql", {"query": answer["sql"]}).json
    assert len(asked["rows"]) == len(answer["rows"])


def test_a_members_and_a_leads_report_is_of_their_team_and_an_operators_of_all(
    client: Client, desk: Desk, database_url: str
) -> None:
    ensure_user(database_url, team="vision", user="eve", token="eve")
    eve = caller_of(desk.engine, "eve")
    assert eve is not None
    desk.job()
    replace(desk, caller=eve).job()
    desk.tick()
    theirs, path = Client(client.port, "eve"), "/v1/reports/waits"
    for role in (Role.MEMBER, Role.LEAD):
        promote(desk.engine, "eve", role)
        assert [row[0] for row in theirs.get(path).json["rows"]] == ["vision"]
        assert theirs.get(path, team="vision").json["team"] == "vision"
        refused = theirs.get(path, team="default")
        assert (refused.status, refused.json["detail"]) == (
            403,
            "only an operator sees another team's numbers; yours is vision",
        )
        assert theirs.post("/v1/sql", {"query": "SELECT 1"}).status == 403
    assert {row[0] for row in client.get(path).json["rows"]} == {"default", "vision"}
    assert [row[0] for row in client.get(path, team="vision").json["rows"]] == ["vision"]


def test_prices_make_costs(paying: Client, desk: Desk) -> None:
    job_id = desk.job(resources={"cpu": 2})
    desk.tick()
    desk.change("UPDATE attempts SET launched_at = now() - interval '30 minutes'")
    answer = paying.get("/v1/reports/usage", by="user").json
    names = [each["name"] for each in answer["columns"]]
    [row] = [dict(zip(names, row, strict=True)) for row in answer["rows"]]
    assert row["cost"] == pytest.approx(2.0, abs=0.05), job_id
    assert '"cpu": 2.0' in answer["sql"]


def test_a_report_may_be_shown_without_being_asked(client: Client) -> None:
    answer = client.get("/v1/reports/waits", print="true", team="o'nlp").json
    assert (answer["columns"], answer["rows"]) == ([], [])
    assert "'o''nlp'" in answer["sql"]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"since": "soon"}, "since: 'soon' is no length of time, such as 30d or 12h, and no date"),
        ({"until": "2026-13-01"}, "until: '2026-13-01' is no length of time"),
        ({"since": "1h", "until": "2h"}, "since: is not before until"),
        ({"by": "node"}, "by: 'node' is none of team, user, experiment"),
    ],
)
def test_what_a_report_cannot_be_about_is_refused(
    client: Client, query: dict[str, str], detail: str
) -> None:
    answer = client.get("/v1/reports/usage", **query)
    assert answer.status == 400
    assert detail in answer.json["detail"]


def test_a_report_that_is_none_is_not_found(client: Client) -> None:
    answer = client.get("/v1/reports/jobs; DROP TABLE jobs")
    assert answer.status == 404
    assert answer.json["remedy"] == "there are: usage, waits, eta, failures, waste"


def test_a_database_that_is_behind_is_said_to_be(client: Client, desk: Desk) -> None:
    desk.change("DROP VIEW v_waits")
    answer = client.get("/v1/reports/waits")
    assert (answer.status, answer.json["type"]) == (503, "/problems/not-migrated")
    assert answer.json["remedy"] == "run: sentinels db upgrade"


def test_moments_of_reports_are_understood_as_dates_too(client: Client) -> None:
    answer = client.get("/v1/reports/usage", since="2026-01-01", until="2026-01-02T03:00:00+01:00")
    assert answer.json["since"] == "2026-01-01T00:00:00+00:00"
    assert answer.json["until"] == "2026-01-02T02:00:00+00:00"


def test_the_doctor_says_whether_sql_can_be_asked(client: Client, desk: Desk, asked: Asked) -> None:
    def told() -> dict[str, object]:
        checks = client.get("/v1/health").json["checks"]
        return next(check for check in checks if check["name"] == "sql")

    assert (told()["ok"], told()["detail"]) == (True, "can be asked")
    desk.change(f'GRANT SELECT ON tokens TO "{asked.role}"')
    found = told()
    assert (found["ok"], found["detail"]) == (
        False,
        f"SQL is not asked as {asked.role}: it may do more than read views: use tokens",
    )
    assert "docs/sql.md" in str(found["remedy"])
