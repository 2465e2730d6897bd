"""A dossier is written with the end, before the workload may go; what comes late completes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from sentinels.clock import utc_now
from sentinels.core.dossier import (
    Cause,
    ClusterEvent,
    Dossier,
    Gap,
    LastLines,
    NodeCondition,
    Part,
)
from sentinels.core.dossier import Testimony as Said
from sentinels.core.errors import LogStoreUnavailable
from sentinels.core.filing import DOSSIER, LATE_SECONDS
from sentinels.core.job import JobId, Reason
from sentinels.core.log_store import LogLine
from sentinels.core.notifying import deliver_due, workload_changed
from sentinels.core.observation import Finished, Usage
from sentinels.core.settling import SettlingLimits, settle_jobs
from sentinels.core.workload import WorkloadRef
from sentinels.db.outbox import PostgresOutbox
from sentinels.db.reading import PostgresReading
from tests.conftest import TOKEN
from tests.integration.test_settling import finished, launched, running
from tests.support.desk import Desk, ref
from tests.support.front import Client, FileTracker, LoggedCluster, make_door, serving
from tests.support.scripted import ScriptedCluster

GONE = Said(gaps=(Gap(Part.LINES, "its pod was gone"),))
NASTY = (
    "\x1b[31mred\x1b]8;;http://evil\x07link",
    "nul \x00 half \ud800 wrong \udcff",
    "<!channel> & <http://evil|click>",
    "x" * 4000,
    "\u202e right to left",
)


def said(*lines: str, **others: Any) -> Said:
    return Said(LastLines(lines, "its log"), **others)


def kept(desk: Desk, job_id: int, attempt: int = 1) -> Dossier:
    reading = PostgresReading(desk.engine, policy=lambda: desk.policy)
    return reading.dossier(reading.find(desk.caller, str(job_id)), attempt)


def end(desk: Desk, job_id: JobId, testimony: Said, **end: Any) -> None:
    """The job's attempt ends, and the cluster says this of it."""
    desk.cluster.seen[ref(job_id)] = finished(**{"reason": Reason.EXITED_NONZERO, **end})
    desk.cluster.said[ref(job_id)] = testimony
    settle_jobs(desk.settle("notify"), [job_id])


def due_now(desk: Desk) -> None:
    desk.change("UPDATE outbox SET due_at = now() WHERE due_at IS NOT NULL")


def pending(desk: Desk) -> list[tuple[object, ...]]:
    asked = "SELECT state FROM outbox WHERE channel = :channel"
    return desk.ask(asked, channel=DOSSIER)


def test_what_the_cluster_testifies_is_kept_with_the_end(desk: Desk) -> None:
    job_id = launched(desk)
    at = utc_now()
    testimony = said(
        "epoch 1",
        "KeyError: 'x'",
        events=(ClusterEvent(at, "pod", "BackOff", "no", warns=True, count=2),),
        conditions=(NodeCondition("Ready", bad=False, since=at),),
        facts={"container_reason": "Error"},
        gaps=(Gap(Part.EVENTS, "not all"),),
    )
    end(desk, job_id, testimony, exit_code=3)
    found = kept(desk, job_id)
    sentence = "the program ended with a non-zero exit code (exit code 3)"
    assert found == Dossier(Cause(Reason.EXITED_NONZERO, sentence), 3, testimony)
    assert desk.ask("SELECT dossier->'cause'->>'class', dossier->>'version' FROM attempts") == [
        ("user", "1")
    ]


@dataclass
class Witness(ScriptedCluster):
    """Looks at what is committed when it is told to let a workload go."""

    desk: Desk | None = None
    committed: list[object] = field(default_factory=list)

    def release(self, ref: WorkloadRef) -> None:
        assert self.desk is not None
        lines = "SELECT dossier->'lines'->'texts'->>0 FROM attempts WHERE NOT live"
        self.committed += [row[0] for row in self.desk.ask(lines)]
        super().release(ref)


