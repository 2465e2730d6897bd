"""Whatever becomes of a pod, how its attempt ended is kept and told.

Sentinels is made to look away (its functions are stopped) while a pod fails and is deleted: what is
kept afterwards does not depend on who was quicker.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest
from tests.node.conftest import SHELL_IMAGE
from tests.node.machine import RealNode
from tests.support.town import Town

pytestmark = [pytest.mark.node, pytest.mark.timeout(300)]
SMALL = ("--cpu", "0.1", "--memory", "96Mi")
Json = dict[str, Any]


def shell(script: str) -> tuple[str, ...]:
    return ("--", "sh", "-c", script)


def explained(town: Town, job_id: int, *words: str) -> Json:
    found = json.loads(town.sentinels("explain", str(job_id), "-o", "json", *words))
    assert isinstance(found, dict)
    return found


def await_(what: str, condition: Callable[[], object], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def pods_of(town: Town, job_id: int) -> list[Json]:
    selector = ("-l", f"sentinels.dev/job={job_id}")
    items = json.loads(town.kubectl("get", "pods", *selector, "-o", "json"))["items"]
    return list(items)


def has_ended(town: Town, job_id: int) -> bool:
    statuses = [
        status
        for pod in pods_of(town, job_id)
        for status in pod["status"].get("containerStatuses", ())
    ]
    return any("terminated" in status["state"] for status in statuses)


def is_failed(town: Town, job_id: int) -> bool:
    found = json.loads(town.kubectl("get", "job", town.workload(job_id), "-o", "json"))
    return any(each["type"] == "Failed" for each in found["status"].get("conditions", ()))


@contextmanager
def looking_away(town: Town) -> Iterator[None]:
    """dispatch and notify do nothing meanwhile."""
    stopped: list[psutil.Process] = []
    for name in ("dispatch", "notify"):
        part = town.machine.part(name)
        assert part is not None
        stopped += [part, *part.children(recursive=True)]
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()


@pytest.mark.parametrize("how", [("--force", "--grace-period=0"), ()], ids=["force", "plain"])
def test_a_pod_that_is_deleted_the_second_it_fails_has_its_dossier_and_its_notice(
    town: Town, how: tuple[str, ...]
) -> None:
    script = "echo epoch 1; echo 'ModuleNotFoundError: No module named apex'; sleep 5; exit 3"
    job_id = town.push(SHELL_IMAGE, *SMALL, *shell(script))
    town.await_state(job_id, "running")
    with looking_away(town):
        await_("its program has ended", lambda: has_ended(town, job_id))
        town.kubectl("delete", "pod", "-l", f"sentinels.dev/job={job_id}", "--wait=false", *how)
        await_("its Job has failed", lambda: is_failed(town, job_id))
        [pod] = pods_of(town, job_id)
        assert pod["metadata"]["finalizers"] == ["sentinels.dev/dossier"]
    job = town.await_end(job_id)
    assert (job["state"], job["reason"], job["exit_code"]) == ("failed", "exited_nonzero", 3)
    found = explained(town, job_id)
    assert found["lines"]["texts"] == ["epoch 1", "ModuleNotFoundError: No module named apex"]
    assert found["gaps"] == []
    assert found["attempt"]["node"] == "node-1"
    assert {event["about"] for event in found["events"]} == {"pod", "job"}
    told = town.notice(job_id, "failed")
    assert "> ModuleNotFoundError: No module named apex" in told.splitlines()
    assert f"sentinels explain {job_id}" in told
    await_("its pod has gone", lambda: not pods_of(town, job_id))


def test_a_job_that_somebody_deletes_with_its_pod_is_explained(town: Town) -> None:
    job_id = town.push(SHELL_IMAGE, *SMALL, *shell("echo begun; while :; do sleep 0.2; done"))
    town.await_state(job_id, "running")
    town.kubectl("delete", "job", town.workload(job_id), "--wait=false")
    town.await_job(job_id, lambda job: len(job["attempts"]) == 2)
    found = explained(town, job_id, "--attempt", "1")
    assert found["cause"]["reason"] == "workload_lost"
    assert found["lines"]["texts"] == ["begun"]
    town.sentinels("cancel", str(job_id))
    town.await_end(job_id)


def test_out_of_memory_at_its_own_limit(town: Town) -> None:
    job = town.await_end(town.push(SHELL_IMAGE, *SMALL, *shell("echo big; exec tail /dev/zero")))
    found = explained(town, job["id"])
    assert found["facts"]["container_reason"] == "OOMKilled"
    assert found["advice"][0].startswith("Ask for more than 96Mi")
    assert found["lines"]["texts"] == ["big"]


def test_an_image_that_is_not_there_has_events_and_misses_no_lines(town: Town) -> None:
    from tests.node.conftest import MISSING_IMAGE

    job = town.await_end(town.push(MISSING_IMAGE, *SMALL, *shell("true")))
    found = explained(town, job["id"])
    assert any(event["warns"] and "pull" in event["message"] for event in found["events"])
    assert (found["lines"]["texts"], found["gaps"]) == ([], [])


@contextmanager
def short_of_memory(node: RealNode) -> Iterator[None]:
    """The kubelet wants more memory to be free than there is."""
    path = node.folder / "kubelet.json"
    before = path.read_text()
    settings = json.loads(before)
    settings |= {
        "evictionSoft": {"memory.available": "99%"},
        "evictionSoftGracePeriod": {"memory.available": "1s"},
        "evictionMaxPodGracePeriod": 1,
    }
    try:
        node.kill_kubelet()
        path.write_text(json.dumps(settings))
        node.start_kubelet()
        yield
    finally:
        node.kill_kubelet()
        path.write_text(before)
        node.start_kubelet()
        _await_no_pressure(node)


def _await_no_pressure(node: RealNode) -> None:
    query = "jsonpath={.spec.taints[*].key}"
    await_(
        "nothing presses it",
        lambda: "pressure" not in node.kubectl("get", "node", node.name, "-o", query),
    )


def test_out_of_memory_on_the_node_is_not_its_own_limit(town: Town, real_node: RealNode) -> None:
    """What a kubelet does for want of memory, it does to any pod."""
    script = "echo begun; while :; do sleep 0.2; done"
    job_id = town.push(SHELL_IMAGE, *SMALL, *shell(script))
    town.await_state(job_id, "running")
    with short_of_memory(real_node):
        town.await_job(job_id, lambda job: job["attempts"][0]["reason"], seconds=120)
        found = explained(town, job_id, "--attempt", "1")
        town.sentinels("cancel", str(job_id))
    assert found["cause"]["reason"] == "evicted"
    assert "low on resource: memory" in found["cause"]["detail"]
    pressed = {each["name"]: each["bad"] for each in found["conditions"]}
    assert pressed["MemoryPressure"]
    # A kubelet takes away what it evicts at once; what is lost so is named.
    taken = [gap["why"] for gap in found["gaps"]]
    assert found["lines"]["texts"] == ["begun"] or "taken its container away" in str(taken)
    assert "Evicted" in {event["reason"] for event in found["events"] if event["warns"]}
    town.await_end(job_id)
