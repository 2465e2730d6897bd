"""A call that somebody waits for, and that may not take long, whatever hangs.

Comes in: a call and a number of seconds. Goes out: what it returns or raises, or ``Late``; a call
that hangs is left to itself in its thread. Before: ``submit/usage``, ``submit/main``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sentinels.core.errors import Unavailable

T = TypeVar("T")


class Late(Unavailable):
    """It was not over in time."""


def bounded(call: Callable[[], T], seconds: float) -> T:
    """What the call returns or raises. Raises ``Late``."""
    return begun(call, seconds)()


def begun(call: Callable[[], T], seconds: float) -> Callable[[], T]:
    """Begin a call beside others; what comes back waits for what it returns or raises, until so
    many seconds after its beginning. Raises ``Late`` then.
    """
    found: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.append(call())
        except BaseException as error:  # noqa: BLE001  # raised again where somebody waits
            raised.append(error)

    thread = threading.Thread(target=run, name="bounded", daemon=True)
    end = time.monotonic() + seconds
    thread.start()

    def wait() -> T:
        thread.join(max(0.0, end - time.monotonic()))
        if raised:
            raise raised[0]
        if not found:
            raise Late(f"no answer within {seconds:g} s")
        return found[0]

    return wait
