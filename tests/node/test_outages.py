"""Parts of the cluster go away under running jobs: nothing is lost, nothing runs twice."""

from __future__ import annotations

import time

import pytest
from tests.cluster.control_plane import ControlPlane
from tests.node.conftest import SHELL_IMAGE
from tests.node.machine import RealNode
from tests.support.town import Town

pytestmark = [pytest.mark.node, pytest.mark.timeout(400)]
SMALL = ("--cpu", "0.1", "--memory", "96Mi")
OUTAGE_SECONDS = 30


def runs_for(seconds: int) -> tuple[str, ...]:
    return ("--", "sh", "-c", f"echo begun; sleep {seconds}; echo over")


def test_the_api_server_is_away_for_half_a_minute(town: Town, control_plane: ControlPlane) -> None:
    before = town.push(SHELL_IMAGE, *SMALL, *runs_for(10))
    town.await_state(before, "running")
    control_plane.stop_part("apiserver")
    began = time.monotonic()
    during = town.push(SHELL_IMAGE, *SMALL, *runs_for(1))
    said = town.sentinels("doctor", code=3)
    assert "dispatch" in said
    left = OUTAGE_SECONDS - (time.monotonic() - began)
    time.sleep(max(0.0, left))  # the outage itself is what is tried
    control_plane.start_part("apiserver")
    for job_id in (before, during):
        job = town.await_end(job_id, seconds=120)
        assert (job["state"], len(job["attempts"])) == ("succeeded", 1), job["attempts"]
    assert town.sentinels("logs", str(before)) == "begun\nover\n"


def test_etcd_is_killed_and_started_again(town: Town, control_plane: ControlPlane) -> None:
    job_ids = [town.push(SHELL_IMAGE, *SMALL, *runs_for(8)) for _ in range(3)]
    town.await_state(job_ids[0], "running")
    control_plane.kill("etcd")
    control_plane.start_part("etcd")
    for job_id in job_ids:
        job = town.await_end(job_id, seconds=120)
        assert (job["state"], len(job["attempts"])) == ("succeeded", 1)


def test_a_node_that_falls_silent_is_lost_and_its_job_queued_again(
    town: Town, real_node: RealNode
) -> None:
    job_id = town.push(SHELL_IMAGE, *SMALL, "--notify-on", "requeued", *runs_for(3000))
    town.await_state(job_id, "running")
    real_node.kill_kubelet()
    try:
        town.await_job(job_id, lambda job: job["attempts"][0]["reason"] == "node_lost", seconds=120)
        assert "the infrastructure's fault" in town.notice(job_id, "requeued")
        assert "not ready" in town.sentinels("nodes").lower()
    finally:
        real_node.start_kubelet()
    town.await_job(
        job_id,
        lambda job: len(job["attempts"]) == 2 and job["state"] == "running",
        seconds=120,
    )
    first = f"sentinels.dev/job={job_id},sentinels.dev/attempt=1"
    town.await_job(job_id, lambda _: not town.kubectl("get", "pod", "-l", first, "-o", "name"))
    town.sentinels("cancel", str(job_id))
    town.await_end(job_id)
