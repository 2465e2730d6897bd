"""SQL and reports at the terminal: answers to read, errors with their place, raw numbers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

from sentinels.functions.submit.openapi import document
from sentinels.functions.submit.routes import ROUTES
from tests.integration.test_cli_canned import Canned, Json, Person, person_at, problem

Desk = tuple[Person, Canned]
QUERY = 'SELECT job, "user", submitted_at FROM v_jobs'


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with person_at(tmp_path) as found:
        yield found


def answer(columns: dict[str, str], *rows: list[object], **more: object) -> Json:
    """An answer with these columns and their types."""
    listed = [{"name": name, "type": kind} for name, kind in columns.items()]
    return {"columns": listed, "rows": list(rows), "cut": None, "notes": [], **more}


JOBS = answer(
    {
        "job": "bigint",
        "user": "text",
        "submitted_at": "timestamp with time zone",
        "params": "jsonb",
        "share": "double precision",
        "late": "boolean",
        "why": "text",
    },
    [12, "ann", "2026-11-20T14:00:00.5+00:00", {"C": 0.1}, 0.30000000000000004, True, None],
    [7, "日本", "infinity", None, 1234567.25, False, "two\nlines \x1b[31mred"],
)
VIEWS: Json = {
    "views": [
        {
            "name": "v_jobs",
            "about": "One row a job: who, what, how it stands. Version 1.",
            "columns": [
                {"name": "job", "type": "bigint", "about": "its id"},
                {"name": "team", "type": "text", "about": "its team"},
            ],
        },
        {"name": "v_waits", "about": "Waits. Version 2.", "columns": []},
    ]
}


def report(name: str, columns: dict[str, str], *rows: list[object], **more: object) -> Json:
    """A report's answer."""
    return answer(
        columns,
        *rows,
        report=name,
        by=next(iter(columns), "team"),
        since="2026-10-29T00:00:00+00:00",
        until="2026-11-20T00:00:00+00:00",
        team=None,
        sql="SELECT 1\n",
        **more,
    )


USAGE = report(
    "usage",
    {
        "user": "text", "jobs": "bigint", "attempts": "bigint", "cpu_hours": "numeric",
        "gib_hours": "numeric", "gpu_hours": "numeric", "gpu_hours_by_type": "jsonb",
        "cost": "numeric",
    },
    ["ann", 12, 14, 1234.567, 48.2, 12.5, {"a100": 12, "any": 0.5}, 41.2],
    ["bob", 1, 1, 0.004, 0.1, 0.0, {}, 0.0],
)  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "sample"),
    [("Answer", JOBS), ("Views", VIEWS), ("Report", USAGE)],
)
def test_the_canned_answers_are_such_as_the_api_promises(schema: str, sample: Json) -> None:
    whole = {**document(ROUTES), "$ref": f"#/components/schemas/{schema}"}
    jsonschema.Draft202012Validator(whole).validate(sample)


