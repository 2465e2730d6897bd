"""A desk: the verbs over the test's own database."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from sentinels.core.queueing import Caller
from tests.support.desk import Desk


@pytest.fixture
def desk(engine: Engine, caller: Caller) -> Desk:
    """The verbs, over this test's database and a scripted cluster."""
    return Desk(engine, caller)
