"""Dispatch and notify over real HTTP: whatever comes, a Broker understands the answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from sentinels.clock import utc_now
from sentinels.core.errors import ClusterUnavailable, MessengerUnavailable, QueueUnavailable
from sentinels.core.notifying import deliver_due, workload_changed
from sentinels.core.observation import Finished
from sentinels.core.ports import Message
from sentinels.core.queueing import PassReport
from sentinels.functions.dispatch.handler import Passes
from sentinels.functions.events import API_SERVER, PING, WORKLOAD_ENDED, EventFunction, Hint
from sentinels.functions.notify.handler import Ear
from sentinels.functions.telemetry import Telemetry
from sentinels.services.events import QUEUE_CHANGED
from tests.support.desk import Desk, ref
from tests.support.ears import binary, listening, send, structured


def function(take: Callable[[Hint], None]) -> EventFunction:
    return EventFunction(take, lambda: None, Telemetry())


class Sayer:
    """A messenger that remembers, or does not answer."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.down = False

    @property
    def has_threads(self) -> bool:
        return False

    def send(self, message: Message) -> None:
        if self.down:
            raise MessengerUnavailable("Slack does not answer")
        self.said.append(message.text)


@pytest.fixture
def sayer(desk: Desk) -> Sayer:
    made = Sayer()
    desk.messenger = made
    return made


@pytest.fixture
def notify(desk: Desk, sayer: Sayer) -> Iterator[int]:
    ports = desk.notify()
    ear = Ear(partial(workload_changed, ports), partial(deliver_due, ports))
    with listening(function(ear.hear)) as port:
        yield port


@pytest.fixture
def running(desk: Desk) -> int:
    """A launched job whose workload has ended, which nobody has looked at yet."""
    job = desk.job(name="one", notify={"on": ["succeeded"]})
    desk.tick()
    now = utc_now()
    desk.cluster.seen[ref(job)] = Finished("uid", None, 0, now, now)
    return job


@pytest.mark.parametrize("mode", [binary, structured])
def test_the_end_of_a_workload_is_looked_at_recorded_and_told(
    notify: int,
    desk: Desk,
    sayer: Sayer,
    running: int,
    mode: Callable[..., tuple[bytes, dict[str, str]]],
) -> None:
    event = mode(WORKLOAD_ENDED, {"job_id": running, "attempt": 1})
    answers = [send(notify, *event) for _ in range(3)]
    assert [(answer.status, answer.body) for answer in answers] == [(204, b"")] * 3
    assert desk.state(running) == "succeeded"
    assert len(sayer.said) == 1


API_SERVER_TYPES = [
    f"{API_SERVER}{mode}.{action}"
    for mode in ("resource", "ref")
    for action in ("add", "update", "delete")
]


