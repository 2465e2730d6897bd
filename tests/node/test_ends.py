"""However a job can end on a real node, it ends in the right state, for the right reason, with the
right advice.

One installation for all; each test pushes its own job with the command line and reads what a person
would read. Deadlines are short (see ``town`` in conftest), else nothing is different.
"""

from __future__ import annotations

import pytest
from tests.node.conftest import MISSING_IMAGE, ROOT_IMAGE, SHELL_IMAGE, UNREACHABLE_IMAGE
from tests.support.town import Town

pytestmark = [pytest.mark.node, pytest.mark.timeout(300)]
SMALL = ("--cpu", "0.1", "--memory", "96Mi")
FOREVER = ("--", "sh", "-c", "echo begun; while :; do sleep 0.2; done")


def shell(script: str) -> tuple[str, ...]:
    return ("--", "sh", "-c", script)


def test_exit_3(town: Town) -> None:
    job = town.await_end(town.push(SHELL_IMAGE, *SMALL, *shell("echo bad; exit 3")))
    assert (job["state"], job["reason"], job["exit_code"]) == ("failed", "exited_nonzero", 3)
    told = town.notice(job["id"], "failed").splitlines()
    assert "> bad" in told
    assert f"More: sentinels explain {job['id']}" in told
    assert town.sentinels("logs", str(job["id"])) == "bad\n"


def test_more_memory_than_it_asked_for(town: Town) -> None:
    job = town.await_end(town.push(SHELL_IMAGE, *SMALL, *shell("exec tail /dev/zero")))
    assert (job["state"], job["reason"]) == ("failed", "out_of_memory")
    assert "asked for 96 MiB" in job["message"]
    assert "Ask for more than 96Mi" in town.notice(job["id"], "failed")


def test_the_time_limit(town: Town) -> None:
    job = town.await_end(town.push(SHELL_IMAGE, *SMALL, "--time-limit", "3s", *FOREVER))
    assert (job["state"], job["reason"]) == ("failed", "deadline_exceeded")
    assert "time limit of 3s" in job["message"]
    assert "--time-limit" in town.notice(job["id"], "failed")


def test_an_image_that_is_not_there(town: Town) -> None:
    job = town.await_end(town.push(MISSING_IMAGE, *SMALL, *shell("true")))
    assert (job["state"], job["reason"]) == ("failed", "image_unavailable")
    assert MISSING_IMAGE in job["message"]
    assert "name" in town.notice(job["id"], "failed")


def test_an_image_that_runs_as_root(town: Town) -> None:
    job = town.await_end(town.push(ROOT_IMAGE, *SMALL, *shell("true")))
    assert (job["state"], job["reason"]) == ("failed", "rejected")
    assert f"image {ROOT_IMAGE} runs as root" in job["message"]
    assert "numeric USER" in town.notice(job["id"], "failed")


def test_a_registry_that_does_not_answer_costs_no_try_of_the_users(town: Town) -> None:
    job_id = town.push(UNREACHABLE_IMAGE, *SMALL, "--notify-on", "requeued", *shell("true"))
    town.await_job(job_id, lambda job: len(job["attempts"]) > 1 or job["state"] == "queued")
    first = town.attempts(job_id)[0]
    assert first["reason"] == "registry_unavailable"
    assert "the infrastructure's fault" in town.notice(job_id, "requeued")
    town.sentinels("cancel", str(job_id))


def test_a_secret_that_is_not_there_is_refused_at_push(town: Town) -> None:
    words = ("--secret", "TOKEN=nowhere/token", *shell("true"))
    said = town.sentinels("push", SHELL_IMAGE, *SMALL, *words, code=2)
    assert "there is no secret nowhere" in said


