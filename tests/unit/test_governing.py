"""What a policy's versions say of themselves and of one another."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given

from sentinels.core.errors import InvalidPolicy
from sentinels.core.governing import USUAL, differences
from sentinels.core.policy import Policy
from sentinels.core.policy_reading import read_policy
from sentinels.core.policy_writing import document_of
from sentinels.core.ports import Json
from tests.unit.test_policy_reading import _JSON, WHOLE


@pytest.mark.parametrize(
    "policy",
    [
        Policy(),
        read_policy(WHOLE),
        read_policy({"share": {"half_life": 0}, "teams": {"t": {"quota": {"gpu_hours": 5}}}}),
        read_policy({"retry": {"greatest_memory": "64Gi"}}),
        read_policy({"preemption": {"spare": 0}, "time_limit": {"longest": "90s"}}),
    ],
)
def test_a_policy_spelled_out_is_read_as_the_same_policy(policy: Policy) -> None:
    assert read_policy(document_of(policy)) == policy


@given(_JSON)
def test_whatever_is_read_is_read_as_the_same_when_spelled_out(document: object) -> None:
    with suppress(InvalidPolicy):
        policy = read_policy(document)
        assert read_policy(document_of(policy)) == policy


def test_what_only_says_the_usual_is_no_difference() -> None:
    assert differences(USUAL.document, {"ageing": {"every": "360m"}, "rules": []}) == []


def test_differences_are_told_by_what_they_mean() -> None:
    before: Json = {"ageing": {"every": "1h"}, "rules": [{"user": "a", "priority": "low"}]}
    after: Json = {"rules": [{"user": "b", "priority": "low"}, {"team": "t", "priority": "high"}]}
    assert differences(before, after) == [
        "rules[0].user: a → b",
        "rules[1]: (not set) → {team: t, priority: high}",
        "ageing.every: 1h → 6h",
    ]


def test_a_document_of_another_version_is_compared_as_it_is() -> None:
    assert differences({"later": 1}, {}) != []
