"""Bad input over real HTTP: a clear 4xx that names what is wrong, and nothing stored."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from sentinels.db.engine import make_engine
from tests.conftest import TOKEN
from tests.support.desk import Desk
from tests.support.front import Answer, Client, FileTracker, LoggedCluster, make_door, serving

GOOD = {"image": "/code/digits", "config": {"name": "one", "command": ["python", "main.py"]}}


@pytest.fixture
def client(desk: Desk) -> Iterator[Client]:
    with serving(make_door(desk, LoggedCluster(), FileTracker())) as port:
        yield Client(port, TOKEN)


def config(text: str) -> bytes:
    return b'{"image": "/code/digits", "config": ' + text.encode() + b"}"


BODIES = {
    "empty": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "a text": b'"x"',
    "no UTF-8": b'{"image": "\xff"}',
    "3000 deep": b'{"image": "a", "config": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    "21 deep": config("[" * 21 + "]" * 21),
    "open strings": b'"' + b'\\"' * 100_000,
    "key twice": b'{"image": "/a", "image": "/b", "config": {}}',
    "key twice inside": config('{"name": "a", "name": "b"}'),
    "NaN": config('{"params": {"C": NaN}}'),
    "Infinity": config('{"params": {"C": -Infinity}}'),
    "1e999": config('{"params": {"C": 1e999}}'),
    "long number": config('{"params": {"C": ' + "9" * 5000 + "}}"),
    "half a surrogate": config('{"name": "\\ud800"}'),
    "NUL": config('{"name": "a\\u0000b"}'),
    "NUL in a key": config('{"labels": {"a\\u0000b": "c"}}'),
    "escape": config('{"name": "\\u001b[31mred"}'),
    "escape in a param": config('{"params": {"C": "\\u001b]0;title\\u0007"}}'),
    "NUL in env": config('{"env": {"A": "b\\u0000"}, "command": ["x"]}'),
    "NUL in image": b'{"image": "/a\\u0000", "config": {}}',
    "raw control": b'{"image": "/a\x01", "config": {}}',
    "image no text": b'{"image": 7, "config": {}}',
    "no image": b'{"config": {}}',
    "config no object": b'{"image": "/a", "config": []}',
    "unknown key beside": b'{"image": "/a", "config": {}, "konfig": {}}',
    "unknown key": config('{"nmae": "x"}'),
    "wrong type": config('{"resources": "many"}'),
    "negative": config('{"resources": {"cpu": -1}}'),
    "too many CPUs": config('{"resources": {"cpu": 1e30}}'),
    "unknown class": config('{"priority": "now"}'),
    "no such dependency": config('{"after": [99]}'),
    "large dependency": config('{"after": [99999999999999999999999]}'),
    "huge sweep": config(json.dumps({"sweep": {"a": [*range(99)], "b": [*range(99)]}})),
}


def refused(answer: Answer) -> bool:
    """Whether this is a 4xx that says what is wrong."""
    problem = answer.headers.get("Content-Type") == "application/problem+json"
    return 400 <= answer.status < 500 and problem and bool(answer.json["detail"])


def test_every_bad_body_is_refused_and_nothing_is_stored(client: Client, desk: Desk) -> None:
    answers = {name: client.ask("POST", "/v1/jobs", body) for name, body in BODIES.items()}
    assert [name for name, answer in answers.items() if not refused(answer)] == []
    assert desk.ask("SELECT count(*) FROM jobs") == [(0,)]
    assert desk.ask("SELECT count(*) FROM queue") == [(0,)]
    assert desk.pokes.count == 0
    assert client.post("/v1/jobs", GOOD).status == 201


def test_every_fault_is_named_with_its_field(client: Client) -> None:
    bad = {"nmae": "x", "resources": {"cpu": -1, "memory": "much"}, "priority": "now"}
    answer = client.post("/v1/jobs", {"image": "/code/digits", "config": bad})
    assert answer.status == 422
    fields = {fault["field"] for fault in answer.json["faults"]}
    assert {"nmae", "resources.cpu", "resources.memory"} <= fields


def test_ten_megabytes_are_refused_with_a_length_and_without_one(
    client: Client, desk: Desk
) -> None:
    body = b'{"image": "' + b"a" * 10_000_000 + b'"}'
    announced = client.ask("POST", "/v1/jobs", body)
    assert (announced.status, announced.json["type"]) == (413, "/problems/body-too-large")
    pieces = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    assert client.ask("POST", "/v1/jobs", pieces).status == 413
    assert client.ask("GET", "/v1/jobs", body).status == 200
    assert desk.ask("SELECT count(*) FROM jobs") == [(0,)]


def test_a_body_that_never_ends_is_not_waited_for(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        connection.sendall(f"{head}Content-Length: 99999999999\r\n\r\n".encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")


TOKENS = {
    "": "needs a token",
    "Bearer": "needs a token",
    "Bearer   ": "needs a token",
    "Basic YTpi": "needs a token",
    "Bearer wrong": "nobody has",
    "Bearer " + "x" * 5000: "nobody has",
    "Bearer a' OR 1=1": "nobody has",
    "Bearer \xff\xfe": "nobody has",
}


def test_without_a_token_nothing_of_v1_is_answered(client: Client) -> None:
    anybody = Client(client.port)
    for header, said in TOKENS.items():
        for method, path in [("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/v1/health")]:
            answer = anybody.ask(method, path, b"{}", {"Authorization": header})
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert said in str(answer.json["detail"])
            assert "login" in str(answer.json["remedy"])


def test_an_expired_token_is_nobodys(client: Client, desk: Desk) -> None:
    desk.change("UPDATE tokens SET expires_at = now() - interval '1 second'")
    assert client.get("/v1/jobs").status == 401


def test_an_unknown_route_is_a_problem(client: Client) -> None:
    for path in ["/v1", "/v2/jobs", "/v1/jobs/", "/v1/jobs/1/x", "/admin"]:
        answer = client.get(path)
        assert (answer.status, answer.json["type"]) == (404, "/problems/no-such-route")


WRONG_METHODS = [
    ("PUT", "/v1/jobs", {"GET", "POST"}),
    ("DELETE", "/v1/jobs/7", {"GET"}),
    ("GET", "/v1/jobs/7/cancel", {"POST"}),
    ("POST", "/healthz", {"GET"}),
    ("BREW", "/v1/queue", {"GET"}),
    ("OPTIONS", "/v1/queue", {"GET"}),
]


def test_a_wrong_method_names_the_right_ones(client: Client) -> None:
    for method, path, allowed in WRONG_METHODS:
        answer = client.ask(method, path)
        assert answer.status == 405
        assert set(answer.headers["Allow"].split(", ")) == allowed


QUERIES = [
    "limit=0",
    "limit=501",
    "limit=x",
    "limit=1&limit=2",
    "limit=",
    "limit=%D9%A1",
    "state=done",
    "cursor=nonsense",
    "cursor=YmVsb3c6LTE",
    "cursor=%FF",
    "label=x",
    "label==x",
    "name=%00",
    "name=%1b[31m",
    f"name={'x' * 301}",
    "sweep=99999999999999999999",
    "lmit=3",
    "limit=1.5",
    "%00=1",
]


def test_bad_parameters_are_refused(client: Client) -> None:
    answers = {query: client.ask("GET", f"/v1/jobs?{query}") for query in QUERIES}
    assert [query for query, answer in answers.items() if not refused(answer)] == []


def test_a_wait_that_is_too_long_or_no_number_is_refused(client: Client) -> None:
    for wait in ("26", "25.1", "-1", "nan", "inf", "1e1", "x"):
        assert client.get("/v1/jobs/1", wait=wait).status == 400


def test_a_bad_parameter_is_named_with_its_bounds(client: Client) -> None:
    detail = client.get("/v1/jobs", limit=501, lmit=3).json["detail"]
    assert detail == "limit: '501' is no whole number from 1 to 500; there is no parameter 'lmit'"


def test_control_characters_in_a_path_are_refused(client: Client) -> None:
    for name in ("%00", "%1b[31m", "x" * 2000, "1/artifacts/%07"):
        assert client.ask("GET", f"/v1/jobs/{name}").status == 400


def test_a_bad_idempotency_key_is_refused(client: Client, desk: Desk) -> None:
    for key in ("", "x" * 201, "caf\xe9", "tab\tbed"):
        body = json.dumps(GOOD).encode()
        answer = client.ask("POST", "/v1/jobs", body, {"Idempotency-Key": key})
        assert answer.status == 400
    assert desk.ask("SELECT count(*) FROM jobs") == [(0,)]


def test_an_unexpected_error_is_told_as_an_id_and_nothing_else(
    client: Client, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    client.push(name="one")
    desk.change("ALTER TABLE jobs RENAME TO mislaid")
    desk.change("CREATE VIEW jobs AS SELECT * FROM mislaid WHERE 1 / (id - id) > 0")
    answer = client.get("/v1/jobs/1")
    assert answer.status == 500
    assert b"mislaid" not in answer.body
    assert b"zero" not in answer.body
    assert b"Traceback" not in answer.body
    crash = [getattr(record, "crash", None) for record in caplog.records]
    assert any(found and str(found) in str(answer.json["detail"]) for found in crash)


def test_without_a_database_the_answer_is_503_and_says_when_to_come_back(desk: Desk) -> None:
    away = make_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    desk.engine = away
    try:
        with serving(make_door(desk, LoggedCluster(), None)) as port:
            client = Client(port, TOKEN)
            for answer in (client.push(name="one"), client.get("/v1/jobs")):
                assert (answer.status, answer.json["type"]) == (503, "/problems/queue-unavailable")
                assert int(answer.headers["Retry-After"]) > 0
                assert answer.json["remedy"]
            assert client.get("/readyz").status == 503
            assert client.get("/healthz").status == 200
            assert "sentinels_database_up 0.0" in client.get("/metrics").body.decode()
    finally:
        away.dispose()
