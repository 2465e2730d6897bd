"""The other systems for real: a search node, Prometheus, Alertmanager. Each starts once a session,
as a process on loopback; where one cannot be had, its tests say so, and fail in CI.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chart.conftest import helm

__all__ = ["helm"]


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """All of this tier is marked ``services``."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.services)