def test_a_secret_that_is_gone_when_the_job_starts(town: Town) -> None:
    town.kubectl("create", "secret", "generic", "hub", "--from-literal=token=word")
    before = town.push(SHELL_IMAGE, *SMALL, *shell("sleep 3"))
    words = ("--after", str(before), "--secret", "TOKEN=hub/token", *shell("true"))
    job_id = town.push(SHELL_IMAGE, *SMALL, *words)
    town.kubectl("delete", "secret", "hub")
    job = town.await_end(job_id)
    assert (job["state"], job["reason"]) == ("failed", "config_missing")
    assert "hub" in job["message"]
    assert "hub" in town.notice(job["id"], "failed")


def test_a_secret_that_is_there_reaches_the_program(town: Town) -> None:
    town.kubectl("create", "secret", "generic", "vault", "--from-literal=key=open sesame")
    job = town.await_end(
        town.push(SHELL_IMAGE, *SMALL, "--secret", "WORD=vault/key", *shell('echo "$WORD"'))
    )
    assert job["state"] == "succeeded"
    assert town.sentinels("logs", str(job["id"])) == "open sesame\n"


def test_a_request_larger_than_any_node_is_refused_at_push(town: Town) -> None:
    said = town.sentinels("push", SHELL_IMAGE, "--cpu", "500", "--", "true", code=2)
    assert "500 CPUs; the largest node" in said


def test_a_quota_that_is_used_up(town: Town) -> None:
    words = ("--cpu", "0.1", "--memory", "9Gi", "--notify-on", "requeued")
    job_id = town.push(SHELL_IMAGE, *words, *shell("true"))
    town.await_job(job_id, lambda job: job["attempts"] and job["attempts"][0]["reason"])
    first = town.attempts(job_id)[0]
    assert first["reason"] == "quota_exceeded"
    assert "quota" in first["message"]
    assert "quota" in town.notice(job_id, "requeued")
    town.sentinels("cancel", str(job_id))


def test_cancel_while_it_waits_for_its_image(town: Town) -> None:
    job_id = town.push(UNREACHABLE_IMAGE, *SMALL, *shell("true"))
    town.await_state(job_id, "dispatched")
    town.sentinels("cancel", str(job_id))
    job = town.await_end(job_id)
    assert (job["state"], job["reason"]) == ("cancelled", "cancelled")


def test_cancel_while_it_runs(town: Town) -> None:
    job_id = town.push(SHELL_IMAGE, *SMALL, *FOREVER)
    town.await_state(job_id, "running")
    town.sentinels("cancel", str(job_id))
    job = town.await_end(job_id)
    assert (job["state"], job["reason"]) == ("cancelled", "cancelled")
    assert "begun" in town.sentinels("logs", str(job_id))


def test_a_pod_that_somebody_deletes_is_queued_again(town: Town) -> None:
    job_id = town.push(SHELL_IMAGE, *SMALL, *FOREVER)
    town.await_state(job_id, "running")
    town.kubectl("delete", "pod", "-l", f"sentinels.dev/job={job_id}", "--wait=false")
    town.await_job(job_id, lambda job: len(job["attempts"]) == 2 and job["state"] == "running")
    assert town.attempts(job_id)[0]["reason"] == "evicted"
    town.sentinels("cancel", str(job_id))
    town.await_end(job_id)


@pytest.mark.parametrize("cascade", ["background", "orphan"])
def test_a_job_that_somebody_deletes_is_queued_again_and_never_runs_twice(
    town: Town, cascade: str
) -> None:
    job_id = town.push(SHELL_IMAGE, *SMALL, *FOREVER)
    town.await_state(job_id, "running")
    town.kubectl("delete", "job", town.workload(job_id), f"--cascade={cascade}", "--wait=false")
    town.await_job(job_id, lambda job: len(job["attempts"]) == 2 and job["state"] == "running")
    assert town.attempts(job_id)[0]["reason"] == "workload_lost"
    alive = town.kubectl(
        *("get", "pod", "-l", f"sentinels.dev/job={job_id},sentinels.dev/attempt=1"),
        *("--field-selector", "status.phase=Running", "-o", "name"),
    )
    assert alive == ""
    town.sentinels("cancel", str(job_id))
    town.await_end(job_id)
