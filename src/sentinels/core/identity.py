"""Who somebody else vouches for: an issuer of OpenID Connect, or Kubernetes.

Comes in: the claims of a token that was proven, or the name of a service account. Goes out: an
``Identity``, or why there is none. Adapters: ``services/oidc``, ``clusters/kubernetes/reviewing``.
Before: ``functions/submit/recognizing``. Next: ``people``.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from sentinels.core.errors import UnknownCaller
from sentinels.core.rights import Role
from sentinels.core.text import has_control

LONGEST_NAME = 200
SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, as who vouches for them (``voucher``) says; a team or role of None was not said."""

    user: str
    team: str | None
    role: Role | None
    voucher: str


class Voucher(Protocol):
    """Who can say whose a token is."""

    def knows(self, issuer: str) -> bool:
        """Whether a token that names this issuer is for this one to judge."""
        ...

    def identify(self, token: str) -> Identity:
        """Whose token this is.

        Raises ``UnknownCaller`` saying what is wrong with it, ``IssuerUnavailable``.
        """
        ...


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Which claims tell user, team and role; empty: none does."""

    user: str = "sub"
    team: str = ""
    role: str = ""


def issuer_of(token: str) -> str | None:
    """The issuer that a token names, unproven; None where it is no token of others' making."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, binascii.Error, RecursionError):
        return ""
    issuer = claims.get("iss") if isinstance(claims, Mapping) else None
    return issuer if isinstance(issuer, str) else ""


def from_claims(claims: Mapping[str, object], names: ClaimNames, *, voucher: str) -> Identity:
    """Whom proven claims are about. Raises ``UnknownCaller`` where they do not say it soundly."""
    user = claims.get(names.user)
    if not isinstance(user, str) or not is_name(user):
        raise UnknownCaller(
            f"the token of {voucher} does not say who you are: it has no claim {names.user!r} that"
            " is a name",
            remedy="an administrator names the claim: SENTINELS_OIDC_USER_CLAIM",
        )
    team = claims.get(names.team) if names.team else None
    if team is not None and (not isinstance(team, str) or not is_name(team)):
        raise UnknownCaller(f"claim {names.team!r} of the token of {voucher} is no team's name")
    return Identity(user, team, _role(claims, names), voucher)


def _role(claims: Mapping[str, object], names: ClaimNames) -> Role | None:
    """The highest role that the claim names, a word or a list of them; other words are not ours.

    Where no claim is set up nobody says; a claim that is set up and missing makes a member, since
    issuers leave out what has become empty.
    """
    if not names.role:
        return None
    given = claims.get(names.role)
    words = given if isinstance(given, list) else [given]
    return max(
        (role for role in Role if role.value in words), key=list(Role).index, default=Role.MEMBER
    )


@dataclass(frozen=True, slots=True)
class AccountRule:
    """Service accounts that may come: a pattern of ``namespace/name``, and what they are."""

    pattern: str
    team: str
    role: Role


def read_accounts(text: str) -> Sequence[AccountRule]:
    """Rules as ``ci/*=vision, ops/deployer=ops:operator``. Raises ``ValueError``."""
    return [_account(rule.strip()) for rule in text.split(",") if rule.strip()]


def _account(rule: str) -> AccountRule:
    pattern, equals, what = rule.partition("=")
    team, colon, role = what.partition(":")
    known = {each.value: each for each in Role}
    if pattern.count("/") != 1 or not equals or not team or (colon and role not in known):
        raise ValueError(f"{rule!r} is not of the form namespace/account=team:role")
    return AccountRule(pattern, team, known.get(role, Role.MEMBER))


def from_account(username: str, rules: Sequence[AccountRule]) -> Identity:
    """Whom a service account is here, by the first rule that fits. Raises ``UnknownCaller``."""
    account = username.removeprefix(SERVICE_ACCOUNT).replace(":", "/", 1)
    for rule in rules:
        if username.startswith(SERVICE_ACCOUNT) and fnmatchcase(account, rule.pattern):
            return Identity(username, rule.team, rule.role, "Kubernetes")
    raise UnknownCaller(
        f"Kubernetes says that you are {username[:LONGEST_NAME]!r}, who may not come in here",
        remedy="an administrator adds a rule: SENTINELS_TOKEN_REVIEW_ACCOUNTS",
    )


def is_name(text: str) -> bool:
    """Whether this can be a user's or a team's name."""
    return 0 < len(text) <= LONGEST_NAME and text == text.strip() and not has_control(text)
