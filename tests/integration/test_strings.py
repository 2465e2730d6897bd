"""Every text that a person can set, tried with every text that nobody should: refused with a clear
4xx, or stored as it is and shown harmlessly on the terminal, on the page, in Slack, in SQL.

The texts' places are found: in a config with every key (a key that is missing there fails here), in
the bodies of the OpenAPI document, in every path, query and header, and in the pages' forms.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unicodedata import category
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from sentinels.core.job import Reason
from sentinels.core.settling import settle_jobs
from sentinels.core.submission_reading import _READERS, read_submission, submission_to_config
from sentinels.functions.submit.door import FrontDoor
from sentinels.functions.submit.openapi import document
from sentinels.functions.submit.pages.routes import PAGES
from sentinels.functions.submit.routes import ROUTES
from sentinels.services.slack import escaped
from tests.conftest import TOKEN
from tests.integration.test_cli import Terminal
from tests.integration.test_fuzz import Judge, asked, door, in_process, in_process_answer
from tests.integration.test_settling import finished
from tests.support.desk import Desk, ref
from tests.support.front import Answer, serving
from tests.support.fuzzing import Fuzzer, Request
from tests.support.whole_config import TEXTS, WHOLE, places, put

__all__ = ["asked", "door"]

_DOCUMENT: Mapping[str, Any] = document(ROUTES)
_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
_TAKEN = {key: value for key, value in WHOLE.items() if key != "secrets"}
"""What a machine takes that keeps no secrets."""


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def client(door: FrontDoor) -> Iterator[FlaskClient]:
    with in_process(door) as client:
        yield client


def ask(client: FlaskClient, method: str, path: str, body: object = None) -> Answer:
    """An answer that was judged: no 5xx, a 4xx in clear words."""
    content = b"" if body is None else dumped(body)
    request = Request(method, path, _HEADERS, content)
    answer = in_process_answer(client, request)
    Judge().hear(request, answer)
    return answer


def pushed(client: FlaskClient, image: object, config: object) -> Answer:
    return ask(client, "POST", "/v1/jobs?again=true", {"image": image, "config": config})


def text_places() -> list[tuple[str | int, ...]]:
    return [path for path in places(_TAKEN) if path[0] != "sweep" or len(path) < 4]


def test_the_whole_config_has_every_key_and_is_sound(client: FlaskClient) -> None:
    assert list(WHOLE) == list(_READERS)
    read_submission("/code/digits", WHOLE)
    assert pushed(client, "/code/digits", _TAKEN).status == 201


def test_a_text_in_a_config_is_refused_or_stored_as_it_is(client: FlaskClient, desk: Desk) -> None:
    taken: list[tuple[str, str]] = []
    for path in text_places():
        for name, text in TEXTS.items():
            answer = pushed(client, "/code/digits", put(_TAKEN, path, text))
            where = f"{name} at {'.'.join(map(str, path))}"
            if answer.status != 201:
                assert answer.status in (400, 413, 422), where
                continue
            taken.append((name, where))
            assert only_words(text, path), where
            job = ask(client, "GET", f"/v1/jobs/{answer.json['jobs'][0]['id']}").json
            assert submission_to_config(read_submission(job["image"], job["config"]))
    assert len(taken) > 100
    rows = desk.ask("SELECT config FROM jobs")
    assert all(submission_to_config(read_submission("/a", config)) == config for [config] in rows)
    assert desk.tick().error is None


def steers(text: str) -> bool:
    """Whether a terminal would do anything but show it, by Unicode's own word; lines are fine."""
    kinds = {category(each) for each in text if each not in "\n\t"}
    return not kinds.isdisjoint(("Cc", "Cf", "Cs", "Zl", "Zp"))


def only_words(text: str, path: tuple[str | int, ...]) -> bool:
    """Nothing that steers a terminal is stored, but lines and tabs of a program's own words."""
    is_word = path[0] in ("command", "args", "env")
    lines = not is_word and any(each in text for each in "\n\t")
    return not steers(text) and not lines and len(text) <= 32 * 1024


def test_an_image_and_every_other_text_of_a_body_is_refused_or_harmless(
    client: FlaskClient,
) -> None:
    for template, methods in _DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if "requestBody" not in operation:
                continue
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            whole = fullest(schema)
            assert list(places(whole)), template
            path = re.sub(r"{\w+}", "1", template)
            for place in places(whole):
                for text in TEXTS.values():
                    ask(client, method.upper(), path, put(whole, place, text))
    for name, text in TEXTS.items():
        if pushed(client, text, {}).status == 201:
            assert name in ("number", "path"), name  # names of images, however strange


