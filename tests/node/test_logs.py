"""Logs of real pods: followed from the kubelet into the store without a gap or a doubled line, and
whole however soon the pod goes. The lines are shipped by a stand-in for fluent-bit that runs the
chart's own script.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.cluster.conftest import do_without
from tests.node.conftest import SHELL_IMAGE
from tests.node.machine import RealNode
from tests.node.network import Segment
from tests.node.shipper import shipping
from tests.services.bringing import prepare
from tests.support.direct_api import ApiError, DirectApi
from tests.support.search_node import NoSearchNode, SearchNode, running_search_node
from tests.support.town import Town, with_settings

pytestmark = [pytest.mark.node, pytest.mark.timeout(400)]
_SMALL = ("--cpu", "0.1", "--memory", "96Mi")
_LINES = 3000
_COUNTING = """
i=0
while [ $i -lt %d ]; do
  i=$((i+1)); echo "line $i"
  if [ $((i %% 7)) -eq 0 ]; then echo "error $i" >&2; fi
  if [ $((i %% 25)) -eq 0 ]; then sleep 0.01; fi
done
exit 3
"""
_WEIRD = (
    r"printf '\033]0;title\007\033[31mred\033[0m <!channel> \377\376 end\n'; "
    r"printf '%01048576d\n' 0; echo; printf 'no newline'; exit 3"
)


@pytest.fixture(scope="module")
def search_node() -> Iterator[SearchNode]:
    """A search node that knows what a line is."""
    try:
        with running_search_node() as node:
            prepare(node)
            yield node
    except NoSearchNode as why:
        do_without(str(why))


@pytest.fixture(scope="module")
def logged(
    town: Town, real_node: RealNode, segment: Segment, search_node: SearchNode
) -> Iterator[Town]:
    """The installation, with a store and a shipper."""
    settings = {"SENTINELS_SEARCH_URL": search_node.url}
    with (
        with_settings(town, settings, address=segment.address),
        shipping(real_node, search_node.url),
    ):
        yield town


def push(town: Town, script: str) -> int:
    return town.push(SHELL_IMAGE, *_SMALL, "--", "sh", "-c", script)


def expected(count: int) -> Counter[str]:
    lines = [f"line {number}" for number in range(1, count + 1)]
    return Counter(lines + [f"error {number}" for number in range(7, count + 1, 7)])


def printed(said: str) -> list[str]:
    """The program's lines: the command says beside them what did not answer on a busy machine."""
    return [line for line in said.splitlines() if "search store" not in line]


@contextmanager
def deleted_when(town: Town, job: int, state: str, *, after: float = 0) -> Iterator[None]:
    """The first attempt's pod is deleted so many seconds after its program is in this state."""
    api, over = DirectApi(town.cluster.kubeconfig, timeout=5), threading.Event()
    done: list[str] = []

    def watch() -> None:
        path = f"/api/v1/namespaces/{town.namespace}/pods"
        label = f"sentinels.dev/job={job},sentinels.dev/attempt=1"
        while not (over.wait(0.02) or done):
            for pod in api.items(path, labelSelector=label):
                if any(state in each["state"] for each in _main(pod)):
                    name = pod["metadata"]["name"]
                    over.wait(after)
                    api.delete(f"{path}/{name}", gracePeriodSeconds=0)
                    done.append(name)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
        await_("the pod was deleted", lambda: done)
    finally:
        over.set()
        thread.join(20)
    await_("the pod is gone", lambda: not _is_there(api, town, done[0]))


def _main(pod: dict[str, Any]) -> list[dict[str, Any]]:
    found = pod["status"].get("containerStatuses", [])
    return [each for each in found if each["name"] == "main"]


def _is_there(api: DirectApi, town: Town, name: str) -> bool:
    try:
        api.get(f"/api/v1/namespaces/{town.namespace}/pods/{name}")
    except ApiError:
        return False
    return True


