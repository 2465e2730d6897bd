"""A job's status says what of it is late, and why; nobody is asked for that."""

from __future__ import annotations

import pytest

from sentinels.clock import utc_now
from sentinels.core.errors import MessengerUnavailable, TrackerUnavailable
from sentinels.core.job import Reason
from sentinels.core.notifying import workload_changed
from sentinels.core.observation import Running
from tests.conftest import TOKEN
from tests.integration.test_notifying import Notebook, Pigeon
from tests.integration.test_settling import finished, launched
from tests.support.desk import Desk, ref
from tests.support.front import Client, FileTracker, LoggedCluster, make_door, serving


def lacks(desk: Desk, job: int) -> list[str]:
    with serving(make_door(desk, LoggedCluster(), FileTracker())) as port:
        found = Client(port, TOKEN).get(f"/v1/jobs/{job}").json["unavailable"]
    assert isinstance(found, list)
    return found


def test_what_could_not_be_delivered_is_said_until_it_is(desk: Desk) -> None:
    desk.messenger = Pigeon(trouble=MessengerUnavailable("Slack does not answer"))
    desk.tracker = notebook = Notebook(trouble=TrackerUnavailable("MLflow does not answer"))
    job = launched(desk)
    desk.cluster.seen[ref(job)] = finished(Reason.EXITED_NONZERO, exit_code=1)
    assert lacks(desk, job) == [
        "its run in MLflow is opened late: MLflow did not answer when it was launched"
    ]
    workload_changed(desk.notify(), ref(job))
    assert lacks(desk, job) == [
        "its record in MLflow is late: MLflow does not answer",
        "a notice is late: Slack does not answer",
    ]
    notebook.trouble = desk.messenger.trouble = None
    desk.later(600)
    workload_changed(desk.notify(), ref(job))
    assert lacks(desk, job) == []


@pytest.mark.parametrize("state", ["queued", "dispatched", "running"])
def test_nothing_is_lacking_of_a_job_that_is_as_it_should_be(desk: Desk, state: str) -> None:
    desk.tracker = Notebook()
    job = desk.job()
    if state != "queued":
        desk.tick()
    if state == "running":
        desk.cluster.seen[ref(job)] = Running("uid", utc_now(), "n1")
        desk.tick()
    assert lacks(desk, job) == []
