"""Prometheus: whether it is ready to answer questions.

Comes in: its address. Goes out: nothing, or an error. Before: ``functions/submit``. Next:
``asking``.
"""

from __future__ import annotations

from sentinels.core.errors import Unavailable
from sentinels.services.asking import ask, shown

_REMEDY = "start Prometheus, or correct SENTINELS_PROMETHEUS_URL; jobs go on without it"


def check_prometheus(url: str, *, seconds: float) -> None:
    """Return if it is ready. Raises ``Unavailable``."""
    answer = ask("Prometheus", url, "/-/ready", seconds=seconds, remedy=_REMEDY)
    if not answer.good:
        raise Unavailable(
            f"Prometheus at {shown(url)} is not ready: it answered {answer.status}", remedy=_REMEDY
        )