def watched(kind: str, name: str, /, **changes: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ApiServerSource sends about a Job: data and attributes; None takes one away."""
    identity = {"apiVersion": "batch/v1", "kind": "Job"}
    named = {"name": name, "namespace": "sen-default"}
    data = {**identity, **named} if ".ref." in kind else {**identity, "metadata": named}
    attributes = {
        "apiversion": "batch/v1",
        "kind": "Job",
        **named,
        "subject": f"/apis/batch/v1/namespaces/sen-default/jobs/{name}",
        **changes,
    }
    return data, {key: value for key, value in attributes.items() if value is not None}


@pytest.mark.parametrize("kind", API_SERVER_TYPES)
@pytest.mark.parametrize("mode", [binary, structured])
def test_each_event_of_a_job_at_the_api_server_is_looked_at_once(
    notify: int,
    desk: Desk,
    sayer: Sayer,
    running: int,
    mode: Callable[..., tuple[bytes, dict[str, str]]],
    kind: str,
) -> None:
    data, attributes = watched(kind, f"sentinels-{running}-1")
    answers = [send(notify, *mode(kind, data, **attributes)) for _ in range(3)]
    assert [(answer.status, answer.body) for answer in answers] == [(204, b"")] * 3
    assert desk.state(running) == "succeeded"
    assert len(sayer.said) == 1


@pytest.mark.parametrize("missing", [("name",), ("name", "kind"), ("name", "kind", "subject")])
@pytest.mark.parametrize("kind", [f"{API_SERVER}resource.update", f"{API_SERVER}ref.update"])
def test_a_source_that_leaves_extensions_out_is_understood_by_what_is_left(
    notify: int, desk: Desk, running: int, kind: str, missing: tuple[str, ...]
) -> None:
    data, attributes = watched(kind, f"sentinels-{running}-1", **{name: None for name in missing})
    assert send(notify, *structured(kind, data, **attributes)).status == 204
    assert desk.state(running) == "succeeded"


def of_another_kind(job: int) -> list[tuple[bytes, dict[str, str]]]:
    """Events that name our workload without being about its Job, or about none of ours."""
    kind, name = f"{API_SERVER}resource.update", f"sentinels-{job}-1"
    path = "/api/v1/namespaces/sen-default/pods"
    changes: list[dict[str, object]] = [
        {"kind": "Pod"},
        {"kind": "job"},
        {"name": None, "subject": f"{path}/{name}"},
        {"name": None, "subject": f"/apis/batch/v1/namespaces/a/b/jobs/{name}"},
        *({"name": wrong} for wrong in (f"{name}-abcde", f"x{name}", f"sentinels-{job}", "…")),
        *({"name": wrong} for wrong in (f"sentinels-0{job}-1", "sentinels-1-0", f"{name}\t")),
        {"name": f"sentinels-{'9' * 60}-1"},
        {"name": "sentinels-999999999999999-999999999"},
    ]
    told = [watched(kind, name, **change) for change in changes]
    events = [structured(kind, data, **attributes) for data, attributes in told]
    bare = {"name": None, "kind": None, "subject": None}
    _, nameless = watched(kind, name, **bare)
    carried = ({"kind": "Pod", "metadata": {"name": name}}, {"kind": "Job", "metadata": name})
    return [*events, *(structured(kind, data, **nameless) for data in carried)]


def test_events_about_anything_else_are_answered_and_nothing_is_done(
    notify: int, desk: Desk, running: int
) -> None:
    before = desk.story(running)
    for body, headers in of_another_kind(running):
        answer = send(notify, body, headers)
        assert (answer.status, answer.body) == (204, b""), body
    assert desk.story(running) == before


def test_a_job_said_to_be_over_that_runs_goes_on(notify: int, desk: Desk) -> None:
    job = desk.job(name="one")
    desk.tick()
    before, kind = desk.story(job), f"{API_SERVER}resource.delete"
    data, attributes = watched(kind, f"sentinels-{job}-1")
    lie = {**data, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    assert send(notify, *binary(kind, lie, **attributes)).status == 204
    assert desk.story(job) == before


def test_the_payload_is_not_believed(notify: int, desk: Desk, sayer: Sayer) -> None:
    job = desk.job(name="one")
    desk.tick()
    before = desk.story(job)
    lie = {"job_id": job, "attempt": 1, "state": "failed", "exit_code": 1, "reason": "killed"}
    assert send(notify, *binary(WORKLOAD_ENDED, lie)).status == 204
    assert desk.story(job) == before


NONSENSE = [
    binary(WORKLOAD_ENDED),
    binary(WORKLOAD_ENDED, []),
    binary(WORKLOAD_ENDED, {"job_id": "1", "attempt": 1}),
    binary(WORKLOAD_ENDED, {"job_id": True, "attempt": 1}),
    binary(WORKLOAD_ENDED, {"job_id": -1, "attempt": 1}),
    binary(WORKLOAD_ENDED, {"job_id": 10**30, "attempt": 1}),
    binary(WORKLOAD_ENDED, {"job_id": 1.0, "attempt": 1}),
    binary(WORKLOAD_ENDED, {"job_id": 999, "attempt": 7}),
    binary(f"{API_SERVER}resource.update", {"job_id": 1, "attempt": 1}),
    binary(f"{API_SERVER}resource.update", name=""),
    binary(f"{API_SERVER}ref.delete", {"kind": "Job", "name": ["sentinels-1-1"]}),
    structured(f"{API_SERVER}ref.delete", name=1, kind=["Job"], subject={}),
    (b"[" * 3000, binary(f"{API_SERVER}resource.update")[1]),
    (b"x" * 10_000_000, binary(f"{API_SERVER}resource.update", name="sentinels-1-1")[1]),
    binary("of.no.interest", {"job_id": 1, "attempt": 1}),
    structured("of.no.interest"),
    (b"", {}),
    (b"{", {"content-type": "application/json"}),
    (b"{", {"content-type": "application/cloudevents+json"}),
    (b"[]", {"content-type": "application/cloudevents-batch+json"}),
    (b"[" * 3000, {"content-type": "application/cloudevents+json"}),
    (b'{"specversion": "9"}', {"content-type": "application/cloudevents+json"}),
    (b'{"specversion": {}}', {"content-type": "application/cloudevents+json"}),
    (b"\xff\xff", {"content-type": "application/cloudevents+json"}),
    (b"not json", binary(WORKLOAD_ENDED)[1]),
    (b"[" * 3000, binary(WORKLOAD_ENDED)[1]),
    (b"{}", {"ce-specversion": "1.0"}),
    (b"x" * 10_000_000, binary(WORKLOAD_ENDED)[1]),
]


def test_nonsense_is_dropped_with_204_and_changes_nothing(
    notify: int, desk: Desk, running: int
) -> None:
    before = desk.story(running)
    for body, headers in NONSENSE:
        answer = send(notify, body, headers)
        assert (answer.status, answer.body) == (204, b""), headers
    assert desk.story(running) == before


def test_a_ping_delivers_what_was_left_over(
    notify: int, desk: Desk, sayer: Sayer, running: int
) -> None:
    sayer.down = True
    event = binary(WORKLOAD_ENDED, {"job_id": running, "attempt": 1})
    assert send(notify, *event).status == 204
    assert (desk.state(running), sayer.said) == ("succeeded", [])
    sayer.down = False
    desk.later(60)
    assert send(notify, *binary(PING)).status == 204
    assert len(sayer.said) == 1


@pytest.mark.parametrize(
    "trouble",
    [QueueUnavailable("PostgreSQL at postgresql://u:secret@h is away"), RuntimeError("secret")],
)
def test_trouble_is_answered_so_that_the_event_comes_again(trouble: Exception) -> None:
    def take(hint: Hint) -> None:
        raise trouble

    with listening(function(take)) as port:
        answer = send(port, *binary(PING))
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert isinstance(trouble, QueueUnavailable) or b"secret" not in answer.body


def test_the_pages_of_every_function_are_there_and_nothing_else_is(desk: Desk) -> None:
    with listening(function(lambda _: None)) as port:
        for page in ("/healthz", "/readyz", "/metrics"):
            assert send(port, b"", {}, method="GET", path=page).status == 200
        assert send(port, b"", {}, method="GET").status == 404
        assert send(port, b"", {}, method="DELETE", path="/healthz").status == 405


def test_a_function_whose_database_is_away_is_alive_but_not_ready() -> None:
    def behind() -> str | None:
        raise QueueUnavailable("PostgreSQL does not answer")

    with listening(EventFunction(lambda _: None, behind, Telemetry())) as port:
        assert send(port, b"", {}, method="GET", path="/healthz").status == 200
        assert send(port, b"", {}, method="GET", path="/readyz").status == 503


def test_a_poke_dispatches_what_waits(desk: Desk) -> None:
    job = desk.job(name="one")
    telemetry = Telemetry()
    passes = Passes(desk.tick, telemetry.registry)
    with listening(EventFunction(passes.poke, lambda: None, telemetry)) as port:
        answer = send(port, *binary(QUEUE_CHANGED))
        assert (answer.status, answer.body) == (204, b"")
        samples = send(port, b"", {}, method="GET", path="/metrics").body.decode()
    assert desk.state(job) == "dispatched"
    assert "sentinels_passes_total 1.0" in samples
    assert "sentinels_launches_total 1.0" in samples


class SlowPasses:
    """Counts passes; each lasts until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.most_at_once = 0
        self.now = 0
        self.entered = threading.Semaphore(0)
        self.let_go = threading.Semaphore(0)

    def run(self) -> PassReport:
        self.begun += 1
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        self.entered.release()
        assert self.let_go.acquire(timeout=20)
        self.now -= 1
        return PassReport(0, 0, 0, 1.0)


def test_pokes_during_a_pass_become_one_more_pass_and_do_not_wait() -> None:
    slow, telemetry = SlowPasses(), Telemetry()
    passes = Passes(slow.run, telemetry.registry)
    made = EventFunction(passes.poke, lambda: None, telemetry)
    with listening(made) as port, ThreadPoolExecutor(1) as pool:
        first = pool.submit(send, port, *binary(PING))
        assert slow.entered.acquire(timeout=20)
        assert [send(port, *binary(QUEUE_CHANGED)).status for _ in range(5)] == [204] * 5
        slow.let_go.release()
        assert slow.entered.acquire(timeout=20)
        slow.let_go.release()
        assert first.result(20).status == 204
        slow.let_go.release()
        assert send(port, *binary(PING)).status == 204
    assert (slow.begun, slow.most_at_once) == (3, 1)


def test_a_pass_that_failed_does_not_stop_the_next(desk: Desk) -> None:
    troubles: list[Exception] = [ClusterUnavailable("the cluster is away")]

    def run() -> PassReport:
        if troubles:
            raise troubles.pop()
        return desk.tick()

    telemetry = Telemetry()
    made = EventFunction(Passes(run, telemetry.registry).poke, lambda: None, telemetry)
    with listening(made) as port:
        assert [send(port, *binary(PING)).status for _ in range(2)] == [503, 204]