def test_it_is_committed_before_the_workload_may_go(desk: Desk) -> None:
    desk.cluster = Witness(desk=desk)
    job_id = launched(desk)
    end(desk, job_id, said("the last line"))
    assert desk.cluster.committed == ["the last line"]


def test_the_cluster_is_asked_once_about_all_that_ended_and_about_nothing_else(desk: Desk) -> None:
    ids = [desk.job(resources={"cpu": 0.1}) for _ in range(5)]
    desk.tick()
    for job_id in ids[:4]:
        desk.cluster.seen[ref(job_id)] = finished(Reason.EXITED_NONZERO)
    desk.cluster.seen[ref(ids[4])] = running()
    desk.tick()
    assert desk.cluster.heard == [frozenset(map(ref, ids[:4]))]
    desk.tick()
    assert len(desk.cluster.heard) == 1


def test_whatever_a_program_printed_is_kept_and_harms_nothing(desk: Desk) -> None:
    job_id = launched(desk, name="nasty")
    told = ClusterEvent(None, NASTY[1], NASTY[0], NASTY[1], warns=True)
    condition = NodeCondition(NASTY[1], bad=True, message=NASTY[0])
    facts = {NASTY[1]: NASTY[1]}
    testimony = said(*NASTY, events=(told,), conditions=(condition,), facts=facts)
    seen = replace(finished(Reason.EXITED_NONZERO, exit_code=1), message=NASTY[1])
    desk.cluster.seen[ref(job_id)], desk.cluster.said[ref(job_id)] = seen, testimony
    settle_jobs(desk.settle("notify"), [job_id])
    assert desk.state(job_id) == "failed"
    texts = kept(desk, job_id).testimony.lines.texts
    assert texts[0] == NASTY[0]
    assert texts[1] == "nul � half � wrong �"
    [(body,)] = desk.ask("SELECT body FROM outbox WHERE channel = 'messenger'")
    assert "\x1b" not in str(body)
    assert "\u202e" not in str(body)


def test_a_launch_that_was_rejected_has_a_dossier_too(desk: Desk) -> None:
    job_id = launched(desk)
    end(desk, job_id, Said(), reason=Reason.REJECTED, exit_code=None)
    assert kept(desk, job_id).cause is not None
    assert desk.cluster.said[ref(job_id)] == Said()


def test_each_attempt_has_its_own(desk: Desk) -> None:
    job_id = launched(desk, retry={"exit": {"3": 1}, "backoff": "1s"})
    end(desk, job_id, said("first"), exit_code=3)
    desk.change("UPDATE deferred SET not_before = now()")
    desk.tick()
    desk.cluster.seen[ref(job_id, 2)] = finished(Reason.EXITED_NONZERO, exit_code=3)
    desk.cluster.said[ref(job_id, 2)] = said("second")
    settle_jobs(desk.settle("notify"), [job_id])
    assert kept(desk, job_id, 1).testimony.lines.texts == ("first",)
    assert kept(desk, job_id, 2).testimony.lines.texts == ("second",)


@dataclass
class Store:
    """A log store; ``trouble`` is what it raises instead."""

    texts: list[str] = field(default_factory=list)
    trouble: Exception | None = None
    asked: int = 0

    def lines(
        self, ref: WorkloadRef, *, after_ns: int | None, before_ns: int | None, limit: int
    ) -> Sequence[LogLine]:
        if self.trouble:
            raise self.trouble
        after = -1 if after_ns is None else after_ns
        return [line for line in self._all() if line.at_ns > after][:limit]

    def last_lines(
        self, ref: WorkloadRef, count: int, *, before_ns: int | None = None
    ) -> Sequence[LogLine]:
        self.asked += 1
        if self.trouble:
            raise self.trouble
        return self._all()[-count:]

    def _all(self) -> list[LogLine]:
        return [LogLine(number, text) for number, text in enumerate(self.texts)]

    def last_output(self, refs: Sequence[WorkloadRef]) -> Mapping[WorkloadRef, datetime]:
        raise NotImplementedError


