"""Ten thousand malformed requests from our own OpenAPI document: each is refused in clear words or
answered, none ends in a 5xx, and nothing is stored that should not be.

``SENTINELS_FUZZ_SEED=7`` makes others than usual.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, reduce
from itertools import islice
from operator import getitem
from typing import Any

import functions_framework
import pytest
from flask.testing import FlaskClient

from sentinels.core.queueing import Caller
from sentinels.core.rights import Role
from sentinels.core.submission_reading import read_submission, submission_to_config
from sentinels.core.text import has_control
from sentinels.db.people import PostgresPeople
from sentinels.functions.submit.door import FrontDoor, Patience
from sentinels.functions.submit.openapi import document
from sentinels.functions.submit.routes import ROUTES
from sentinels.settings import Settings
from tests.conftest import TOKEN
from tests.support import front
from tests.support.desk import Desk
from tests.support.front import Answer, Client, FileTracker, LoggedCluster, make_door, serving
from tests.support.fuzzing import Fuzzer, Request
from tests.support.people import promote
from tests.support.reporters import Asked, reporting
from tests.support.whole_config import places

BODIES, OTHERS, OVER_HTTP = 10_000, 2_000, 300
_JSON = ("application/json", "application/problem+json")


@pytest.fixture
def fuzzer() -> Fuzzer:
    return Fuzzer(document(ROUTES), TOKEN, int(os.environ.get("SENTINELS_FUZZ_SEED", "1")))


@pytest.fixture
def asked(database_url: str) -> Iterator[Asked]:
    with reporting(database_url) as asked:
        yield asked


@pytest.fixture
def door(desk: Desk, asked: Asked) -> FrontDoor:
    """With everything that may be asked, by an operator; nobody waits for news."""
    promote(desk.engine, "ann", Role.OPERATOR)
    desk.tick()
    settings = Settings(report_database_url=asked.url)
    made = make_door(desk, LoggedCluster(), FileTracker(), settings=settings)
    patience = Patience(1)
    patience._room.acquire()
    return replace(made, patience=patience)


class Remembering(PostgresPeople):
    """Asks once who has a token: half of the time that a refused body takes is that question, and
    what is made up may revoke it.
    """

    @cache  # noqa: B019  # it lives as long as a test
    def caller_of(self, token: str) -> Caller | None:
        return super().caller_of(token)


def remembering(desk: Desk) -> Remembering:
    return Remembering(desk.engine)


@contextmanager
def in_process(door: FrontDoor) -> Iterator[FlaskClient]:
    """The real application, without a socket."""
    front._doors.append(door)
    try:
        app = functions_framework.create_app("submit", str(front._SOURCE), "http")
        yield app.test_client()
    finally:
        front._doors.pop()
        for leaked in ("FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE"):
            os.environ.pop(leaked, None)


@dataclass
class Judge:
    """Looks at each answer; ``stored`` are the jobs that a caller was told of."""

    counts: Counter[int] = field(default_factory=Counter)
    stored: set[int] = field(default_factory=set)

    def hear(self, request: Request, answer: Answer) -> None:
        """Fail where an answer is none of those that were promised."""
        self.counts[answer.status] += 1
        shown = f"{answer.status} to {request}"[:2000]
        assert answer.status < 500, f"{shown}: {answer.body[:500]!r}"
        if answer.status in (404, 405) and "html" in answer.headers["Content-Type"]:
            return  # the framework's own word, for a path or a method that it has no route for
        if answer.status >= 400 and request.method != "HEAD":
            problem = answer.json
            assert problem["status"] == answer.status, shown
            assert problem["detail"], shown
            told = [problem["detail"], problem["remedy"], problem["faults"]]
            assert not has_control("".join(texts(told)).replace("\n", " ")), shown
        elif answer.status == 201 and "/v1/jobs" in request.path:
            self.stored |= {job["id"] for job in answer.json["jobs"]}


def texts(value: Any) -> Iterator[str]:
    """Every text in it."""
    for path in places(value):
        if not str(path[-1]).startswith("key:"):
            yield str(reduce(getitem, path, value))


def in_process_answer(client: FlaskClient, request: Request) -> Answer:
    got = client.open(
        request.path, method=request.method, data=request.body, headers=dict(request.headers)
    )
    return Answer(got.status_code, dict(got.headers), got.data)


def holds(desk: Desk, judge: Judge, ask: Callable[[Request], Answer]) -> None:
    """What is stored is what was answered, sound, and can be shown and run."""
    rows = desk.ask("SELECT id, image->>'reference', config FROM jobs ORDER BY id")
    assert {row[0] for row in rows} == judge.stored
    for _, image, config in rows:
        assert submission_to_config(read_submission(image, config)) == config
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for job_id in sorted(judge.stored):
        shown = ask(Request("GET", f"/v1/jobs/{job_id}", headers, b""))
        assert shown.status == 200
        front.keeps_to_document("GET", f"/v1/jobs/{job_id}", shown)
    desk.max_launches = 10
    assert desk.tick().error is None


def test_ten_thousand_malformed_bodies_are_answered_without_a_5xx(
    desk: Desk, door: FrontDoor, fuzzer: Fuzzer
) -> None:
    judge = Judge()
    with in_process(replace(door, people=remembering(desk))) as client:
        for request in islice(fuzzer.bodies(), BODIES):
            judge.hear(request, in_process_answer(client, request))
        holds(desk, judge, lambda request: in_process_answer(client, request))
    refused = sum(count for status, count in judge.counts.items() if status >= 400)
    print(f"seed {fuzzer.seed}: {dict(sorted(judge.counts.items()))}")
    assert refused > BODIES * 0.8


def test_malformed_paths_queries_headers_and_methods_are_answered_without_a_5xx(
    desk: Desk, door: FrontDoor, fuzzer: Fuzzer
) -> None:
    judge = Judge()
    with in_process(replace(door, people=remembering(desk))) as client:
        for name in ("digits-a", "digits-b"):
            body = {"image": "/code/digits", "config": {"name": name}}
            headers = {"Authorization": f"Bearer {TOKEN}"}
            request = Request("POST", "/v1/jobs", headers, json.dumps(body).encode())
            judge.hear(request, in_process_answer(client, request))
        for request in islice(fuzzer.others(), OTHERS):
            judge.hear(request, in_process_answer(client, request))
        holds(desk, judge, lambda request: in_process_answer(client, request))
    print(f"seed {fuzzer.seed}: {dict(sorted(judge.counts.items()))}")


def test_over_real_http_it_is_the_same(desk: Desk, door: FrontDoor, fuzzer: Fuzzer) -> None:
    judge = Judge()
    with serving(replace(door, people=remembering(desk))) as port:
        client = Client(port, held=False)  # the judge knows of the framework's own words

        def ask(request: Request) -> Answer:
            answer = client.ask(request.method, request.path, request.body, request.headers)
            if "html" not in answer.headers["Content-Type"]:
                front.keeps_to_document(request.method, request.path, answer)
            return answer

        for request in islice(fuzzer.bodies(), OVER_HTTP):
            judge.hear(request, ask(request))
        holds(desk, judge, ask)
