"""Fixtures of the suites over ports: one real MLflow a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.mlflow_server import serving_mlflow


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running MLflow."""
    with serving_mlflow(tmp_path_factory.mktemp("mlflow")) as url:
        yield url