@pytest.fixture
def watched(desk: Desk) -> Desk:
    """A desk with a log store."""
    desk.limits, desk.store = SettlingLimits(log_store=True), Store(["late 1", "late 2"])
    return desk


def test_what_comes_late_is_filed_some_seconds_after_the_end(watched: Desk) -> None:
    job_id = launched(watched)
    end(watched, job_id, GONE)
    [(wait,)] = watched.ask(
        "SELECT extract(epoch FROM due_at - now()) FROM outbox WHERE channel = :channel",
        channel=DOSSIER,
    )
    assert LATE_SECONDS - 5 < float(str(wait)) <= LATE_SECONDS
    deliver_due(watched.notify())
    assert kept(watched, job_id).testimony == GONE
    due_now(watched)
    deliver_due(watched.notify())
    found = kept(watched, job_id).testimony
    assert found.lines == LastLines(("late 1", "late 2"), "the log store")
    assert found.gaps == ()
    assert pending(watched) == [("delivered",)]


def test_what_was_there_stays_however_often_it_is_filed(watched: Desk) -> None:
    job_id = launched(watched)
    end(watched, job_id, GONE)
    assert isinstance(watched.store, Store)
    for texts in (["first"], ["second"], ["third"]):
        watched.store.texts = texts
        watched.change(
            "UPDATE outbox SET state = 'pending', due_at = now() WHERE channel = :channel",
            channel=DOSSIER,
        )
        deliver_due(watched.notify())
    assert kept(watched, job_id).testimony.lines.texts == ("first",)


def test_of_two_who_file_at_once_the_second_changes_nothing(desk: Desk) -> None:
    job_id = launched(desk)
    end(desk, job_id, GONE)
    outbox = PostgresOutbox(desk.engine)
    for text in ("first", "second"):
        dossier = Dossier(None, 1, GONE).with_lines(LastLines((text,), "the log store"))
        outbox.record_dossier(ref(job_id), dossier)
    assert kept(desk, job_id).testimony.lines.texts == ("first",)


def test_what_has_not_ended_is_not_filed(desk: Desk) -> None:
    job_id = launched(desk)
    PostgresOutbox(desk.engine).record_dossier(ref(job_id), Dossier())
    assert desk.ask("SELECT dossier FROM attempts") == [(None,)]


def test_what_was_taken_away_before_it_was_seen_to_run_is_looked_for_too(watched: Desk) -> None:
    job_id = launched(watched)
    seen = Finished("uid", Reason.EVICTED, None, None, utc_now())
    watched.cluster.seen[ref(job_id)], watched.cluster.said[ref(job_id)] = seen, GONE
    settle_jobs(watched.settle("notify"), [job_id])
    due_now(watched)
    deliver_due(watched.notify())
    assert kept(watched, job_id).testimony.lines.texts == ("late 1", "late 2")


def test_nothing_is_filed_where_nothing_is_lacking_or_nothing_can_be_had(desk: Desk) -> None:
    end(desk, launched(desk), GONE)
    assert pending(desk) == []
    desk.limits = SettlingLimits(log_store=True)
    end(desk, launched(desk), said("all there"))
    end(desk, launched(desk), GONE, reason=Reason.IMAGE_UNAVAILABLE)
    desk.change("DELETE FROM outbox")
    job_id = launched(desk)
    now = utc_now()
    never = Finished("uid", Reason.IMAGE_UNAVAILABLE, None, None, now)
    desk.cluster.seen[ref(job_id)] = never
    settle_jobs(desk.settle("notify"), [job_id])
    assert pending(desk) == []


