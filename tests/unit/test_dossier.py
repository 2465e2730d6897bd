"""A dossier holds what it was given, within bounds, and reads whatever is found in its place."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.dossier import (
    CONDITIONS_BOUND,
    EVENTS_BOUND,
    FACTS_BOUND,
    TEXT_BOUND,
    VERSION,
    Cause,
    ClusterEvent,
    Dossier,
    Gap,
    LastLines,
    NodeCondition,
    Part,
    bounded,
    dossier_json,
    read_dossier,
)
from sentinels.core.dossier import Testimony as Said
from sentinels.core.job import Reason
from sentinels.core.text import storable

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
EVENT = ClusterEvent(NOW, "pod", "OOMKilling", "killed python", warns=True, count=3)
FULL = Dossier(
    Cause(Reason.OUT_OF_MEMORY, "it used 5 GiB"),
    137,
    Said(
        LastLines(("epoch 1", "epoch 2"), "its log", whole=False),
        (EVENT,),
        (NodeCondition("MemoryPressure", bad=True, message="short", since=NOW),),
        {"container_reason": "OOMKilled", "signal": 9},
        (Gap(Part.USAGE, "nobody measured"),),
    ),
)

texts = st.text(st.characters(codec=None), max_size=60)
moments = st.one_of(st.none(), st.datetimes(timezones=st.just(UTC)))
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), texts)
events = st.builds(ClusterEvent, moments, texts, texts, texts, st.booleans(), st.integers(0, 99))
testimonies = st.builds(
    Said,
    st.builds(LastLines, st.lists(texts, max_size=5).map(tuple), texts, st.booleans()),
    st.lists(events, max_size=4).map(tuple),
    st.lists(st.builds(NodeCondition, texts, st.booleans(), texts, moments), max_size=3).map(tuple),
    st.dictionaries(texts, scalars, max_size=4),
    st.lists(st.builds(Gap, st.sampled_from(Part), texts), max_size=3).map(tuple),
)
causes = st.one_of(st.none(), st.builds(Cause, st.sampled_from(Reason), texts))
dossiers = st.builds(Dossier, causes, st.one_of(st.none(), st.integers(0, 255)), testimonies)
_KEYS = [*dossier_json(FULL), "texts", "source", "whole", "at", "reason", "since", "part", "why"]
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_KEYS), inner)
    ),
)


def test_it_is_read_as_it_was_written() -> None:
    assert read_dossier(json.loads(json.dumps(dossier_json(FULL)))) == FULL


def test_its_form_has_a_version_and_says_whose_doing_it_was() -> None:
    found: Any = dossier_json(FULL)
    assert found["version"] == VERSION
    assert found["cause"]["class"] == "user"
    assert found["cause"]["sentence"] == Reason.OUT_OF_MEMORY.sentence


@given(dossiers)
def test_whatever_is_in_it_postgresql_takes_and_is_read_back(dossier: Dossier) -> None:
    written = json.dumps(dossier_json(dossier))
    assert "\\u0000" not in written
    again = read_dossier(json.loads(written))
    assert again == read_dossier(json.loads(json.dumps(dossier_json(again))))
    assert again.exit_code == dossier.exit_code
    assert again.testimony.lines.texts == tuple(
        storable(text) for text in dossier.testimony.lines.texts
    )


@given(anything)
def test_whatever_is_found_in_its_place_is_read_as_far_as_it_makes_sense(found: object) -> None:
    assert isinstance(read_dossier(found), Dossier)


def test_of_many_events_the_warnings_are_kept_and_of_those_the_last() -> None:
    quiet = [replace(EVENT, warns=False, message=f"q{number}") for number in range(200)]
    loud = [replace(EVENT, message=f"l{number}") for number in range(30)]
    kept = bounded(Said(events=(*loud, *quiet))).events
    assert len(kept) == EVENTS_BOUND
    assert [event.message for event in kept if event.warns] == [each.message for each in loud]
    assert kept[-1].message == "q199"
    many = [replace(EVENT, message=f"l{number}") for number in range(300)]
    assert bounded(Said(events=tuple(many))).events == tuple(many[-EVENTS_BOUND:])


def test_nothing_in_it_grows_without_bound() -> None:
    condition = NodeCondition("Odd", bad=True, message="x" * 10**6)
    said = Said(
        conditions=tuple(replace(condition, name=f"c{number}") for number in range(500)),
        facts={f"fact{number}": "y" * 10**6 for number in range(500)},
        events=tuple(replace(EVENT, message="z" * 10**6) for _ in range(500)),
    )
    written = json.dumps(dossier_json(Dossier(None, 0, bounded(said))))
    parts = CONDITIONS_BOUND + FACTS_BOUND + EVENTS_BOUND
    assert len(written) < parts * (TEXT_BOUND + 500)


def test_lines_that_come_late_close_their_gap_and_no_other() -> None:
    gaps = (Gap(Part.LINES, "gone"), Gap(Part.NODE, "silent"))
    late = Dossier(None, 1, Said(gaps=gaps)).with_lines(LastLines(("late",), "the log store"))
    assert late.testimony.lines.texts == ("late",)
    assert late.testimony.gaps == (Gap(Part.NODE, "silent"),)
    assert not late.testimony.lacks(Part.LINES)
