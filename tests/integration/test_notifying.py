"""The outbox delivers at least once, and what is down is caught up later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sentinels.clock import utc_now
from sentinels.core.audience import NoticeRules
from sentinels.core.errors import MessageRefused, MessengerUnavailable, TrackerUnavailable
from sentinels.core.job import JobId, JobState, Reason
from sentinels.core.notifying import deliver_due, workload_changed
from sentinels.core.observation import Running
from sentinels.core.ports import Artifact, Message, RunRequest, TrackerRun
from sentinels.core.rights import Role
from sentinels.db.intake import PostgresIntake
from sentinels.db.notices import PostgresNotices
from sentinels.db.people import caller_of, ensure_user
from tests.integration.test_settling import finished, launched
from tests.support.desk import Desk, ref


@dataclass
class Pigeon:
    """Keeps what it carried; ``trouble`` is what it raises instead."""

    trouble: Exception | None = None
    carried: list[tuple[str | None, str]] = field(default_factory=list)

    @property
    def has_threads(self) -> bool:
        return False

    def send(self, message: Message) -> None:
        if self.trouble:
            raise self.trouble
        self.carried.append((message.to, message.text))


@dataclass
class Notebook:
    """Keeps what it was told; ``trouble`` is what it raises instead."""

    trouble: Exception | None = None
    opened: list[RunRequest] = field(default_factory=list)
    closed: list[tuple[str, JobState, Mapping[str, str]]] = field(default_factory=list)

    def open_run(self, request: RunRequest) -> TrackerRun:
        if self.trouble:
            raise self.trouble
        self.opened.append(request)
        return TrackerRun(f"run-{request.ref.name}", "1", "http://page", "http://outputs")

    def close_run(
        self, run_id: str, *, state: JobState, ended_at: datetime, tags: Mapping[str, str]
    ) -> None:
        if self.trouble:
            raise self.trouble
        self.closed.append((run_id, state, tags))

    def metrics(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
        return {}

    def artifacts(self, run_id: str) -> Sequence[Artifact]:
        return []

    def read_artifact(self, run_id: str, path: str) -> bytes:
        return b""


def ended(desk: Desk, reason: Reason | None = None, **config: object) -> JobId:
    job_id = launched(desk, **config)
    exit_code = 0 if reason is None else 1
    desk.cluster.seen[ref(job_id)] = finished(reason, exit_code=exit_code)
    return job_id


def outbox(desk: Desk) -> list[tuple[object, ...]]:
    return desk.ask("SELECT kind, channel, state FROM outbox ORDER BY id")


def test_an_end_is_told_and_recorded_and_dispatch_is_poked(desk: Desk) -> None:
    desk.messenger, desk.tracker = Pigeon(), Notebook()
    job_id = ended(desk, Reason.EXITED_NONZERO, notify={"channel": "#vision"})
    pokes = desk.pokes.count
    workload_changed(desk.notify(), ref(job_id))
    [(channel, text)] = desk.messenger.carried
    assert channel == "#vision"
    assert f"job {job_id}" in text
    assert "exit code 1" in text
    assert f"sentinels logs {job_id}" in text
    [(run_id, state, tags)] = desk.tracker.closed
    assert (run_id, state) == (f"run-sentinels-{job_id}-1", JobState.FAILED)
    assert tags["sentinels.exit_code"] == "1"
    assert desk.pokes.count == pokes + 1
    assert deliver_due(desk.notify()) == 0


def test_without_a_messenger_notices_are_kept(desk: Desk) -> None:
    job_id = ended(desk)
    workload_changed(desk.notify(), ref(job_id))
    assert ("succeeded", "messenger", "kept") in outbox(desk)


def test_a_messenger_that_is_down_is_caught_up_later(desk: Desk) -> None:
    desk.messenger = Pigeon(trouble=MessengerUnavailable("asleep", retry_after=40))
    job_id = ended(desk)
    workload_changed(desk.notify(), ref(job_id))
    assert desk.state(job_id) == "succeeded"
    [(wait, error)] = desk.ask(
        "SELECT extract(epoch FROM r.next_at - now()), o.error FROM outbox o"
        "  JOIN recipients r ON r.address = coalesce(o.recipient, '') WHERE channel = 'messenger'"
    )
    assert 30 < float(str(wait)) <= 40
    assert error == "asleep"
    desk.messenger.trouble = None
    assert deliver_due(desk.notify()) == 0, "the messenger said when it may be asked again"
    desk.later(40)
    assert deliver_due(desk.notify()) == 1
    assert len(desk.messenger.carried) == 1


def test_a_message_that_is_refused_is_not_tried_again(desk: Desk) -> None:
    desk.messenger = Pigeon(trouble=MessageRefused("channel_not_found"))
    job_id = ended(desk)
    workload_changed(desk.notify(), ref(job_id))
    assert desk.ask("SELECT state, error FROM outbox WHERE channel = 'messenger'") == [
        ("failed", "channel_not_found")
    ]


def test_a_tracker_that_is_down_stops_no_job_and_is_caught_up_later(desk: Desk) -> None:
    notebook = Notebook(trouble=TrackerUnavailable("down"))
    desk.tracker = notebook
    job_id = ended(desk)
    workload_changed(desk.notify(), ref(job_id))
    assert desk.state(job_id) == "succeeded"
    notebook.trouble = None
    desk.change("UPDATE outbox SET due_at = now() WHERE due_at IS NOT NULL")
    deliver_due(desk.notify())
    assert [request.ref for request in notebook.opened] == [ref(job_id)]
    assert [closed[0] for closed in notebook.closed] == [f"run-sentinels-{job_id}-1"]
    assert desk.ask("SELECT mlflow_run_id FROM attempts") == [(f"run-sentinels-{job_id}-1",)]


def test_a_delivery_whose_taker_died_is_taken_again(desk: Desk) -> None:
    desk.messenger = Pigeon()
    job_id = ended(desk)
    desk.tick()
    assert desk.notify().deliver.outbox.take_due(batch=10, lease_seconds=60)
    assert PostgresNotices(desk.engine).take(lease_seconds=60)
    assert deliver_due(desk.notify()) == 0
    desk.later(60)
    deliver_due(desk.notify())
    assert [text.split()[2] for _, text in desk.messenger.carried] == [str(job_id)]
    assert {state for _, _, state in outbox(desk)} == {"delivered", "kept"}


def test_each_end_is_told_once_however_often_it_is_seen(desk: Desk) -> None:
    desk.messenger = Pigeon()
    job_id = ended(desk)
    for _ in range(3):
        workload_changed(desk.notify(), ref(job_id))
        desk.tick()
    assert len(desk.messenger.carried) == 1


def told(desk: Desk) -> list[tuple[object, ...]]:
    return desk.ask(
        "SELECT kind, recipient, split_part(body, chr(10), 1) FROM outbox"
        " WHERE channel = 'messenger' ORDER BY id"
    )


def test_a_start_after_a_long_wait_is_told_and_any_other_is_not(desk: Desk) -> None:
    quick, slow = desk.job(), desk.job()
    desk.change("UPDATE jobs SET submitted_at = now() - interval '2 hours' WHERE id = :id", id=slow)
    desk.tick()
    for job_id in (quick, slow):
        desk.cluster.seen[ref(job_id)] = Running("uid", utc_now(), "box")
    desk.tick()
    [(kind, _, body)] = told(desk)
    assert kind == "long_wait"
    assert str(body).startswith(f"▶ job {slow} digits (ann) started after waiting 2h")


def test_a_second_attempt_has_not_waited_long(desk: Desk) -> None:
    job_id = launched(desk)
    desk.change("UPDATE jobs SET submitted_at = now() - interval '2 hours'")
    desk.cluster.seen[ref(job_id)] = finished(Reason.EVICTED)
    desk.tick()
    desk.tick()
    desk.cluster.seen[ref(job_id, 2)] = Running("uid", utc_now(), "box")
    desk.tick()
    assert desk.state(job_id) == "running"
    assert told(desk) == []


def test_who_waited_for_a_job_that_failed_is_told_that_theirs_will_not_start(desk: Desk) -> None:
    first = launched(desk, notify={"on": []})
    second = desk.job(after=[first])
    desk.cluster.seen[ref(first)] = finished(Reason.EXITED_NONZERO, exit_code=1)
    desk.tick()
    desk.tick()
    assert desk.state(second) == "cancelled"
    [(kind, _, body)] = told(desk)
    assert kind == "cancelled"
    assert body == (
        f"■ job {second} digits cancelled before it started: job {first}, which it was to start"
        " after, failed"
    )


def test_a_cancel_is_told_unless_the_owner_did_it(desk: Desk, database_url: str) -> None:
    ensure_user(database_url, team="default", user="bob", token="bob-token", role=Role.LEAD)
    bob = caller_of(desk.engine, "bob-token")
    assert bob is not None
    desk.cluster.nodes = ()
    intake = PostgresIntake(desk.engine, desk.failpoint)
    own, other = desk.job(), desk.job()
    intake.cancel(desk.caller, own)
    intake.cancel(bob, other)
    assert [(kind, body) for kind, _, body in told(desk)] == [
        ("cancelled", f"■ job {other} digits cancelled by bob before it started")
    ]


def test_what_the_infrastructure_breaks_for_good_is_on_calls_too(desk: Desk) -> None:
    rules = NoticeRules(oncall=("#oncall",))
    desk.limits = replace(desk.limits, infrastructure_tries=1, rules=rules)
    job_id = launched(desk)
    desk.cluster.seen[ref(job_id)] = finished(Reason.NODE_LOST)
    desk.tick()
    desk.change("UPDATE deferred SET not_before = now()")
    desk.tick()
    desk.cluster.seen[ref(job_id, 2)] = finished(Reason.NODE_LOST)
    desk.tick()
    assert desk.state(job_id) == "failed"
    assert [(kind, recipient) for kind, recipient, _ in told(desk)] == [
        ("requeued", "#oncall"),
        ("failed", None),
        ("failed", "#oncall"),
    ]
