"""Whom proven claims and service accounts mean."""

from __future__ import annotations

import base64
import json

import pytest

from sentinels.core.errors import UnknownCaller
from sentinels.core.identity import (
    AccountRule,
    ClaimNames,
    from_account,
    from_claims,
    issuer_of,
    read_accounts,
)
from sentinels.core.rights import Role

ROLES = ClaimNames(role="groups")


def packed(claims: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("token", "issuer"),
    [
        ("plain-token_of-ours", None),
        ("a.b", None),
        (f"x.{packed({'iss': 'https://i'})}.y", "https://i"),
        (f"x.{packed({'iss': 7})}.y", ""),
        (f"x.{packed(['iss'])}.y", ""),
        ("x.%.y", ""),
        ("x.ä.y", ""),
        ("..", ""),
    ],
)
def test_a_token_of_others_names_its_issuer(token: str, issuer: str | None) -> None:
    assert issuer_of(token) == issuer


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["staff", "lead"]}, Role.LEAD),
        ({"groups": ["lead", "operator"]}, Role.OPERATOR),
        ({"groups": "operator"}, Role.OPERATOR),
        ({"groups": "the-operator"}, Role.MEMBER),
        ({"groups": []}, Role.MEMBER),
        ({"groups": {"operator": True}}, Role.MEMBER),
        ({}, Role.MEMBER),
    ],
)
def test_the_highest_role_counts_and_what_is_left_out_gives_none(
    claims: dict[str, object], role: Role
) -> None:
    assert from_claims({"sub": "ann", **claims}, ROLES, voucher="i").role is role


def test_where_no_claim_is_set_up_nobody_says() -> None:
    found = from_claims({"sub": "ann", "groups": "operator"}, ClaimNames(), voucher="i")
    assert (found.team, found.role) == (None, None)


def test_the_first_rule_that_fits_counts() -> None:
    rules = read_accounts("ci/deploy=ops:operator, ci/*=vision,")
    assert rules[0] == AccountRule("ci/deploy", "ops", Role.OPERATOR)
    named = from_account("system:serviceaccount:ci:deploy", rules)
    assert (named.team, named.role) == ("ops", Role.OPERATOR)
    assert from_account("system:serviceaccount:ci:x", rules).team == "vision"


@pytest.mark.parametrize("name", ["system:serviceaccount:cia:x", "ci/deploy", "admin", ""])
def test_who_is_no_account_that_a_rule_names_stays_out(name: str) -> None:
    with pytest.raises(UnknownCaller):
        from_account(name, read_accounts("ci/*=vision"))


@pytest.mark.parametrize("text", ["*=vision", "ci/x", "ci/x=", "ci/x=vision:king", "a/b/c=vision"])
def test_a_rule_that_means_nothing_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not of the form"):
        read_accounts(text)