def fullest(schema: Mapping[str, Any]) -> Any:
    """A body with everything in it that the document names."""
    fuzzer = Fuzzer(_DOCUMENT, TOKEN, 0)
    return max((fuzzer.sample(schema) for _ in range(50)), key=lambda body: len(dumped(body)))


def test_every_text_of_a_path_and_a_query_is_refused_or_harmless(client: FlaskClient) -> None:
    pushed(client, "/code/digits", {"name": "digits"})
    templates = [
        (each.method, each.template, each.query)
        for each in (*ROUTES, *PAGES)
        if hasattr(each, "query")
    ]
    session(client)
    for method, template, query in templates:
        for text in TEXTS.values():
            part = quote(text[:4000], safe="", errors="surrogatepass")
            if "{" in template:
                ask_page(client, method, re.sub(r"{\w+}", part, template))
            path = re.sub(r"{\w+}", "1", template)
            for param in query:
                ask_page(client, method, f"{path}?{param.name}={part}")
            ask_page(client, method, f"{path}?{part}=1")


def ask_page(client: FlaskClient, method: str, path: str) -> str:
    """No 5xx, and no text of ours that steers a terminal; HTML has none of theirs unescaped."""
    content = b"{}" if method == "POST" else b""
    got = client.open(path, method=method, data=content, headers=_HEADERS)
    assert got.status_code < 500, f"{method} {path[:200]}"
    shown = got.data.decode()
    if "html" in got.headers.get("Content-Type", ""):
        assert_harmless_page(shown)
    return shown


def assert_harmless_page(shown: str) -> None:
    assert "<script>" not in shown
    assert not re.search(r'<[^>]*" onmouseover="', shown)
    assert not steers(html.unescape(shown))


def session(client: FlaskClient) -> None:
    """The client has a browser's session, too."""
    form = {"token": TOKEN, "next": "/"}
    assert client.post("/login", data=form).status_code == 303


def test_every_text_of_a_header_and_a_form_is_refused_or_harmless(client: FlaskClient) -> None:
    for text in TEXTS.values():
        raw = text.encode("utf-8", "surrogatepass")
        for name in ("Idempotency-Key", "Authorization", "Cookie", "Content-Type", "Host"):
            header = raw.decode("latin-1").replace("\r", "").replace("\n", "").replace("\0", "")
            body = dumped({"image": "/code/digits", "config": {}})
            headers = {**_HEADERS, name: header[:8000]}
            got = client.open("/v1/jobs", method="POST", data=body, headers=headers)
            assert got.status_code < 500, name
        for name in ("token", "next"):
            form = quote(text[:3000], safe="", errors="surrogatepass").encode()
            got = client.post(
                "/login",
                data=f"{name}=".encode() + form,
                content_type="application/x-www-form-urlencoded",
            )
            assert got.status_code < 500, name
            assert_harmless_page(got.data.decode())
            assert got.headers.get("Location", "/").startswith("/")


SHOWN = ("SQL", "HTML", "attribute", "template", "Slack mention", "shell", "letters")


def test_what_is_taken_is_shown_as_text_on_the_page_in_slack_in_sql_and_on_the_terminal(
    desk: Desk, door: FrontDoor, tmp_path: Path
) -> None:
    nasty = " ".join(TEXTS[name] for name in SHOWN)[:190].strip()
    config = {
        "experiment": nasty,
        "params": {"p": nasty},
        "env": {"E": f"{nasty}\nsecond line"},
        "command": ["python", nasty],
    }
    with serving(door) as port, in_process(door) as client:
        job_id = pushed(client, "/code/digits", config).json["jobs"][0]["id"]
        desk.tick()
        message = f"{nasty} \x1b[31m\u202e\0"
        end = replace(finished(Reason.EXITED_NONZERO), message=message)
        desk.cluster.seen[ref(job_id)] = end
        settle_jobs(desk.settle(), [job_id])
        session(client)
        for path in ("/", "/jobs", f"/jobs/{job_id}"):
            assert nasty[:40] in html.unescape(ask_page(client, "GET", path)) or path == "/"
        assert desk.ask("SELECT experiment, params->>'p' FROM v_jobs") == [(nasty, nasty)]
        [[body]] = desk.ask("SELECT body FROM outbox WHERE channel = 'messenger'")
        told = escaped(str(body))
        assert "&lt;!channel&gt;" in told or "!channel" not in told
        assert not steers(told)
        terminal = Terminal(f"http://127.0.0.1:{port}", tmp_path)
        id_ = str(job_id)
        commands = (("explain", id_), ("jobs", "-o", "wide"), ("notices",), ("queue",))
        for words in (("status", id_), ("status", id_, "-o", "json"), *commands):
            assert not steers(terminal.type(*words)[0]), words
        assert nasty[:20] in terminal.type("status", id_)[0]
