"""A call that somebody waits for, and that may not take long, whatever hangs.

Comes in: a call and a number of seconds. Goes out: what it returns or raises, or ``Late``; a call
that hangs is left to itself in its thread. Before: ``submit/usage``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Late(Exception):
    """It was not over in time."""


def bounded(call: Callable[[], T], seconds: float) -> T:
    """What the call returns or raises. Raises ``Late``."""
    found: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.append(call())
        except BaseException as error:  # noqa: BLE001  # raised again where somebody waits
            raised.append(error)

    thread = threading.Thread(target=run, name="bounded", daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not found:
        raise Late
    return found[0]
