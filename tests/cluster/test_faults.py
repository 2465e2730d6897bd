"""Whatever befalls the API server's answers: nothing twice, nothing lost, no end undone.

The verbs, their processes, PostgreSQL, the API server and its controllers are real; nodes and what
runs on them are simulated. Faults come from a proxy in front of the API server, deaths from
``kill -9``. What is claimed is judged from the database and from what an auditor of its own saw.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine

from sentinels.core.errors import SentinelsError
from sentinels.core.queueing import Caller
from tests.cluster.control_plane import ControlPlane
from tests.support.fault_proxy import Call, Fault, FaultProxy, Rule, chances, never
from tests.support.ward import Ward, functions, open_ward, until

KILLS = 110
OUTAGE_SECONDS = 30.0
MACHINE = ("apiserver", "controller-manager", "scheduler")
"""What goes away when the control plane's machine does; its clients would wait longer by habit."""


@dataclass
class Storm:
    """A ward whose way to the API server leads through a proxy."""

    ward: Ward
    proxy: FaultProxy
    broken_passes: int = 0

    def tick(self) -> None:
        """A pass; one that cannot be done now is the next one's."""
        try:
            self.ward.tick()
        except SentinelsError:
            self.broken_passes += 1

    def all_ended(self) -> bool:
        self.tick()
        return self.ward.all_ended()


@pytest.fixture
def storm(
    control_plane: ControlPlane, kwok_room: None, engine: Engine, caller: Caller
) -> Iterator[Storm]:
    kubeconfig = control_plane.kubeconfig
    with (
        FaultProxy(kubeconfig, slow_seconds=1.5) as proxy,
        open_ward(
            engine, caller, kubeconfig, through=proxy.own_kubeconfig, lease_seconds=1.0
        ) as ward,
    ):
        yield Storm(ward, proxy)


def at_least_once(fault: Fault, rule: Rule) -> Rule:
    """The rule, and the fault for certain at the third creation of anything."""

    def certain(call: Call) -> Fault | None:
        return fault if call.method == "POST" and call.nth == 3 else rule(call)

    return certain


def on_writes(fault: Fault, chance: float, *, seed: int = 1) -> Rule:
    dealt = chances(seed, {fault: chance})

    def rule(call: Call) -> Fault | None:
        return dealt(call) if call.writes else None

    return rule


ONE_KIND = {
    Fault.REJECT: chances(1, {Fault.REJECT: 0.2}),
    Fault.THROTTLE: chances(1, {Fault.THROTTLE: 0.2}),
    Fault.RESET_BEFORE: chances(1, {Fault.RESET_BEFORE: 0.2}),
    Fault.SLOW: chances(1, {Fault.SLOW: 0.1}),
    # Each of these costs the caller its whole patience, so there are fewer.
    Fault.HANG_AFTER: on_writes(Fault.HANG_AFTER, 0.05),
    Fault.TIMEOUT_AFTER: chances(1, {Fault.TIMEOUT_AFTER: 0.2}),
    Fault.RESET_AFTER: chances(1, {Fault.RESET_AFTER: 0.2}),
    Fault.CUT: chances(1, {Fault.CUT: 0.2}),
}
MIX = {
    Fault.REJECT: 0.04,
    Fault.THROTTLE: 0.03,
    Fault.RESET_BEFORE: 0.03,
    Fault.SLOW: 0.02,
    Fault.HANG_AFTER: 0.002,
    Fault.TIMEOUT_AFTER: 0.05,
    Fault.RESET_AFTER: 0.05,
    Fault.CUT: 0.03,
}


def judge_all_succeeded(ward: Ward, jobs: int) -> None:
    ward.judge()
    assert ward.states() == {"succeeded": jobs}
    # Trouble on the way to the API server is nobody's end: no attempt was given up for it.
    assert ward.desk.ask("SELECT max(attempt) FROM jobs") == [(1,)]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", list(Fault))
