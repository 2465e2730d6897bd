"""Telling is done by one thread at a time, and nobody who only brings an event waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from sentinels.core.errors import QueueUnavailable
from sentinels.functions.events import PING, Hint
from sentinels.functions.notify.handler import Ear, Teller

SECONDS = 5.0


class Slow:
    """Tells for as long as ``free`` is not set; ``trouble`` is what it raises instead."""

    def __init__(self) -> None:
        self.begun, self.free = threading.Semaphore(0), threading.Event()
        self.rounds = 0
        self.at_once = 0
        self.most_at_once = 0
        self.trouble: Exception | None = None

    def __call__(self) -> int:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.rounds += 1
        self.begun.release()
        assert self.free.wait(SECONDS)
        self.at_once -= 1
        if self.trouble:
            raise self.trouble
        return 1


def await_true(condition: Callable[[], bool]) -> None:
    over = threading.Event()
    for _ in range(500):
        if condition():
            return
        over.wait(0.01)
    pytest.fail("it did not come true in time")


def test_an_event_does_not_wait_for_telling() -> None:
    slow = Slow()
    teller = Teller(slow)
    teller.start()
    assert slow.begun.acquire(timeout=SECONDS)
    for _ in range(20):
        teller.start()
    assert (slow.rounds, teller.run()) == (1, 0)
    slow.free.set()
    await_true(lambda: slow.at_once == 0 and slow.rounds == 2)
    assert slow.most_at_once == 1


def test_whoever_comes_meanwhile_makes_it_go_round_once_more() -> None:
    slow = Slow()
    teller = Teller(slow)
    teller.start()
    assert slow.begun.acquire(timeout=SECONDS)
    teller.start()
    slow.free.set()
    assert slow.begun.acquire(timeout=SECONDS)
    await_true(lambda: slow.at_once == 0)
    assert slow.rounds == 2


def test_a_tick_hears_how_much_arrived_and_of_trouble() -> None:
    slow = Slow()
    slow.free.set()
    teller = Teller(slow)
    assert teller.run() == 1
    slow.trouble = QueueUnavailable("away")
    with pytest.raises(QueueUnavailable):
        teller.run()
    slow.trouble = None
    assert teller.run() == 1


@pytest.mark.parametrize("trouble", [QueueUnavailable("away"), ValueError("a surprise")])
def test_trouble_in_a_thread_is_logged_and_the_next_begins_anew(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    slow = Slow()
    slow.free.set()
    slow.trouble = trouble
    teller = Teller(slow)
    teller.start()
    await_true(lambda: "telling broke off" in caplog.text)
    slow.trouble = None
    await_true(lambda: teller.run() == 1)


def test_what_is_only_looked_at_keeps_nobody_from_being_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    def surprise() -> None:
        raise ValueError("a surprise")

    def deliver() -> int:
        done.append("delivered")
        return 1

    ear = Ear(
        look=lambda _: None,
        deliver=deliver,
        watch=(surprise, lambda: done.append("looked")),
    )
    ear.hear(Hint(PING, b"{}"))
    assert done == ["looked", "delivered"]
    assert "could not be" in caplog.text
