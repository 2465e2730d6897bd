"""Helm, and every release of the matrix; a machine with Go can run this tier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chart.cases import CASES, Case
from tests.chart.programs import chart_programs
from tests.chart.rendering import Helm, Release
from tests.cluster.conftest import do_without
from tests.cluster.programs import NoPrograms


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """All of this tier is marked ``chart``."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.chart)


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm with a home of its own: no repositories, no plugins, no cluster."""
    try:
        folder = chart_programs()
    except NoPrograms as why:
        do_without(str(why))
    return Helm(folder / "helm", tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """One way to install it after the other."""
    chosen: Case = request.param
    return chosen


@pytest.fixture(scope="session")
def release(helm: Helm, case: Case) -> Release:
    """What would be installed."""
    return helm.release(case.values, name=case.release, namespace=case.namespace)
