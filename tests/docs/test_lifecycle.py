"""docs/lifecycle.md names what exists, and all of it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from sentinels.core.job import MOVES, JobState, Move, Outcome, Reason

ROOT = Path(__file__).parents[2]
LIFECYCLE = (ROOT / "docs" / "lifecycle.md").read_text("utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text("utf-8")
    named = re.findall(r"`((?:src|tests|docs|examples|benchmarks)/[\w./-]+)`", text)
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    missing = [name for name in named if not (ROOT / name).exists()]
    missing += [name for name in linked if not (document.parent / name).exists()]
    assert missing == []


def test_the_seven_stops_are_there_in_order() -> None:
    assert re.findall(r"^\*\*(\d)\.", LIFECYCLE, re.MULTILINE) == list("1234567")


def test_its_table_of_states_is_the_codes() -> None:
    assert re.findall(
        r"^\| `(\w+)` \|[^|]+\| (?:dispatch|notify|nobody)", LIFECYCLE, re.MULTILINE
    ) == [state.value for state in JobState]


def test_its_table_of_moves_is_the_codes() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| `(\w+)` \|$", LIFECYCLE, re.MULTILINE)
    found = {name: (set(re.findall(r"`(\w+)`", source)), target) for name, source, target in rows}
    assert found == {
        move.value: ({state.value for state in MOVES[move].allowed}, MOVES[move].target.value)
        for move in Move
    }


def test_its_table_of_reasons_is_the_codes() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \| ([^|]+) \|$", LIFECYCLE, re.MULTILINE)
    assert [(name, whose, means) for name, whose, _, means in rows] == [
        (reason.value, reason.reason_class.value, reason.sentence) for reason in Reason
    ]
    words = {Outcome.FAIL: "fails", Outcome.REQUEUE: "is queued again", Outcome.CANCEL: "is cancel"}
    for name, _, becomes, _ in rows:
        assert becomes.startswith(words[Reason(name).outcome])


def test_its_drawing_has_every_state_and_move() -> None:
    [drawing] = re.findall(r"```\n(.*?)```", LIFECYCLE, re.DOTALL)
    named = [state.value for state in JobState] + [move.value for move in Move]
    assert set(re.findall(r"[a-z]+", drawing)) >= set(named)


def test_each_module_on_the_way_names_its_neighbours() -> None:
    stops = "\n".join(re.findall(r"^\*\*\d\..*?(?=\n\n)", LIFECYCLE, re.MULTILINE | re.DOTALL))
    modules = re.findall(r"`(src/[\w/]+\.py)`", stops)
    assert len(modules) >= 18
    for path in modules:
        said = ast.get_docstring(ast.parse((ROOT / path).read_text("utf-8"))) or ""
        assert re.search(r"(Before|Next):", said), path
