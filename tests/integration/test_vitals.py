"""Dead letters and signs of life: what notify and dispatch keep for ``sentinels doctor``."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sentinels.core.errors import QueueUnavailable
from sentinels.core.text import has_control
from sentinels.core.vitals import EVENTS_JOBS, KEPT_MOST, TICK_DISPATCH, TICK_NOTIFY
from sentinels.db.engine import make_engine
from sentinels.db.vitals import PostgresVitals
from sentinels.functions.dead_letters import PATH
from sentinels.functions.events import API_SERVER, PING, WORKLOAD_ENDED, EventFunction, Hint
from sentinels.functions.notify.handler import DeadLetters
from sentinels.functions.signs import DISPATCH_SIGNS, NOTIFY_SIGNS, Signs
from sentinels.functions.telemetry import Telemetry
from tests.support.ears import binary, listening, send, structured

AWAY = "postgresql+psycopg://nobody@127.0.0.1:9/none"


def letters_in(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM dead_letters ORDER BY id")).mappings()
        return [dict(row) for row in rows]


def signs_in(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT name FROM signs")).scalars())


def notify_over(vitals: PostgresVitals, heard: list[Hint]) -> EventFunction:
    """Notify's inbox as its ``main`` builds it, over an ear that remembers."""
    telemetry = Telemetry()
    letters = DeadLetters(vitals, telemetry.registry)
    take = Signs(vitals.leave_sign, NOTIFY_SIGNS).before(letters.prune_after(heard.append))
    return EventFunction(take, lambda: None, telemetry, {PATH: letters.keep})


@pytest.fixture
def heard() -> list[Hint]:
    return []


@pytest.fixture
def notify(engine: Engine, heard: list[Hint]) -> Iterator[int]:
    with listening(notify_over(PostgresVitals(engine), heard)) as port:
        yield port


KNATIVE = {
    "subject": "/apis/batch/v1/namespaces/sen-default/jobs/sentinels-7-1",
    "knativeerrorcode": "503",
    "knativeerrordest": "http://sentinels-notify.sentinels.svc.cluster.local/",
    "knativeerrordata": base64.b64encode("PostgreSQL läuft nicht".encode()).decode(),
}


@pytest.mark.parametrize("mode", [binary, structured])
def test_a_dead_letter_is_kept_with_why_and_counted_and_not_acted_upon(
    notify: int,
    engine: Engine,
    heard: list[Hint],
    mode: Callable[..., tuple[bytes, dict[str, str]]],
) -> None:
    event = mode(f"{API_SERVER}ref.update", {"kind": "Job"}, **KNATIVE)
    answer = send(notify, *event, path=PATH)
    assert (answer.status, answer.body) == (204, b"")
    [kept] = letters_in(engine)
    told = {name: kept[name] for name in ("type", "source", "subject", "code", "destination")}
    assert told == {
        "type": f"{API_SERVER}ref.update",
        "source": "/test",
        "subject": KNATIVE["subject"],
        "code": "503",
        "destination": KNATIVE["knativeerrordest"],
    }
    assert kept["detail"] == "PostgreSQL läuft nicht"
    assert '"kind"' in kept["data_excerpt"]
    assert (heard, signs_in(engine)) == ([], set())
    samples = send(notify, b"", {}, method="GET", path="/metrics").body.decode()
    assert "sentinels_dead_letters_total 1.0" in samples
    assert f'route="{PATH}",status="204"' in samples


def test_whatever_a_dead_letter_says_is_bounded_and_cannot_steer_a_terminal(
    notify: int, engine: Engine
) -> None:
    nasty = "\x1b[31mred\x00\u202e" + "x" * 5000
    encoded = base64.b64encode(b"\x1b]0;title\x07" + b"y" * 5000).decode()
    steering = {"subject": nasty, "knativeerrordest": nasty, "knativeerrorcode": nasty}
    events = [
        structured(nasty, nasty, **steering, knativeerrordata=encoded),
        structured("of.ours", None, knativeerrordata="no base64, öder Text"),
        structured("of.ours", None, knativeerrordata=base64.b64encode(b"\xff\xfe").decode()),
        (b"\xff\x00\xfe" * 4000, binary("of.ours")[1]),
        structured("of.ours", {}, subject="", knativeerrorcode=503, knativeerrordest=None),
    ]
    for event in events:
        answer = send(notify, *event, path=PATH)
        assert (answer.status, answer.body) == (204, b""), event[0][:100]
    kept = letters_in(engine)
    assert len(kept) == len(events)
    texts = [value for letter in kept for value in letter.values() if isinstance(value, str)]
    assert [shown for shown in texts if has_control(shown) or len(shown) > 500] == []
    assert kept[0]["type"].startswith("red")
    assert kept[0]["detail"].startswith("yyy")
    assert kept[1]["detail"] == "no base64, öder Text"
    assert (kept[4]["code"], kept[4]["subject"]) == ("503", None)


