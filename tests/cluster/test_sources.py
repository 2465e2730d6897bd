"""`python -m sentinels.sources` as the chart runs it without Knative: ticks, and what Jobs do.

A real process, the real API server, real HTTP to what stands where dispatch and notify stand.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.contract.listener import Listener, listening
from tests.support.direct_api import DirectApi
from tests.support.fault_proxy import Call, Fault, FaultProxy

Json = dict[str, Any]
_PATIENCE_SECONDS = 20.0
_MORE_THAN_ONE_CALL_TRIES = 8
_OURS = {"sentinels.dev/managed": "true"}


@dataclass
class Jobs:
    """Jobs in one namespace that never start a pod, as somebody makes and changes them."""

    api: DirectApi
    namespace: str
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs"

    def make(self, name: str, *, ours: bool = True) -> None:
        container = {"name": "main", "image": "none"}
        pod = {"restartPolicy": "Never", "containers": [container]}
        metadata = {"name": name, "labels": _OURS if ours else {}}
        spec = {"suspend": True, "template": {"spec": pod}}
        self.api.post(self.place, {"metadata": metadata, "spec": spec})

    def change(self, name: str) -> None:
        number = self.numbers[name] = self.numbers.get(name, 0) + 1
        annotations = {"annotations": {"tests/number": str(number)}}
        self.api.patch(f"{self.place}/{name}", {"metadata": annotations})

    def delete(self, name: str) -> None:
        self.api.delete(f"{self.place}/{name}", propagationPolicy="Background")


@dataclass
class Sources:
    """The process and what it sent."""

    process: subprocess.Popen[str]
    dispatch: Listener
    notify: Listener

    def told(self, name: str) -> list[str]:
        """What notify was told of a Job, by the event's type."""
        return types_of((headers for headers, _ in list(self.notify.events)), name)

    def accepted(self, name: str) -> list[str]:
        """What notify said of a Job that it had it."""
        return types_of(list(self.notify.accepted), name)

    def await_told(self, name: str, kind: str) -> None:
        until(lambda: f"dev.knative.apiserver.ref.{kind}" in self.told(name))