def await_(what: str, condition: Callable[[], object], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def piece(town: Town, job: int, **query: object) -> dict[str, Any]:
    """A piece of the first attempt's log, as the server gives it."""
    server = json.loads((town.machine.home / "server.json").read_text())
    asked = "&".join(f"{name}={value}" for name, value in {"attempt": 1, **query}.items())
    request = urllib.request.Request(
        f"{server['url']}/v1/jobs/{job}/logs?{asked}",
        headers={"Authorization": f"Bearer {server['token']}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found = json.load(answer)
    assert isinstance(found, dict)
    return found


def whole(town: Town, job: int) -> tuple[str, set[str]]:
    """The first attempt's log once it has ended, and where its pieces were read."""
    text, sources, query = "", set[str](), dict[str, object]()
    end = time.monotonic() + 60
    while True:
        found = piece(town, job, **query)
        text += found["text"]
        sources |= {found["source"]} - {None}
        if found["ended"]:
            return text, sources
        assert time.monotonic() < end, f"it does not end: {found}"
        query = {"cursor": found["cursor"], "wait": 5}


def test_a_pod_that_is_deleted_at_its_end_while_it_is_followed_loses_and_doubles_no_line(
    logged: Town,
) -> None:
    job = push(logged, _COUNTING % _LINES)
    with (
        deleted_when(logged, job, "terminated"),
        logged.machine.popen("logs", "-f", str(job), "--attempt", "1") as following,
    ):
        said, _ = following.communicate(timeout=120)
    assert following.returncode == 0, said
    lines = printed(said)
    assert Counter(lines) == expected(_LINES)
    numbers = [int(line.split()[1]) for line in lines if line.startswith("line")]
    assert numbers == sorted(numbers)
    text, sources = whole(logged, job)
    assert Counter(text.splitlines()) == expected(_LINES)
    assert sources == {"store"}
    logged.sentinels("cancel", str(job), code=_either(logged, job))


def test_a_pod_that_is_deleted_while_it_prints_is_followed_to_its_last_line(logged: Town) -> None:
    job = push(logged, _COUNTING % 100_000)
    with logged.machine.popen("logs", "-f", str(job), "--attempt", "1") as following:
        with deleted_when(logged, job, "running", after=2):
            pass
        logged.sentinels("cancel", str(job), code=_either(logged, job))
        said, _ = following.communicate(timeout=120)
    lines = Counter(printed(said))
    count = max(int(line.split()[1]) for line in lines)
    assert count > 100
    missing = expected(count) - lines
    assert set(missing) <= {f"error {count}"}, "the very last line may have an error to come"
    assert lines - expected(count) == Counter()


def test_a_pod_that_is_deleted_the_second_it_fails_has_its_whole_log(logged: Town) -> None:
    job = push(logged, _COUNTING % 200)
    with deleted_when(logged, job, "terminated"):
        pass
    text, sources = whole(logged, job)
    assert Counter(text.splitlines()) == expected(200)
    assert sources == {"store"}
    logged.await_job(job, lambda found: found["attempts"][0]["state"] == "finished")
    logged.sentinels("cancel", str(job), code=_either(logged, job))


def test_lines_that_the_kubelet_has_rotated_away_come_from_the_store(logged: Town) -> None:
    count = 25_000
    script = _COUNTING.replace(
        'echo "line $i"', 'echo "line $i is rather long, so that files fill"'
    )
    job = push(logged, script.replace("exit 3", "exit 0") % count)
    with logged.machine.popen("logs", "-f", str(job)) as following:
        said, _ = following.communicate(timeout=240)
    assert logged.await_end(job)["state"] == "succeeded"
    text, sources = whole(logged, job)
    assert sources == {"cluster", "store"}
    for found in (said.rpartition("✔")[0], text):
        words = [" ".join(line.split()[:2]) for line in printed(found)]
        assert Counter(words) == expected(count)
    last = logged.sentinels("logs", str(job), "--tail", str(count))
    assert last.splitlines() == text.splitlines()[-count:]


def test_weird_lines_are_the_same_from_the_store_as_from_the_node(logged: Town) -> None:
    job = push(logged, _WEIRD)
    logged.await_end(job)
    text, sources = whole(logged, job)
    assert sources == {"cluster"}
    assert text.splitlines()[0].endswith("<!channel> \ufffd\ufffd end")
    assert text.splitlines()[1] == "0" * 2**20
    shown = logged.sentinels("logs", str(job))
    assert shown == f"red <!channel> \ufffd\ufffd end\n{'0' * 2**20}\n\nno newline\n"
    logged.kubectl("delete", "job", logged.workload(job))
    await_("the pod is gone", lambda: piece(logged, job)["source"] == "store")
    assert logged.sentinels("logs", str(job)) == shown


def test_with_the_store_down_logs_answer_and_all_is_delivered_when_it_is_back(
    logged: Town, search_node: SearchNode
) -> None:
    search_node.stop()
    try:
        job = push(logged, _COUNTING % 500)
        logged.await_end(job)
        began = time.monotonic()
        said = logged.sentinels("logs", str(job))
        assert time.monotonic() - began < 2.5
        assert "the search store" in said, "what could not be asked is said"
        assert Counter(printed(said)) == expected(500)
    finally:
        search_node.start()
    logged.kubectl("delete", "job", logged.workload(job))
    await_("it is in the store", lambda: piece(logged, job)["source"] == "store")
    text, _ = whole(logged, job)
    assert Counter(text.splitlines()) == expected(500)


def _either(town: Town, job: int) -> int:
    """What ``cancel`` exits with: of a job that has ended it cannot."""
    return 2 if town.job(job)["state"] in ("succeeded", "failed", "cancelled") else 0