def test_lines_that_are_not_there_yet_hold_up_no_others(watched: Desk) -> None:
    slow, quick = launched(watched), launched(watched)
    end(watched, slow, GONE)
    end(watched, quick, GONE)
    store = watched.store
    assert isinstance(store, Store)
    store.texts = []
    due_now(watched)
    deliver_due(watched.notify())
    assert store.asked == 2
    assert pending(watched) == [("pending",), ("pending",)]
    pulse = PostgresReading(watched.engine, policy=lambda: watched.policy).pulse()
    assert (pulse.outbox_pending, pulse.outbox_error) == (2, None), "what is on its way is no fault"
    store.texts = ["at last"]
    due_now(watched)
    deliver_due(watched.notify())
    assert kept(watched, quick).testimony.lines.texts == ("at last",)


def test_a_program_that_printed_nothing_is_not_looked_for_for_ever(watched: Desk) -> None:
    end(watched, launched(watched), GONE)
    assert isinstance(watched.store, Store)
    watched.store.texts = []
    for _ in range(10):
        due_now(watched)
        deliver_due(watched.notify())
    assert pending(watched) == [("delivered",)]
    assert watched.store.asked < 10


def test_a_store_that_is_away_is_caught_up_later(watched: Desk) -> None:
    job_id = launched(watched)
    end(watched, job_id, GONE)
    assert isinstance(watched.store, Store)
    watched.store.trouble = LogStoreUnavailable("away")
    due_now(watched)
    deliver_due(watched.notify())
    assert kept(watched, job_id).testimony == GONE
    watched.store.trouble = None
    due_now(watched)
    deliver_due(watched.notify())
    assert kept(watched, job_id).testimony.lines.texts == ("late 1", "late 2")


@pytest.fixture
def cluster(desk: Desk) -> LoggedCluster:
    made = LoggedCluster(keeps_logs=False)
    desk.cluster = made
    return made


@pytest.fixture
def tracker() -> FileTracker:
    return FileTracker()


@pytest.fixture
def client(desk: Desk, cluster: LoggedCluster, tracker: FileTracker) -> Iterator[Client]:
    desk.tracker = tracker
    store = Store(["from the store"])
    desk.store = store
    with serving(make_door(desk, cluster, tracker, store=store)) as port:
        yield Client(port, TOKEN)


def explained(client: Client, job: object, **query: object) -> dict[str, Any]:
    answer = client.get(f"/v1/jobs/{job}/dossier", **query)
    assert answer.status == 200, answer.body
    return answer.json


def test_the_route_answers_with_everything_that_is_known(client: Client, desk: Desk) -> None:
    job_id = launched(desk, name="digits")
    usage = Usage(peak_memory_bytes=2**29, peak_cpu_cores=0.5)
    lines = ("Traceback (most recent call last):", "ModuleNotFoundError: No module named 'apex'")
    seen = replace(finished(Reason.EXITED_NONZERO, exit_code=1), usage=usage, node="box")
    desk.cluster.seen[ref(job_id)], desk.cluster.said[ref(job_id)] = seen, said(*lines)
    settle_jobs(desk.settle("notify"), [job_id])
    found = explained(client, "digits")
    assert found["ended"]
    assert (found["cause"]["reason"], found["cause"]["class"]) == ("exited_nonzero", "user")
    assert found["advice"] == [
        "Python found no module apex: add it to the image, or correct the import."
    ]
    assert found["said"] == [lines[1]]
    assert found["lines"] == {"texts": list(lines), "source": "its log", "whole": True}
    assert [(each["what"], each["part"]) for each in found["used"]] == [
        ("memory", 0.5),
        ("CPU", 0.5),
    ]
    assert found["job"]["digest"] == "sha256:0"
    assert found["attempt"]["mlflow_url"] == f"http://mlflow/run-sentinels-{job_id}-1"
    assert found["attempts"] == [found["attempt"]]


def test_what_has_not_ended_says_so(client: Client, desk: Desk) -> None:
    job_id = desk.job()
    assert not explained(client, job_id)["ended"]
    desk.tick()
    found = explained(client, job_id)
    assert (found["ended"], found["cause"], found["advice"]) == (False, None, [])