def test_what_is_no_event_is_dropped_with_204(notify: int, engine: Engine) -> None:
    for body, headers in [
        (b"", {}),
        (b"{", {"content-type": "application/cloudevents+json"}),
        (b"{}", {"ce-specversion": "1.0"}),
        (b"x" * 3_000_000, binary("of.ours")[1]),
    ]:
        answer = send(notify, body, headers, path=PATH)
        assert (answer.status, answer.body) == (204, b"")
    assert letters_in(engine) == []


def test_a_dead_letter_comes_again_while_the_database_is_away() -> None:
    engine = make_engine(AWAY)
    with listening(notify_over(PostgresVitals(engine), [])) as port:
        answer = send(port, *binary("of.ours"), path=PATH)
        samples = send(port, b"", {}, method="GET", path="/metrics").body.decode()
    engine.dispose()
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "sentinels_dead_letters_total 0.0" in samples


def test_a_tick_forgets_old_dead_letters_and_keeps_the_newest(notify: int, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO dead_letters (type, source, at) SELECT 't', 's',"
                " now() - interval '1 day' FROM generate_series(1, :most)"
            ),
            {"most": KEPT_MOST + 50},
        )
        newest = "SELECT max(id) FROM dead_letters"
        last = connection.execute(text(newest)).scalar_one()
        old = "UPDATE dead_letters SET at = now() - interval '31 days' WHERE id > :last - 10"
        connection.execute(text(old), {"last": last})
    assert send(notify, *binary(PING)).status == 204
    kept = [letter["id"] for letter in letters_in(engine)]
    assert len(kept) == KEPT_MOST - 10
    assert (kept[0], kept[-1]) == (last - KEPT_MOST + 1, last - 10)


def test_each_source_that_notify_hears_leaves_its_sign(notify: int, engine: Engine) -> None:
    assert send(notify, *binary(WORKLOAD_ENDED, {})).status == 204
    assert signs_in(engine) == set()
    assert send(notify, *binary(PING)).status == 204
    assert signs_in(engine) == {TICK_NOTIFY}
    assert send(notify, *binary(f"{API_SERVER}ref.update", {})).status == 204
    assert signs_in(engine) == {TICK_NOTIFY, EVENTS_JOBS}


def test_dispatch_leaves_a_sign_for_a_tick_and_for_nothing_else(engine: Engine) -> None:
    heard: list[Hint] = []
    signs = Signs(PostgresVitals(engine).leave_sign, DISPATCH_SIGNS)
    with listening(EventFunction(signs.before(heard.append), lambda: None, Telemetry())) as port:
        assert send(port, *binary("dev.sentinels.queue.changed")).status == 204
        assert signs_in(engine) == set()
        assert send(port, *binary(PING)).status == 204
        assert signs_in(engine) == {TICK_DISPATCH}
    assert len(heard) == 2


def test_a_later_sign_is_when_the_source_was_last_heard(engine: Engine) -> None:
    vitals = PostgresVitals(engine)
    vitals.leave_sign(TICK_NOTIFY)
    with engine.begin() as connection:
        connection.execute(text("UPDATE signs SET since = 'epoch', at = 'epoch'"))
    vitals.leave_sign(TICK_NOTIFY)
    with engine.connect() as connection:
        row = connection.execute(text("SELECT now() - at < '10 s' AS new, since FROM signs")).one()
    assert (row.new, row.since.timestamp()) == (True, 0)


def test_a_sign_is_written_at_most_once_in_ten_seconds_of_each_source() -> None:
    now = [100.0]
    written: list[tuple[float, str]] = []
    signs = Signs(
        lambda name: written.append((now[0], name)), NOTIFY_SIGNS, stopwatch=lambda: now[0]
    )
    for _ in range(250):
        for kind in (PING, f"{API_SERVER}resource.update"):
            signs.hear(Hint(kind, b""))
        now[0] += 0.1
    assert len(written) == 6
    for name in (TICK_NOTIFY, EVENTS_JOBS):
        times = [at for at, found in written if found == name]
        assert all(b - a >= 9.99 for a, b in pairwise(times))


@pytest.mark.parametrize("trouble", [QueueUnavailable("PostgreSQL is away"), RuntimeError("?")])
def test_a_sign_that_cannot_be_written_is_logged_and_costs_the_event_nothing(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[str] = []

    def leave(name: str) -> None:
        tries.append(name)
        raise trouble

    heard: list[Hint] = []
    take = Signs(leave, DISPATCH_SIGNS).before(heard.append)
    with (
        caplog.at_level(logging.WARNING, "sentinels.signs"),
        listening(EventFunction(take, lambda: None, Telemetry())) as port,
    ):
        assert [send(port, *binary(PING)).status for _ in range(3)] == [204] * 3
    assert (len(heard), tries) == (3, [TICK_DISPATCH])
    assert [record.getMessage() for record in caplog.records] == ["a sign was not left"]
