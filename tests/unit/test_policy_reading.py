"""The administrator's policy file: what it may say, and every fault of it at once."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinels.core.capacity import Resources
from sentinels.core.errors import InvalidSubmission
from sentinels.core.policy import Access, Person, Policy, limit_faults, priority_faults
from sentinels.core.policy_reading import changes, read_policy
from sentinels.core.quota import Quota
from sentinels.core.submission import Submission

WHOLE = {
    "classes": {"night": 5, "normal": 20, "urgent": 40},
    "default_class": "normal",
    "rules": [
        {"experiment": "prod-*", "priority": "urgent"},
        {"team": "vision", "labels": {"ticket": "ML-*", "demo": None}, "priority": "urgent"},
        {"user": "bot", "priority": "night"},
    ],
    "access": {"urgent": {"roles": ["lead", "operator"], "users": ["ann"], "teams": ["prod"]}},
    "teams": {
        "vision": {
            "weight": 2,
            "quota": {
                "cpu": 64,
                "memory": "512Gi",
                "gpus": 8,
                "gpu_types": {"a100": 4},
                "running": 50,
                "queued": 1000,
                "gpu_hours": 2000,
            },
        }
    },
    "ageing": {"every": "6h", "at_most": 20},
    "share": {"half_life": "12h"},
    "reserve": {"after": "15m", "nodes": 2},
    "time_limit": {"default": "1d", "longest": "7d"},
    "preemption": {"by": ["urgent"], "of": ["night"], "spare": "5m"},
}


def push(**more: object) -> Submission:
    usual: dict[str, object] = {"image": "x", "name": "n", "experiment": "e"}
    return Submission(**{**usual, "resources": Resources(), **more})  # type: ignore[arg-type]


def test_a_policy_says_all_that_an_administrator_decides() -> None:
    policy = read_policy(WHOLE)

    assert policy.priority_classes == {"night": 5, "normal": 20, "urgent": 40}
    assert policy.teams["vision"].weight == 2
    assert policy.quota_of("vision") == Quota(
        64_000, 512 * 2**30, 8, {"a100": 4}, running=50, queued=1000, gpu_hours=2000
    )
    assert policy.quota_of("speech") == Quota()
    assert (policy.ageing_seconds, policy.ageing_limit) == (6 * 3600, 20)
    assert (policy.half_life_seconds, policy.reservations) == (12 * 3600, 2)
    assert (policy.default_limit, policy.longest_limit) == (86400, 7 * 86400)
    assert policy.may_preempt(40, 5)
    assert not policy.may_preempt(40, 20)


def test_an_empty_policy_is_the_usual_one() -> None:
    assert read_policy({}) == read_policy(None) == Policy()


@pytest.mark.parametrize(
    ("more", "person", "expected"),
    [
        ({}, Person("eve", "speech"), "normal"),
        ({"experiment": "prod-digits"}, Person("eve", "speech"), "urgent"),
        ({"experiment": "my-prod-digits"}, Person("eve", "speech"), "normal"),
        ({"labels": {"ticket": "ML-1", "demo": "x"}}, Person("eve", "vision"), "urgent"),
        ({"labels": {"ticket": "ML-1"}}, Person("eve", "vision"), "normal"),
        ({"labels": {"ticket": "ML-1", "demo": "x"}}, Person("eve", "speech"), "normal"),
        ({}, Person("bot", "speech"), "night"),
        ({"experiment": "prod-x"}, Person("bot", "speech"), "urgent"),
    ],
)
def test_the_first_rule_that_fits_gives_the_class(
    more: dict[str, object], person: Person, expected: str
) -> None:
    assert read_policy(WHOLE).class_for(push(**more), person) == expected


@pytest.mark.parametrize(
    ("person", "may"),
    [
        (Person("eve", "speech"), False),
        (Person("ann", "speech"), True),
        (Person("eve", "prod"), True),
        (Person("eve", "speech", "lead"), True),
        (Person("eve", "speech", "operator"), True),
    ],
)
def test_a_class_is_for_those_that_the_policy_names(person: Person, may: bool) -> None:
    faults = priority_faults("urgent", read_policy(WHOLE), person)
    assert (faults == []) is may
    if not may:
        assert faults[0].remedy == "you may use: night, normal"
    assert priority_faults("night", read_policy(WHOLE), person) == []


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (None, None),
        (7 * 86400, None),
        (7 * 86400 + 1, "is above the greatest"),
    ],
)
def test_a_time_limit_stays_below_the_greatest(limit: int | None, message: str | None) -> None:
    found = [fault.message for fault in limit_faults(limit, read_policy(WHOLE))]
    assert found == ([message] if message else [])


def test_a_time_limit_must_be_given_where_there_is_a_greatest_and_no_usual_one() -> None:
    policy = read_policy({"time_limit": {"longest": "1h"}})
    assert [fault.message for fault in limit_faults(None, policy)] == ["is needed here"]


@pytest.mark.parametrize("name", ["", "a\u0000", "a\u202e", "x" * 201])
@pytest.mark.parametrize("where", ["classes", "access", "teams"])
def test_names_are_text_that_can_be_shown(where: str, name: str) -> None:
    with pytest.raises(InvalidSubmission):
        read_policy({where: {name: 1 if where == "classes" else {}}})


FAULTY = {
    "clases": {},
    "classes": {"a": 1, "b": 1, "c": "x", "d": -1},
    "default_class": "z",
    "rules": [{"priority": "a"}, {"user": "u", "priority": "q"}, {"user": 1, "priority": "a"}, 7],
    "access": {"a": {"roles": ["boss"], "who": 1}, "zz": {}},
    "teams": {"t": {"weight": 0, "quota": {"cpu": "much", "gpus": -1, "gpu": 1}}},
    "ageing": {"every": 0, "at_most": "x"},
    "time_limit": {"default": "2d", "longest": "1d"},
    "preemption": {"by": ["q"], "spare": "long"},
}


def test_every_fault_of_a_policy_is_told_at_once() -> None:
    with pytest.raises(InvalidSubmission) as caught:
        read_policy(FAULTY)

    told = {fault.field: fault for fault in caught.value.faults}
    assert told.keys() >= {
        "clases",
        "classes.b",
        "classes.c",
        "classes.d",
        "default_class",
        "rules[0]",
        "rules[1].priority",
        "rules[2].user",
        "rules[3]",
        "access.a.roles",
        "access.a.who",
        "access.zz",
        "teams.t.weight",
        "teams.t.quota.cpu",
        "teams.t.quota.gpus",
        "teams.t.quota.gpu",
        "ageing.every",
        "ageing.at_most",
        "time_limit.default",
        "preemption.by",
        "preemption.spare",
    }
    assert told["clases"].remedy == "did you mean classes?"
    assert told["teams.t.quota.gpu"].remedy == "did you mean gpus?"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*WHOLE, "quota", "cpu", "by", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_JSON)
def test_whatever_it_is_given_it_answers_with_a_policy_or_with_faults(document: object) -> None:
    with suppress(InvalidSubmission):
        assert isinstance(read_policy(document), Policy)


def test_changes_are_told_place_by_place() -> None:
    after = {**WHOLE, "teams": {"vision": {"weight": 3}, "speech": {}}, "share": None}
    assert list(changes(WHOLE, after)) == [
        "teams.vision.weight: 2 → 3",
        "teams.vision.quota: {cpu: 64, memory: 512Gi, gpus: 8, gpu_types: {a100: 4}, running: 50,"
        " queued: 1000, gpu_hours: 2000} → (not set)",
        "teams.speech: (not set) → {}",
        "share: {half_life: 12h} → (not set)",
    ]
    assert list(changes(WHOLE, WHOLE)) == []
    assert Access().lets(Person("a", "b")) is False