def test_a_job_that_was_cancelled_while_it_waited_is_explained(client: Client, desk: Desk) -> None:
    job_id = desk.job()
    client.post(f"/v1/jobs/{job_id}/cancel")
    found = explained(client, job_id)
    assert (found["ended"], found["attempt"]) == (True, None)
    assert found["cause"]["reason"] == "cancelled"


def test_a_job_that_was_cancelled_between_two_attempts_is_explained_by_that(
    client: Client, desk: Desk
) -> None:
    job_id = launched(desk)
    end(desk, job_id, said("moving"), reason=Reason.NODE_LOST, exit_code=None)
    assert explained(client, job_id)["advice"] == [
        "Nothing has to be done about this attempt: the job was queued again by itself."
    ]
    client.post(f"/v1/jobs/{job_id}/cancel")
    assert explained(client, job_id)["cause"]["reason"] == "cancelled"
    assert explained(client, job_id, attempt=1)["cause"]["reason"] == "node_lost"
    assert client.get(f"/v1/jobs/{job_id}/dossier", attempt=2).status == 404


def test_lines_that_could_not_be_had_are_looked_for_where_they_are_kept(
    client: Client, desk: Desk, cluster: LoggedCluster, tracker: FileTracker
) -> None:
    job_id = launched(desk)
    end(desk, job_id, GONE)
    assert explained(client, job_id)["lines"]["texts"] == ["from the store"]
    assert explained(client, job_id)["gaps"] == []
    assert isinstance(desk.store, Store)
    desk.store.trouble = LogStoreUnavailable("away")
    cluster.logs[ref(job_id)] = b"x\n" * 300 + b"from the pod"
    found = explained(client, job_id)["lines"]
    assert (len(found["texts"]), found["texts"][-1]) == (200, "from the pod")
    assert not found["whole"]
    del cluster.logs[ref(job_id)]
    tracker.down = True
    nothing = explained(client, job_id)
    assert nothing["lines"]["texts"] == []
    assert nothing["gaps"] == [{"part": "lines", "why": "its pod was gone"}]
    tracker.down = False
    tracker.files["sentinels/log.txt"] = b"2026-11-28T12:00:00.000000001Z from the run\n"
    assert explained(client, job_id)["lines"]["texts"] == ["from the run"]


def test_a_program_that_printed_nothing_is_asked_about_nowhere(client: Client, desk: Desk) -> None:
    job_id = launched(desk)
    end(desk, job_id, said())
    assert explained(client, job_id)["lines"]["texts"] == []
    assert isinstance(desk.store, Store)
    assert desk.store.asked == 0


def test_another_teams_dossier_is_as_good_as_none(client: Client, desk: Desk) -> None:
    job_id = launched(desk)
    end(desk, job_id, said("secret"))
    desk.change("INSERT INTO teams (name) VALUES ('other')")
    desk.change("UPDATE jobs SET team_id = (SELECT id FROM teams WHERE name = 'other')")
    assert client.get(f"/v1/jobs/{job_id}/dossier").status == 404


def test_a_notice_carries_the_essence(desk: Desk) -> None:
    job_id = launched(desk, name="digits")
    desk.cluster.seen[ref(job_id)] = replace(
        finished(Reason.EXITED_NONZERO, exit_code=1),
        usage=Usage(peak_memory_bytes=2**29),
        finished_at=utc_now() + timedelta(seconds=60),
    )
    desk.cluster.said[ref(job_id)] = said("epoch 1", "RuntimeError: CUDA out of memory.")
    workload_changed(desk.notify(), ref(job_id))
    [(body,)] = desk.ask("SELECT body FROM outbox WHERE channel = 'messenger'")
    assert str(body).splitlines()[1:4] == [
        "used: memory 512Mi of 1Gi (50%)",
        "> RuntimeError: CUDA out of memory.",
        "The memory of its GPU ran out, not the machine's: more --memory does not help. Use "
        "smaller batches, or GPUs with more memory (--gpu-type).",
    ]
    assert f"More: sentinels explain {job_id}" in str(body)
