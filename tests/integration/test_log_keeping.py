"""What is due to the log store is caught up when it is back; what is away is said in status."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from sentinels.clock import utc_now
from sentinels.core.errors import LogStoreUnavailable
from sentinels.core.log_keeping import CHORES_EVERY, TROUBLED_EVERY, LogChores
from sentinels.core.log_lines import SECOND_NS
from sentinels.core.log_store import LogLine
from sentinels.core.notifying import deliver_due
from sentinels.core.observation import Finished
from sentinels.core.settling import SettlingLimits
from sentinels.core.workload import WorkloadRef
from sentinels.settings import Settings
from tests.conftest import TOKEN
from tests.support.desk import Desk, ref
from tests.support.front import Client, FileTracker, LineCluster, LoggedCluster, make_door, serving
from tests.support.stores import RecordingStore

_DUE = "SELECT state, tries, error FROM outbox WHERE channel = 'logs'"


@dataclass
class ShippingCluster(LoggedCluster):
    """A cluster that brings lines to the store itself; ``left``: how often it is not done yet."""

    left: int = 0
    collected: list[WorkloadRef] = field(default_factory=list)

    def collect_log(self, ref: WorkloadRef) -> bool:
        self.collected.append(ref)
        self.left -= 1
        return self.left < 0


@pytest.fixture
def cluster(desk: Desk) -> ShippingCluster:
    made = ShippingCluster()
    desk.cluster = made
    desk.store = RecordingStore()
    desk.limits = SettlingLimits(lease_seconds=30, ships_logs=True)
    return made


def end(desk: Desk, job: int) -> None:
    now = utc_now()
    desk.cluster.seen[ref(job)] = Finished("uid", None, 0, now, now)
    desk.tick()


def deliver(desk: Desk) -> None:
    desk.change("UPDATE outbox SET due_at = now() WHERE due_at IS NOT NULL")
    deliver_due(desk.notify())


def test_an_end_makes_its_log_due_to_the_store_until_all_of_it_is_there(
    desk: Desk, cluster: ShippingCluster
) -> None:
    job = desk.job(name="one")
    desk.tick()
    cluster.left = 1
    end(desk, job)
    deliver(desk)
    ((state, tries, error),) = desk.ask(_DUE)
    assert (state, tries) == ("pending", 1)
    assert "not all sent yet" in str(error)
    deliver(desk)
    assert desk.ask(_DUE)[0][0] == "delivered"
    assert cluster.collected == [ref(job)] * 2


def test_a_store_that_is_down_is_asked_once_a_round_and_holds_up_no_message(
    desk: Desk, cluster: ShippingCluster
) -> None:
    jobs = [desk.job(name=name) for name in ("one", "two")]
    desk.tick()
    for job in jobs:
        end(desk, job)
    assert isinstance(desk.store, RecordingStore)
    desk.store.down = True
    deliver(desk)
    assert [state for state, *_ in desk.ask(_DUE)] == ["pending", "pending"]
    told = desk.ask("SELECT state FROM outbox WHERE channel = 'messenger'")
    assert told == [("kept",), ("kept",)]
    assert cluster.collected == []
    desk.store.down = False
    deliver(desk)
    assert [state for state, *_ in desk.ask(_DUE)] == ["delivered", "delivered"]


def test_without_a_store_nothing_is_due_to_one(desk: Desk, cluster: ShippingCluster) -> None:
    desk.limits = SettlingLimits(lease_seconds=30)
    job = desk.job(name="one")
    desk.tick()
    end(desk, job)
    assert desk.ask(_DUE) == []


def test_a_log_that_only_the_store_has_is_copied_from_there_once_it_has_all(desk: Desk) -> None:
    desk.cluster = cluster = LineCluster()
    desk.tracker = tracker = FileTracker()
    desk.store = store = RecordingStore()
    job = desk.job(name="one")
    desk.tick()
    now = utc_now()
    cluster.seen[ref(job)] = Finished("uid", None, 0, now - timedelta(seconds=1), now)
    desk.tick()
    store.kept = [LogLine(int(now.timestamp()) * SECOND_NS, "from the store")]
    deliver(desk)
    assert tracker.files == {}, "the rest may be on its way"
    desk.change("UPDATE attempts SET finished_at = finished_at - interval '1 minute'")
    store.down = True
    deliver(desk)
    assert tracker.files == {}, "nobody can say that this is all"
    store.down = False
    deliver(desk)
    (copy,) = tracker.files.values()
    assert copy.decode().endswith("Z from the store\n")


def test_chores_are_done_now_and_then_and_sooner_after_trouble() -> None:
    store, told = RecordingStore(), list[str]()
    moments = [datetime(2026, 11, 28, tzinfo=UTC)]
    chores = LogChores(store, 30, lambda: moments[-1], told.append)
    chores.do()
    chores.do()
    assert (store.asked.count("prepare"), store.expired) == (1, [(30, moments[0])])
    moments.append(moments[-1] + CHORES_EVERY)
    store.down = True
    chores.do()
    assert told == ["the search store does not answer"]
    moments.append(moments[-1] + TROUBLED_EVERY)
    store.down = False
    chores.do()
    assert len(store.expired) == 2


def test_chores_are_done_by_one_at_a_time() -> None:
    begun, go = threading.Event(), threading.Event()

    class Slow(RecordingStore):
        def prepare(self) -> None:
            begun.set()
            go.wait(10)
            super().prepare()

    store = Slow()
    chores = LogChores(store, 30, utc_now, print)
    thread = threading.Thread(target=chores.do)
    thread.start()
    assert begun.wait(10)
    chores.do()
    go.set()
    thread.join(10)
    assert store.asked == ["prepare"]


def test_status_says_that_the_store_does_not_answer_and_links_to_its_page(desk: Desk) -> None:
    store, job = RecordingStore(), desk.job(name="one")
    settings = Settings(logs_page_url="http://kibana/?job={job}")
    door = make_door(desk, LoggedCluster(), None, settings=settings, store=store)
    with serving(door) as port:
        client = Client(port, TOKEN)
        found = client.get(f"/v1/jobs/{job}").json
        assert found["unavailable"] == []
        assert found["links"]["logs"] == f"http://kibana/?job={job}"
        store.down = True
        found = client.get(f"/v1/jobs/{job}").json
        assert found["unavailable"] == ["the search store does not answer"]
        listed = client.get("/v1/jobs").json["jobs"]
        assert listed[0]["links"]["logs"] == f"http://kibana/?job={job}"


def test_a_store_that_says_no_is_said_with_what_may_be_missing(desk: Desk) -> None:
    store, cluster = RecordingStore(down=True), LineCluster()
    desk.cluster = cluster
    job = desk.job(name="one")
    desk.tick()
    cluster.logs[ref(job)] = [LogLine(1, "a line")]
    with serving(make_door(desk, cluster, None, store=store)) as port:
        piece = Client(port, TOKEN).get(f"/v1/jobs/{job}/logs").json
    assert (piece["text"], piece["source"]) == ("a line\n", "cluster")
    assert piece["unavailable"] == (
        "the search store does not answer; what only that has is missing here"
    )
    with pytest.raises(LogStoreUnavailable):
        store.check()
