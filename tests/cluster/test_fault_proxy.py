"""Each fault of the proxy does to a real API server what its name says, and nothing else."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.direct_api import ApiError, DirectApi
from tests.support.fault_proxy import (
    NEVER_WRITTEN,
    WRITTEN_BUT_UNANSWERED,
    Call,
    Fault,
    FaultProxy,
    always,
    chances,
)

MAPS = "/api/v1/namespaces/default/configmaps"


@dataclass
class Bench:
    """A thing to write, a way to write it through the proxy, and a way to look past it."""

    proxy: FaultProxy
    near: DirectApi
    far: DirectApi
    name: str

    def write(self) -> None:
        body = {"metadata": {"name": self.name}, "data": {"text": "x" * 5000}}
        self.near.post(MAPS, body)

    def is_stored(self) -> bool:
        found = self.far.items(MAPS, fieldSelector=f"metadata.name={self.name}")
        return bool(found)


@pytest.fixture
def bench(kubeconfig: Path) -> Iterator[Bench]:
    far = DirectApi(kubeconfig)
    with FaultProxy(kubeconfig) as proxy:
        near = DirectApi(proxy.own_kubeconfig, timeout=2)
        made = Bench(proxy, near, far, f"fault-{secrets.token_hex(4)}")
        try:
            yield made
        finally:
            if made.is_stored():
                far.delete(f"{MAPS}/{made.name}")


def test_without_a_fault_it_is_not_noticed(bench: Bench) -> None:
    bench.write()
    assert bench.is_stored()
    through, direct = (api.get(f"{MAPS}/{bench.name}")["data"] for api in (bench.near, bench.far))
    assert through == direct


@pytest.mark.parametrize("fault", WRITTEN_BUT_UNANSWERED)
def test_what_was_written_is_not_told(bench: Bench, fault: Fault) -> None:
    bench.proxy.rule = always(fault)
    with pytest.raises(ApiError):
        bench.write()
    assert bench.is_stored()


@pytest.mark.parametrize("fault", NEVER_WRITTEN)
def test_what_is_refused_is_not_written(bench: Bench, fault: Fault) -> None:
    bench.proxy.rule = always(fault)
    with pytest.raises(ApiError):
        bench.write()
    assert not bench.is_stored()


def test_slow_is_slow_and_nothing_else(bench: Bench) -> None:
    bench.proxy.rule = always(Fault.SLOW)
    begin = time.monotonic()
    bench.write()
    assert time.monotonic() - begin >= bench.proxy.slow_seconds
    assert bench.is_stored()


def test_a_watch_breaks_off_in_the_middle_of_an_event(bench: Bench) -> None:
    bench.write()
    bench.proxy.rule = always(Fault.CUT)
    with pytest.raises(ApiError):
        list(bench.near.watch(MAPS, timeoutSeconds=5))


def test_down_is_down_for_everything_and_up_again(bench: Bench) -> None:
    bench.proxy.down = True
    with pytest.raises(ApiError):
        bench.near.get("/version")
    bench.proxy.down = False
    assert bench.near.get("/version")["gitVersion"]


def test_a_seed_deals_the_same_faults_in_any_order() -> None:
    calls = [Call("POST", f"/jobs/{number % 7}", "", number) for number in range(200)]
    odds = {Fault.REJECT: 0.2, Fault.RESET_AFTER: 0.2}
    rule, again = chances(4, odds), chances(4, odds)
    dealt = {call: rule(call) for call in calls}
    assert {call: again(call) for call in reversed(calls)} == dealt
    assert set(dealt.values()) == {None, Fault.REJECT, Fault.RESET_AFTER}
