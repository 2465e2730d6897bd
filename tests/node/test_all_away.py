"""With all that Sentinels tells or asks away at once, jobs run, answers come, nothing is lost.

The search store and Slack refuse, Prometheus and MLflow take connections and say nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.chart.conftest import helm
from tests.chart.rendering import Helm
from tests.cluster.conftest import do_without
from tests.node.conftest import SHELL_IMAGE
from tests.node.machine import RealNode
from tests.node.network import Segment
from tests.node.shipper import shipping
from tests.node.test_logs import await_
from tests.services.bringing import prepare
from tests.services.monitoring import Prometheus, chart_files, watching
from tests.standins.exporter import Exporter, workload
from tests.standins.slack import SlackStandIn
from tests.support.search_node import NoSearchNode, SearchNode, running_search_node
from tests.support.town import Town, with_settings

__all__ = ["helm"]
pytestmark = [pytest.mark.node, pytest.mark.timeout(400)]

_SMALL = ("--cpu", "0.1", "--memory", "96Mi")
_SCRIPT = "echo begun; while ! [ -e /tmp/go ]; do sleep 0.2; done; echo 'last words'; exit 3"
_SECONDS = 2.0
_MEASURED = {"cpu_cores", "memory_bytes"}
_MEASURED_LATE_SECONDS = 60.0
"""After an end, Prometheus is asked what was used."""


@dataclass(frozen=True)
class Friends:
    """All that may be away."""

    search: SearchNode
    prometheus: Prometheus
    exporter: Exporter
    slack: SlackStandIn


@pytest.fixture(scope="module")
def friends(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Friends]:
    """Everything, started."""
    folder = tmp_path_factory.mktemp("prometheus")
    rules = {"recording.yml": chart_files(helm)["prometheus"]["recording.yml"]}
    with ExitStack() as stack:
        try:
            search = stack.enter_context(running_search_node())
        except NoSearchNode as why:
            do_without(str(why))
        prepare(search)
        exporter = stack.enter_context(Exporter())
        targets = {"containers": [exporter.address]}
        prometheus = stack.enter_context(watching(folder, targets, rules))
        yield Friends(search, prometheus, exporter, stack.enter_context(SlackStandIn()))


@pytest.fixture(scope="module")
def told(town: Town, real_node: RealNode, segment: Segment, friends: Friends) -> Iterator[Town]:
    """The installation with all of them."""
    settings = {
        "SENTINELS_SEARCH_URL": friends.search.url,
        "SENTINELS_PROMETHEUS_URL": friends.prometheus.url,
        "SENTINELS_SLACK_TOKEN": "xoxb-1",
        "SENTINELS_SLACK_API_URL": friends.slack.api_url,
    }
    with (
        with_settings(town, settings, address=segment.address),
        shipping(real_node, friends.search.url),
    ):
        yield town


@contextmanager
def all_away(town: Town, friends: Friends) -> Iterator[None]:
    mlflow = town.machine.part("mlflow")
    assert mlflow is not None
    frozen = [mlflow, *mlflow.children(recursive=True)]
    friends.search.stop()
    friends.prometheus.freeze()
    friends.slack.down = True
    for process in frozen:
        process.suspend()
    try:
        yield
    finally:
        for process in frozen:
            process.resume()
        friends.slack.down = False
        friends.prometheus.thaw()
        friends.search.start()


def in_time(town: Town, *words: str, code: int = 0) -> str:
    """What the command says, within the promised time."""
    began = time.monotonic()
    said = town.sentinels(*words, code=code)
    took = time.monotonic() - began
    assert took < _SECONDS, f"{words} took {took:.2f} s: {said}"
    return said


def pod_of(town: Town, job: int) -> str:
    return town.kubectl("get", "pod", "-l", f"sentinels.dev/job={job}", "-o", "name").strip()


def end(town: Town, job: int) -> None:
    town.kubectl("exec", pod_of(town, job), "-c", "main", "--", "touch", "/tmp/go")


def used(town: Town, job: int) -> dict[str, Any]:
    found = json.loads(town.sentinels("usage", str(job), "-o", "json"))
    assert isinstance(found, dict)
    return found


def measured(town: Town, job: int) -> set[str]:
    return {each["name"] for each in used(town, job)["quantities"]}


def test_all_are_away_and_all_is_delivered_when_they_are_back(told: Town, friends: Friends) -> None:
    before = told.push(SHELL_IMAGE, *_SMALL, "--", "sh", "-c", _SCRIPT)
    told.await_state(before, "running")
    friends.exporter.samples |= workload(before, cores=0.05, memory=2**26)
    await_("it is measured", lambda: measured(told, before) >= _MEASURED)

    with all_away(told, friends):
        during = told.push(SHELL_IMAGE, *_SMALL, "--", "sh", "-c", "echo in the dark; exit 4")
        end(told, before)
        for job in (before, during):
            assert told.await_end(job)["state"] == "failed"
        await_(
            "what is late is known",
            lambda: len(told.job(before)["unavailable"]) == 4,
            seconds=_MEASURED_LATE_SECONDS + 60,
        )
        said = in_time(told, "status", str(before))
        for words in (
            f"the search store at {friends.search.url} does not answer",
            "its record in MLflow is late",
            "what it used is filed late",
            "a notice is late",
        ):
            assert words in said, said
        assert "last words" in in_time(told, "logs", str(before))
        assert "in the dark" in in_time(told, "logs", str(during))
        assert "does not answer" in in_time(told, "usage", str(before))
        assert "exit code 4" in in_time(told, "explain", str(during))
        told.kubectl("delete", "job", told.workload(during))
        await_("its pod is gone", lambda: pod_of(told, during) == "")
        assert "does not answer" in in_time(told, "logs", str(during), code=3)
        assert friends.slack.messages == []

    for job, words in ((before, "begun\nlast words\n"), (during, "in the dark\n")):
        await_("nothing is late", lambda job=job: told.job(job)["unavailable"] == [], seconds=180)
        told.kubectl("delete", "job", told.workload(job), "--ignore-not-found")
        await_(
            "its lines are in the store",
            lambda job=job, words=words: told.sentinels("logs", str(job)) == words,
        )
        assert told.job(job)["links"]["mlflow"]
        texts = [message.text for message in friends.slack.messages]
        assert sum(f"job {job} " in text for text in texts) == 1, texts
    await_("it is filed", lambda: used(told, before)["source"] == "kept with the job")
    assert measured(told, before) >= _MEASURED
