"""What ``sentinels up`` was asked for, as a value.

Comes in: the command line. Goes out: ``UpOptions``. Next: ``up``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What was typed after ``sentinels up``; ``tick`` is in seconds, None is the default.

    ``kubeconfig``: jobs run on that cluster instead of this machine. ``address``: where MLflow
    listens, so that they reach it.
    """

    home: Path
    port: int | None = None
    tick: float = 5.0
    data: Path | None = None
    mlflow: bool = True
    kubeconfig: Path | None = None
    address: str = "127.0.0.1"
