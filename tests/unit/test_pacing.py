"""Launches keep pace with what the cluster begins with: never far ahead, never far behind."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from sentinels.core.pacing import FIRST_WINDOW, PROMISED_SECONDS, Pace, launch_budget


@dataclass
class Controller:
    """Begins with ``rate`` workloads a second, one after the other, and idles without any."""

    rate: float
    now: float = 0.0
    begun: int = 0
    unstarted: int = 0
    _work: float = 0.0

    def go_on(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self._work += seconds * self.rate
        done = min(int(self._work), self.unstarted)
        self.unstarted -= done
        self.begun += done
        self._work = min(self._work - done, 1.0) if self.unstarted == 0 else self._work - done


@dataclass
class Passes:
    """Passes over a queue that never ends, as dispatch makes them."""

    controller: Controller
    most: int = 10_000
    launch_seconds: float = 0.002
    """What one launch takes."""
    past: list[tuple[float, int, int]] = field(default_factory=list)
    highest: int = 0

    def make(self) -> int:
        """One pass; how many it launched."""
        began, seen = self.controller.now, self.controller.unstarted
        self.controller.go_on(0.05)  # settling, planning, claiming
        now = self.controller.now
        recent = [
            Pace(now - at, launched, unstarted)
            for at, launched, unstarted in reversed(self.past[-50:])
            if now - at < 120
        ]
        budget = launch_budget(recent, unstarted=seen, most=self.most, seconds_ago=now - began)
        for _ in range(budget):
            self.controller.unstarted += 1
            self.controller.go_on(self.launch_seconds)
            self.highest = max(self.highest, self.controller.unstarted)
        self.past.append((began, budget, seen))
        return budget

    def keep_on(self, seconds: float, *, every: float) -> None:
        """Passes for a while, not quite regular ones."""
        chance = random.Random(7)
        end = self.controller.now + seconds
        while self.controller.now < end:
            self.make()
            self.controller.go_on(every * chance.uniform(0.5, 1.5))


def test_before_anything_is_measured_the_first_window_is_launched_and_no_more() -> None:
    assert launch_budget([], unstarted=0, most=50) == FIRST_WINDOW
    assert launch_budget([], unstarted=10, most=50) == FIRST_WINDOW - 10
    assert launch_budget([], unstarted=100, most=50) == 0
    assert launch_budget([], unstarted=0, most=5) == 5


@pytest.mark.parametrize("every", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("rate", [1.0, 3.0, 8.5, 40.0, 200.0])
def test_what_is_unstarted_stays_under_two_seconds_of_the_rate_and_the_cluster_stays_busy(
    rate: float, every: float
) -> None:
    passes = Passes(Controller(rate))
    passes.keep_on(60, every=every)
    passes.highest, begun = 0, passes.controller.begun
    passes.keep_on(60, every=every)
    assert passes.highest <= PROMISED_SECONDS * rate * 1.1 + 1
    assert passes.controller.begun - begun >= 0.9 * 60 * rate


@pytest.mark.parametrize("every", [5.0, 20.0])
@pytest.mark.parametrize("rate", [8.5, 40.0, 200.0])
def test_passes_that_are_far_apart_never_launch_more_than_is_known_to_be_begun_with_soon(
    rate: float, every: float
) -> None:
    passes = Passes(Controller(rate))
    passes.keep_on(600, every=every)
    assert passes.highest <= PROMISED_SECONDS * rate
    assert min(launched for _, launched, _ in passes.past) >= FIRST_WINDOW


def test_the_window_grows_while_everything_is_begun_with_in_good_time() -> None:
    passes = Passes(Controller(1000.0))
    launched = []
    for _ in range(5):
        launched.append(passes.make())
        passes.controller.go_on(0.5)
    assert launched[0] == FIRST_WINDOW
    assert all(later > 1.5 * earlier for earlier, later in pairwise(launched))


def test_a_cluster_that_has_become_slow_is_given_less_and_one_that_recovered_more() -> None:
    passes = Passes(Controller(50.0))
    passes.keep_on(30, every=0.5)
    passes.controller.rate = 5.0
    passes.keep_on(60, every=0.5)
    passes.highest = 0
    passes.keep_on(30, every=0.5)
    assert passes.highest <= PROMISED_SECONDS * 5 * 1.1 + 1
    passes.controller.rate = 50.0
    passes.keep_on(30, every=0.5)
    begun = passes.controller.begun
    passes.keep_on(30, every=0.5)
    assert passes.controller.begun - begun >= 0.9 * 30 * 50


def test_a_cluster_that_begins_with_nothing_is_given_nothing_more_until_it_does() -> None:
    passes = Passes(Controller(8.5))
    passes.keep_on(20, every=0.5)
    passes.controller.rate = 0.0
    passes.keep_on(30, every=0.5)
    waiting = passes.controller.unstarted
    passes.keep_on(30, every=0.5)
    assert passes.controller.unstarted == waiting
    assert waiting <= FIRST_WINDOW + 2
    passes.controller.rate = 8.5
    passes.keep_on(30, every=0.5)
    begun = passes.controller.begun
    passes.keep_on(30, every=0.5)
    assert passes.controller.begun - begun >= 0.9 * 30 * 8.5


def test_passes_of_the_same_moment_are_no_measure() -> None:
    twins = [Pace(1.0, 0, 8), Pace(1.0, 8, 0)]
    assert launch_budget(twins, unstarted=0, most=50) == FIRST_WINDOW