def test_a_kind_of_fault_on_its_own(storm: Storm, fault: Fault) -> None:
    ward, jobs = storm.ward, 24
    ward.push(jobs)
    storm.proxy.rule = at_least_once(fault, ONE_KIND[fault])
    until(storm.all_ended, seconds=120, say=ward.unended)
    assert storm.proxy.met_by_creations[fault] > 0
    judge_all_succeeded(ward, jobs)


def driven_again(storm: Storm) -> bool:
    """Make a pass; whether launches outnumber what there is to launch."""
    storm.tick()
    ward = storm.ward
    known = ward.desk.ask("SELECT count(*) FROM attempts")[0][0]
    return sum(report.launched for report in ward.passes) >= 2 * int(str(known)) > 0


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1, 2])
def test_all_kinds_of_faults_together(storm: Storm, control_plane: ControlPlane, seed: int) -> None:
    """At first without a scheduler: what waits outlives its lease and is driven again and again."""
    ward, jobs = storm.ward, 60
    ward.push(jobs)
    storm.proxy.rule = chances(seed, MIX)
    control_plane.kill("scheduler")
    try:
        until(lambda: driven_again(storm), seconds=60, say=ward.unended)
    finally:
        control_plane.start_part("scheduler")
    until(storm.all_ended, seconds=150, say=ward.unended)
    assert len(storm.proxy.met_by_creations) >= 5
    judge_all_succeeded(ward, jobs)


@dataclass
class Outages:
    """What happens to the control plane between the kills: each once, when it is due."""

    control_plane: ControlPlane
    up_again_at: float = 0.0
    done: set[str] = field(default_factory=set)

    def go_on(self, kills: int) -> None:
        if kills == KILLS // 10:
            # What was launched is driven again and again: its leases end while it waits.
            self.control_plane.kill("scheduler")
        if kills == KILLS // 5:
            self.start_all()
        if kills >= KILLS // 4 and "api server" not in self.done:
            self.done.add("api server")
            for name in MACHINE:
                self.control_plane.kill(name)
            self.up_again_at = time.monotonic() + OUTAGE_SECONDS
        if self.up_again_at and time.monotonic() > self.up_again_at:
            self.up_again_at = 0.0
            self.start_all()
        if kills >= 3 * KILLS // 4 and not self.up_again_at and "etcd" not in self.done:
            self.done.add("etcd")
            self.control_plane.kill("etcd")
            self.start_all()

    def start_all(self) -> None:
        """Start again whatever is not running."""
        for name in ("etcd", *MACHINE):
            self.control_plane.start_part(name)


@pytest.mark.timeout(360)
def test_dispatchers_that_are_killed_all_the_time_in_a_storm(
    storm: Storm, control_plane: ControlPlane, tmp_path: Path
) -> None:
    """Two dispatchers and a notify: ``kill -9`` more than a hundred times, while jobs come, answers
    break, the API server is away for half a minute and etcd is killed.
    """
    ward, random, pushed = storm.ward, Random(5), 0
    log, outages = tmp_path / "functions.log", Outages(control_plane)
    storm.proxy.rule = chances(3, MIX)
    deadline = time.monotonic() + 200
    try:
        with functions(ward, log, {"dispatch": 2, "notify": 1}) as processes:
            while processes.kills["dispatch"] < KILLS or outages.up_again_at:
                assert time.monotonic() < deadline, (processes.kills, log.read_text()[-3000:])
                if processes.kills["dispatch"] % 4 == 0:
                    pushed += len(ward.push(4, env={"TEST_SECONDS": "1s"}))
                time.sleep(random.uniform(0.2, 1.1))
                processes.kill_one("dispatch", random)
                if random.random() < 0.3:
                    processes.kill_one("notify", random)
                outages.go_on(processes.kills["dispatch"])
            storm.proxy.rule = never
            until(
                ward.all_ended, seconds=100, say=lambda: (ward.unended(), log.read_text()[-2000:])
            )
    finally:
        outages.start_all()
    assert outages.done == {"api server", "etcd"}
    judge_all_succeeded(ward, pushed)
