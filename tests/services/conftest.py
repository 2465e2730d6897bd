"""The other systems for real: a search node, Prometheus, Alertmanager. Each starts once a session,
as a process on loopback; where one cannot be had, its tests say so, and fail in CI.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from tests.acceptance.conftest import machine, used_home
from tests.chart.conftest import helm
from tests.support.search_node import NoSearchNode, SearchNode, running_search_node

__all__ = ["helm", "machine", "used_home"]


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """All of this tier is marked ``services``."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.services)


def do_without(why: str) -> NoReturn:
    """Leave a test out on a person's machine; CI has everything."""
    if "CI" in os.environ:
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def session_search_node() -> Iterator[SearchNode]:
    """The session's search node."""
    try:
        with running_search_node() as node:
            yield node
    except NoSearchNode as why:
        do_without(str(why))


@pytest.fixture
def search_node(session_search_node: SearchNode) -> SearchNode:
    """The search node, without any logs."""
    session_search_node.forget()
    return session_search_node
