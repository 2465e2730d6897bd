"""docs/sql.md tells of every view and column what the database itself tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinels.core.asking import View, ViewColumn
from sentinels.core.reporting import REPORTS
from tests.support.reporters import Asked, reporting

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "sql.md").read_text("utf-8")


@pytest.fixture
def asked(database_url: str) -> Iterator[Asked]:
    with reporting(database_url) as asked:
        yield asked


def documented() -> dict[str, View]:
    """The views of the document."""
    found = {}
    for section in DOCUMENT.split("\n### ")[1:]:
        name, _, about, *_ = section.splitlines()
        rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", section, re.MULTILINE)
        found[name] = View(name, f"{about} Version 1.", [ViewColumn(*row) for row in rows])
    return found


def test_every_view_and_column_is_documented_as_the_database_has_it(asked: Asked) -> None:
    assert documented() == {view.name: view for view in asked.asking.views()}


def test_every_query_and_report_of_the_document_works(asked: Asked) -> None:
    queries = re.findall(r'sentinels sql "([^"]+)"', DOCUMENT)
    assert queries
    for query in queries:
        asked.asking.ask(query)
    above = DOCUMENT.partition("## Setting")[0]
    told = re.findall(r"^\| `(\w+)` \| .*? \| .*? \|$", above, re.MULTILINE)
    assert told == list(REPORTS)