def types_of(events: Iterable[dict[str, str]], name: str) -> list[str]:
    return [headers["ce-type"] for headers in events if headers.get("ce-name") == name]


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def start(**environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "sentinels.sources"],
        env={"PATH": os.environ["PATH"], "PORT": str(free_port()), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(kubeconfig: Path, schedule: str = "0 0 1 1 *") -> Iterator[Sources]:
    """The process, once it watches; it is ended at the end."""
    with listening() as dispatch, listening() as notify:
        process = start(
            SENTINELS_KUBECONFIG=str(kubeconfig),
            SENTINELS_DISPATCH_URL=dispatch.notify_url,
            SENTINELS_NOTIFY_URL=notify.notify_url,
            SENTINELS_DISPATCH_SCHEDULE=schedule,
            SENTINELS_NOTIFY_SCHEDULE="0 0 1 1 *",
        )
        try:
            yield Sources(process, dispatch, notify)
        finally:
            process.kill()
            process.communicate(timeout=_PATIENCE_SECONDS)


@pytest.fixture
def jobs(control_plane: ControlPlane, team_namespace: str) -> Jobs:
    return Jobs(DirectApi(control_plane.kubeconfig), team_namespace)


def await_watching(sources: Sources, jobs: Jobs, name: str = "first") -> None:
    """Until a change of a Job is told: there is no other sign of the watch's beginning."""
    jobs.make(name)

    def is_told() -> bool:
        jobs.change(name)
        return bool(sources.told(name))

    until(is_told)


def test_a_change_and_the_end_of_a_job_of_ours_are_told_as_apiserversource_does(
    control_plane: ControlPlane, jobs: Jobs
) -> None:
    with running(control_plane.kubeconfig) as sources:
        await_watching(sources, jobs)
        jobs.make("theirs", ours=False)
        jobs.change("theirs")
        jobs.make("ours")
        jobs.change("ours")
        sources.await_told("ours", "update")
        jobs.delete("theirs")
        jobs.delete("ours")
        sources.await_told("ours", "delete")

        headers, body = next(
            event for event in sources.notify.events if event[0].get("ce-name") == "ours"
        )
        assert sources.told("theirs") == []
    subject = f"{jobs.place}/ours"
    assert {name: headers[f"ce-{name}"] for name in ("specversion", "kind", "subject")} == {
        "specversion": "1.0",
        "kind": "Job",
        "subject": subject,
    }
    assert (headers["ce-namespace"], headers["ce-apiversion"]) == (jobs.namespace, "batch/v1")
    reference = {"kind": "Job", "name": "ours", "namespace": jobs.namespace}
    assert body == {"apiVersion": "batch/v1", **reference}


def test_what_notify_does_not_take_is_told_again_until_it_does(
    control_plane: ControlPlane, jobs: Jobs
) -> None:
    with running(control_plane.kubeconfig) as sources:
        await_watching(sources, jobs)
        jobs.make("stubborn")
        sources.await_told("stubborn", "update")  # its controller has looked at it
        sources.notify.accepted.clear()
        tries = len(sources.told("stubborn"))
        sources.notify.taken = 503
        jobs.change("stubborn")
        until(lambda: len(sources.told("stubborn")) >= tries + 2)
        assert sources.accepted("stubborn") == []
        sources.notify.taken = 204
        until(lambda: sources.accepted("stubborn"))
        jobs.delete("stubborn")
        sources.await_told("stubborn", "delete")

        accepted = [kind.rpartition(".")[2] for kind in sources.accepted("stubborn")]
    assert accepted == ["update", "delete"], "what was taken is not told again"


def test_a_watch_that_breaks_in_the_middle_of_a_word_begins_anew(
    control_plane: ControlPlane, jobs: Jobs
) -> None:
    cut: list[Call] = []

    def first_watch(call: Call) -> Fault | None:
        if "watch=" not in call.query or cut:
            return None
        cut.append(call)
        return Fault.CUT

    with ExitStack() as stack:
        proxy = stack.enter_context(FaultProxy(control_plane.kubeconfig, first_watch))
        sources = stack.enter_context(running(proxy.own_kubeconfig))
        await_watching(sources, jobs)
        assert cut
        jobs.make("after")
        jobs.change("after")
        sources.await_told("after", "update")
        assert sources.process.poll() is None


def test_an_api_server_that_is_away_is_awaited(control_plane: ControlPlane, jobs: Jobs) -> None:
    with ExitStack() as stack:
        proxy = stack.enter_context(FaultProxy(control_plane.kubeconfig))
        proxy.down = True
        sources = stack.enter_context(running(proxy.own_kubeconfig))
        until(lambda: proxy.calls["GET", "/apis/batch/v1/jobs"] >= _MORE_THAN_ONE_CALL_TRIES)
        proxy.down = False
        await_watching(sources, jobs)
        assert sources.process.poll() is None


def test_both_functions_get_a_tick_at_once_and_then_by_their_schedules(
    control_plane: ControlPlane,
) -> None:
    with running(control_plane.kubeconfig, "* * * * * *") as sources:
        until(lambda: len(sources.dispatch.events) >= 4 and sources.notify.events)
        headers = [headers for headers, _ in sources.dispatch.events]
        ticks = [headers for headers, _ in sources.notify.events if "ce-name" not in headers]
    assert {each["ce-type"] for each in headers} == {"dev.knative.sources.ping"}
    assert len({each["ce-id"] for each in headers}) == len(headers)
    assert [each["ce-type"] for each in ticks] == ["dev.knative.sources.ping"]


def test_it_goes_when_it_is_told_to(control_plane: ControlPlane) -> None:
    with running(control_plane.kubeconfig) as sources:
        until(lambda: sources.notify.events)
        sources.process.send_signal(signal.SIGTERM)
        assert sources.process.wait(5) == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "SENTINELS_DISPATCH_URL is not set"),
        ({"SENTINELS_DISPATCH_URL": "http://a"}, "SENTINELS_NOTIFY_URL is not set"),
        (
            {
                "SENTINELS_DISPATCH_URL": "http://a",
                "SENTINELS_NOTIFY_URL": "http://b",
                "SENTINELS_NOTIFY_SCHEDULE": "soon",
            },
            "schedule 'soon'",
        ),
    ],
)
def test_wrong_settings_are_one_sentence(wrong: dict[str, str], said: str) -> None:
    process = start(**wrong)
    _, err = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 1
    assert err.startswith("sources: ")
    assert said in err
    assert err.count("\n") == 1
