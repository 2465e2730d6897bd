"""An issuer of OpenID Connect, which vouches for people with signed tokens.

Its keys are asked for when a token names one that is not known, kept for an hour and used on while
it is away. Comes in: a token. Goes out: an ``Identity``, or in words what is wrong. Before:
``functions/submit``. Next: ``asking``, ``core/identity``.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping

import jwt

from sentinels.core.errors import InvalidRequest, IssuerUnavailable, Unavailable, UnknownCaller
from sentinels.core.identity import ClaimNames, Identity, from_claims
from sentinels.services.asking import ask, shown

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Only those whose key to check is not the key to sign."""

_WELL_KNOWN = "/.well-known/openid-configuration"
_SECONDS = 3.0
_FRESH_SECONDS = 3600.0
_PAUSE_SECONDS = 5.0
_LEEWAY_SECONDS = 30.0
_REQUIRED = ("exp", "iss", "aud")
_REMEDY = "the same request may be repeated; with a token of Sentinels' own it is not needed"
_WRONG: Mapping[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "has expired",
    jwt.ImmatureSignatureError: "is not valid yet",
    jwt.InvalidAudienceError: "is for another audience than {audience!r}",
    jwt.InvalidIssuerError: "is of another issuer",
    jwt.MissingRequiredClaimError: "lacks a claim: {error}",
    jwt.InvalidSignatureError: "has a wrong signature",
}
"""What is wrong with a token, by the nearest of the error's classes."""


class OidcIssuer:
    """One issuer; nothing is asked of it before the first of its tokens comes."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        names: ClaimNames,
        *,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """Tokens of this issuer for this audience."""
        self._issuer, self._audience, self._names = issuer, audience, names
        self._keys = _Keys(issuer, stopwatch)

    def knows(self, issuer: str) -> bool:
        """See ``Voucher.knows``."""
        return issuer == self._issuer

    def identify(self, token: str) -> Identity:
        """See ``Voucher.identify``."""
        algorithm, kid = self._header(token)
        key = self._key(self._keys.named(kid), algorithm)
        try:
            claims = jwt.decode(
                token,
                key=key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": list(_REQUIRED)},
            )
        except jwt.PyJWTError as error:
            raise self._refused(error) from error
        return from_claims(claims, self._names, voucher=self._issuer)

    def _key(self, data: dict[str, object], algorithm: str) -> jwt.PyJWK:
        try:
            return jwt.PyJWK(data, algorithm=algorithm)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            raise UnknownCaller(
                f"the token of {self._issuer} says that it is signed with {algorithm}, and the key"
                " that it names is not one for that",
                remedy=f"get a new one from {self._issuer}",
            ) from error

    def _header(self, token: str) -> tuple[str, str]:
        """How the token says that it is signed, and with which key."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise self._refused(error) from error
        algorithm, kid = header.get("alg"), header.get("kid", "")
        if algorithm not in ALGORITHMS:
            raise UnknownCaller(
                f"the token of {self._issuer} is signed with {str(algorithm)[:20]!r}, which proves"
                " nothing here",
                remedy=f"it is taken with one of: {', '.join(ALGORITHMS)}",
            )
        return algorithm, str(kid)

    def _refused(self, error: jwt.PyJWTError) -> UnknownCaller:
        kinds = type(error).__mro__
        what = next((_WRONG[kind] for kind in kinds if kind in _WRONG), "is no token of its making")
        told = what.format(audience=self._audience, error=error)
        return UnknownCaller(
            f"the token of {self._issuer} {told}", remedy=f"get a new one from {self._issuer}"
        )


class _Keys:
    """The issuer's keys, by their names."""

    def __init__(self, issuer: str, stopwatch: Callable[[], float]) -> None:
        self._issuer, self._stopwatch = issuer, stopwatch
        self._lock = threading.Lock()
        self._known: Mapping[str, dict[str, object]] = {}
        self._asked_at = self._read_at = float("-inf")
        self._trouble: IssuerUnavailable | None = None

    def named(self, kid: str) -> dict[str, object]:
        """The key of this name. Raises ``UnknownCaller`` and ``IssuerUnavailable``."""
        with self._lock:
            now = self._stopwatch()
            stale = now - self._read_at > _FRESH_SECONDS
            if (kid not in self._known or stale) and now - self._asked_at > _PAUSE_SECONDS:
                self._ask()
                self._asked_at = self._stopwatch()
            if kid in self._known:
                return self._known[kid]
            if self._trouble is not None:
                raise self._trouble
        raise UnknownCaller(
            f"the token is signed with the key {kid[:100]!r}, which {self._issuer} does not have",
            remedy=f"get a new one from {self._issuer}",
        )

    def _ask(self) -> None:
        try:
            self._known = _fetched(self._issuer)
            self._read_at, self._trouble = self._stopwatch(), None
        except IssuerUnavailable as trouble:
            self._trouble = trouble


def _fetched(issuer: str) -> dict[str, dict[str, object]]:
    """The issuer's keys, where its configuration says that they are."""
    told = _document(issuer, issuer.rstrip("/"), _WELL_KNOWN)
    address = told.get("jwks_uri")
    if told.get("issuer") != issuer or not isinstance(address, str):
        raise _useless(issuer, "its configuration is that of another issuer, or names no keys")
    keys = _document(issuer, address, "").get("keys")
    if not isinstance(keys, list):
        raise _useless(issuer, "what it calls its keys are none")
    return {str(key.get("kid", "")): key for key in keys if _signs(key)}


def _signs(key: object) -> bool:
    return isinstance(key, dict) and key.get("use", "sig") == "sig" and key.get("kty") != "oct"


def _document(issuer: str, address: str, path: str) -> dict[str, object]:
    try:
        answer = ask(f"the issuer {issuer}", address, path, seconds=_SECONDS, remedy=_REMEDY)
        found = json.loads(answer.body) if answer.good else None
    except (InvalidRequest, Unavailable) as error:
        raise IssuerUnavailable(str(error), remedy=_REMEDY) from error
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _useless(issuer, f"{shown(address)}{path} answered {answer.status} and no document")
    return found


def _useless(issuer: str, why: str) -> IssuerUnavailable:
    return IssuerUnavailable(f"the issuer {issuer} cannot be asked: {why}", remedy=_REMEDY)