def test_an_answer_is_a_table_with_local_times_and_numbers_to_read(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/sql", JOBS)
    said = person.type("sql", QUERY)
    assert canned.asked[0].body == {"query": QUERY}
    assert said.out.splitlines() == [
        "JOB  USER  SUBMITTED_AT         PARAMS           SHARE  LATE   WHY",
        ' 12  ann   2026-11-20 14:00:00  {"C": 0.1}         0.3  true   -',
        "  7  日本  infinity             -           1234567.25  false  two lines red",
    ]
    assert (said.err, said.code) == ("", 0)


def test_programs_get_the_values_as_they_are(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/sql", JOBS)
    first = {
        "job": 12,
        "user": "ann",
        "submitted_at": "2026-11-20T14:00:00.5+00:00",
        "params": {"C": 0.1},
        "share": 0.30000000000000004,
        "late": True,
        "why": None,
    }
    assert json.loads(person.type("sql", QUERY, "-o", "json").out)[0] == first
    assert yaml.safe_load(person.type("sql", QUERY, "-o", "yaml").out)[0] == first
    rows = list(csv.DictReader(io.StringIO(person.type("sql", QUERY, "-o", "csv").out)))
    assert rows[0] == {
        **{name: str(value) for name, value in first.items()},
        **{"params": '{"C": 0.1}', "late": "true", "why": ""},
    }
    assert "\x1b" not in rows[1]["why"]


def test_names_of_columns_are_kept_for_programs(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/sql", answer({"Mean Wait": "numeric"}, [1.5]))
    assert person.type("sql", "x", "-o", "csv").out == "Mean Wait\n1.5\n"


def test_a_query_is_read_from_a_file_or_from_standard_input(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/sql", JOBS)
    (person.home / "q.sql").write_text("SELECT 1;\n-- ü\n")
    assert person.type("sql", "-f", "q.sql").code == 0
    assert person.type("sql", "-f", "-", stdin="SELECT 2").code == 0
    assert [each.body["query"] for each in canned.asked] == ["SELECT 1;\n-- ü\n", "SELECT 2"]
    both = person.type("sql", "SELECT 1", "-f", "q.sql")
    assert (both.code, both.err.splitlines()[0]) == (2, "error: there is a query and a file")
    gone = person.type("sql", "-f", "none.sql")
    assert (gone.code, gone.out) == (2, "")
    assert gone.err.startswith("error: none.sql cannot be read: No such file")


@pytest.mark.parametrize(
    ("query", "position", "lines"),
    [
        ("SELECT jb FROM v_jobs", 8, ["  SELECT jb FROM v_jobs", "         ^"]),
        ("SELECT 1\nFROM v_jbos", 15, ["  line 2: FROM v_jbos", "               ^"]),
        ("SELECT '日本', x", 14, ["  SELECT '日本', x", "                 ^"]),
        ("SELECT\t\x1b[31mx", 8, None),
    ],
)
def test_what_is_wrong_is_shown_with_its_place(
    desk: Desk, query: str, position: int, lines: list[str] | None
) -> None:
    person, canned = desk
    canned.on("POST /v1/sql", problem(400, "it is wrong", remedy="write it so", position=position))
    said = person.type("sql", query)
    assert (said.out, said.code) == ("", 2)
    told = said.err.splitlines()
    assert (told[0], told[-1]) == ("error: it is wrong", "  → write it so")
    assert lines is None or told[1:-1] == lines
    assert "\x1b" not in said.err


def test_of_a_long_line_the_part_around_the_place_is_shown(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/sql", problem(400, "it is wrong", position=502))
    query = "SELECT " + "a, " * 164 + "  wrong" + ", b" * 200
    line, mark = person.type("sql", query).err.splitlines()[1:3]
    assert len(line) <= 100
    assert line[mark.index("^") :].startswith("wrong")


def test_what_was_cut_off_and_what_was_meant_is_said_aside(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/sql", {**JOBS, "cut": "cut off after 2 rows", "notes": ["a hint"]})
    said = person.type("sql", "x", "-o", "csv")
    assert said.err == "a hint\ncut off after 2 rows\n"
    assert "cut" not in said.out


def test_an_answer_without_rows_says_so(desk: Desk) -> None:
    person, canned = desk
    canned.on("POST /v1/sql", answer({"job": "bigint"}))
    assert person.type("sql", "x").out == "There are no such rows.\n"
    assert person.type("sql", "x", "-o", "json").out == "[]\n"
    assert person.type("sql", "x", "-o", "csv").out == "job\n"


def test_a_wide_answer_is_cropped_at_a_terminal_and_whole_where_asked(desk: Desk) -> None:
    person, canned = desk
    wide = answer({"a": "text", "b": "text"}, ["x" * 90, "y" * 90])
    canned.on("POST /v1/sql", wide)
    with person.at_terminal("sql", "x", columns=80) as terminal:
        lines = terminal.read_to_end().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert "…" in lines[1]
    with person.at_terminal("sql", "x", "-o", "wide", columns=80) as terminal:
        assert "y" * 90 in terminal.read_to_end()


def test_without_a_query_it_is_shown_what_may_be_asked(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/sql", VIEWS)
    out = person.type("sql").out
    assert out == person.type("sql", "--views").out
    assert out.splitlines()[:2] == [
        "v_jobs  One row a job: who, what, how it stands.",
        "    job, team",
    ]
    assert 'sentinels sql "SELECT state, count(*) FROM v_jobs GROUP BY state"' in out
    assert person.type("sql", "--views", "v_jobs").out.splitlines() == [
        "v_jobs  One row a job: who, what, how it stands. Version 1.",
        "COLUMN  TYPE    WHAT",
        "job     bigint  its id",
        "team    text    its team",
    ]
    assert json.loads(person.type("sql", "-o", "json").out) == VIEWS["views"]
    assert person.type("sql", "-o", "csv").out.splitlines()[1] == "v_jobs,job,bigint,its id"
    said = person.type("sql", "--views", "v_job")
    assert (said.code, said.err.splitlines()[0]) == (4, "error: there is no view v_job")


def test_a_report_is_told_so_that_it_can_be_read(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/reports/usage", USAGE)
    said = person.type("report", "usage", "--by", "user", "--since", "2026-10-29", "--team", "nlp")
    query = canned.queries("/v1/reports/usage")[0]
    assert query == {"by": "user", "since": "2026-10-29T00:00:00+00:00", "team": "nlp"}
    assert said.out.splitlines() == [
        "usage by user, from 2026-10-29 00:00:00 to 2026-11-20 00:00:00",
        "USER  JOBS  ATTEMPTS   CPU-H  GIB-H  GPU-H  BY TYPE            COST",
        "ann     12        14  1234.6   48.2   12.5  a100 12, any 0.5  41.20",
        "bob      1         1   0.004    0.1      0  -                  0.00",
    ]


def test_columns_about_gpus_are_left_out_where_nobody_has_one(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/reports/usage", {**USAGE, "rows": [USAGE["rows"][1]]})  # type: ignore[index]
    assert "GPU" not in person.type("report", "usage").out
    assert "GPU" in person.type("report", "usage", "-o", "wide").out


def test_waits_failures_and_waste_are_told_in_lengths_sentences_and_sizes(desk: Desk) -> None:
    person, canned = desk
    waits = {"team": "text", "started": "bigint", "waiting": "bigint"}
    waits |= {f"{name}_seconds": "double precision" for name in ("p50", "p95", "max")}
    row: list[object] = ["nlp", 9, 1, 12.5, 3720, 90000.0, 44]
    canned.on("GET /v1/reports/waits", report("waits", {**waits, "longest_job": "bigint"}, row))
    assert person.type("report", "waits").out.splitlines()[1:] == [
        "TEAM  STARTED  STILL WAIT  HALF WITHIN  95 % WITHIN  LONGEST  JOB",
        "nlp         9           1          12s       1h 02m    1d 1h   44",
    ]
    names = "team reason reason_class attempts jobs jobs_failed lost_hours lost_cpu_hours"
    names += " lost_gpu_hours mostly last_job"
    row = ["nlp", "out_of_memory", "user", 3, 2, 1, 2.25, 9, 0.5, "it used more", 12]
    canned.on(
        "GET /v1/reports/failures", report("failures", dict.fromkeys(names.split(), "text"), row)
    )
    assert person.type("report", "failures").out.splitlines()[2] == (
        "nlp   out of memory  user          3     2       1     2.2      9    0.5        12"
        "  it used more"
    )
    names = "team name attempts last_job cpus busy_cpus enough_cpus memory_bytes"
    names += " peak_memory_bytes enough_memory_bytes gpus gpu_percent"
    names += " idle_cpu_hours idle_gib_hours idle_gpu_hours"
    row = ["nlp", "fit", 4, 9, 8, 1.25, 1.5, 2**36, 9 * 2**30, None, 1, 3.0, 12.3, 100, 3.9]
    canned.on("GET /v1/reports/waste", report("waste", dict.fromkeys(names.split(), "text"), row))
    assert person.type("report", "waste").out.splitlines()[1:] == [
        "TEAM  NAME  ATTEMPTS  ASKED             USED                  ENOUGH"
        "   IDLE CPU-H  IDLE GIB-H  IDLE GPU-H",
        "nlp   fit          4  8 CPU 64Gi 1 GPU  1.25 CPU 9Gi GPU 3 %  1.5 CPU"
        "        12.3         100         3.9",
    ]


def test_a_report_without_rows_says_so_in_a_sentence(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/reports/usage", {**USAGE, "rows": []})
    assert person.type("report", "usage").out == (
        "Nothing ran from 2026-10-29 00:00:00 to 2026-11-20 00:00:00.\n"
    )


def test_a_report_is_for_programs_too(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/reports/usage", USAGE)
    rows = list(csv.DictReader(io.StringIO(person.type("report", "usage", "-o", "csv").out)))
    assert rows[0]["cpu_hours"] == "1234.567"
    assert rows[0]["gpu_hours_by_type"] == '{"a100": 12, "any": 0.5}'
    assert json.loads(person.type("report", "usage", "-o", "json").out)[0]["cost"] == 41.2


def test_a_report_is_printed_as_the_query_that_it_is(desk: Desk) -> None:
    person, canned = desk
    canned.on("GET /v1/reports/usage", {**USAGE, "rows": [], "columns": []})
    assert person.type("report", "usage", "--print").out == "SELECT 1\n"
    assert canned.queries("/v1/reports/usage")[0]["print"] == "true"


def test_without_a_report_it_is_shown_what_there_is(desk: Desk) -> None:
    person, canned = desk
    out = person.type("report").out
    names = ["usage", "waits", "eta", "failures", "waste"]
    assert [line.split()[0] for line in out.splitlines()] == names
    said = person.type("report", "usages")
    assert (said.code, canned.asked) == (4, [])
    said = person.type("report", "usage", "--since", "soon")
    assert said.code == 2
    assert said.err.startswith("error: --since soon is no length of time, such as 30d or 12h, and")
